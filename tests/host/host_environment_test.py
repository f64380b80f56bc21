# SPDX-License-Identifier: Apache-2.0
"""The environment allocd computes from files equals systemd's own, over several hundred generated units: the
Environment= setting as the manager has it, and the whole environment of a process that it really started. And
what allocd writes, systemd reads back as it was meant."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
import pathlib
import random
import tarfile

import allocd_on_host
import awkward_units
import pytest
from awkward_units import AwkwardUnit

SEED = int(os.environ.get("ALLOCD_ENVIRONMENT_SEED", "7"))
UNITS = int(os.environ.get("ALLOCD_ENVIRONMENT_UNITS", "400"))
SHRINKING_STEPS = 80
# Those that depend on the machine. allocd reads all but %s by itself, and cannot read process 1's environment.
SPECIFIERS = "aAbBHlmMoqvwW"
PROGRAM = "/opt/environment_answers"
# systemd sets these for each process by itself (systemd.exec(5)); no generated unit names them.
OF_THE_PROCESS = {"INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
                  "HOME", "USER", "LOGNAME", "SHELL", "CREDENTIALS_DIRECTORY"}


@dataclasses.dataclass
class Seen:
    """What one unit's environment is, by systemd or by allocd."""

    setting: dict[str, str]
    process: dict[str, str] | None  # None: it did not start
    doubts: list[str] = dataclasses.field(default_factory=list)


@pytest.fixture(scope="module")
def manager(booted):
    """The host, with variables of the manager's in all the ways there are."""
    programs, _ = allocd_on_host.locations()
    booted.copy(programs / "host-programs" / "environment_answers", PROGRAM)
    booted.write("/etc/systemd/system.conf.d/awkward.conf",
                 "[Manager]\nDefaultEnvironment=FROM_DEFAULT=1 \"A=of the manager\"\n"
                 "ManagerEnvironment=FROM_SYSTEMD=2\nDefaultStartLimitIntervalSec=0\n")
    booted.systemctl("daemon-reexec")
    booted.systemctl("set-environment", "FROM_MANAGER=set later", "B=")
    return booted


def put(host, files: dict[str, bytes]) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with host.popen("tar", "-x", "-C", "/", stdin=-1) as process:
        process.communicate(archive.getvalue(), timeout=60)
        assert process.returncode == 0


def environment_of(block: bytes) -> dict[str, str]:
    entries = [entry.decode().split("=", 1) for entry in block.split(b"\0") if entry]
    return {name: value for name, value in entries if name not in OF_THE_PROCESS}


def ask_manager(host, property_name: str, paths: list[str], interface: str) -> list:
    """One property of many objects of systemd's, exact (systemctl show quotes)."""
    script = (f'while IFS= read -r path; do busctl --json=short get-property org.freedesktop.systemd1 "$path" '
              f"org.freedesktop.systemd1.{interface} {property_name} || exit 1; done")
    out = host.run("bash", "-c", script, stdin="".join(f"{path}\n" for path in paths), timeout=60).stdout
    return [json.loads(line)["data"] for line in out.split("\n") if line]


def object_path(unit: str) -> str:
    escaped = "".join(c if c.isascii() and c.isalnum() and (i or not c.isdigit()) else f"_{ord(c):02x}"
                      for i, c in enumerate(unit))
    return f"/org/freedesktop/systemd1/unit/{escaped}"


def run(host, units: list[AwkwardUnit]) -> None:
    files = {f"{awkward_units.OUTPUT_DIRECTORY}/.keep": b""}
    for unit in units:
        files |= unit.files
    put(host, files)
    host.systemctl("daemon-reload", timeout=60)
    host.systemctl("start", "--", *[unit.name for unit in units], check=False, timeout=120)


def by_systemd(host, units: list[AwkwardUnit]) -> tuple[list[Seen], list[dict]]:
    """What systemd made of the units, and where it found them."""
    paths = [object_path(unit.name) for unit in units]
    settings = ask_manager(host, "Environment", paths, "Service")
    fragments = ask_manager(host, "FragmentPath", paths, "Unit")
    drop_ins = ask_manager(host, "DropInPaths", paths, "Unit")
    script = f'cd {awkward_units.OUTPUT_DIRECTORY} && for f in [0-9]*; do echo "$f $(base64 -w0 <"$f")"; done'
    written = {}
    for line in host.run("bash", "-c", script).stdout.splitlines():
        number, _, encoded = line.partition(" ")
        written[number] = environment_of(base64.b64decode(encoded))
    seen = [Seen(dict(entry.split("=", 1) for entry in setting), written.get(str(unit.number)))
            for unit, setting in zip(units, settings, strict=True)]
    return seen, [{"fragment": fragment, "drop_ins": found}
                  for fragment, found in zip(fragments, drop_ins, strict=True)]


def ask_allocd(host, questions: list[dict]) -> list[dict]:
    out = host.run(PROGRAM, stdin="".join(f"{json.dumps(question)}\n" for question in questions), timeout=60).stdout
    return [json.loads(line) for line in out.split("\n") if line]


def machine_specifiers(host, letters: str) -> dict[str, str]:
    """As systemd expands them."""
    words = " ".join(f"\"{letter}=%{letter}\"" for letter in letters)
    host.unit("awkward-probe.service", f"[Service]\nEnvironment={words}\nExecStart=/bin/true\n")
    host.systemctl("start", "awkward-probe.service")
    (known,) = ask_manager(host, "Environment", [object_path("awkward-probe.service")], "Service")
    return dict(entry.split("=", 1) for entry in known)


def manager_words(host) -> dict:
    """What allocd asks the manager for."""
    (environment,), (version,) = (ask_manager(host, name, ["/org/freedesktop/systemd1"], "Manager")
                                  for name in ("Environment", "Version"))
    return {"manager": environment, "version": version}


def by_allocd(host, units: list[AwkwardUnit], places: list[dict]) -> list[Seen]:
    # ManagerEnvironment= is set after process 1 began, so its environ does not show it.
    block = pathlib.Path(f"/proc/{host.pid}/environ").read_bytes()
    of_process_one = [entry.decode() for entry in block.split(b"\0")] + ["FROM_SYSTEMD=2"]
    common = {"specifiers": machine_specifiers(host, "s"), "process_one": of_process_one} | manager_words(host)
    answers = ask_allocd(host, [common | place | {"unit": unit.name} for unit, place in zip(units, places, strict=True)])
    assert [answer["unit"] for answer in answers] == [unit.name for unit in units]
    return [Seen(answer["setting"], answer["environment"] if answer["can_start"] else None, answer["doubts"])
            for answer in answers]


def differences(systemd: Seen, allocd: Seen) -> list[str]:
    out = [f"Environment=: {name}: systemd {systemd.setting.get(name)!r}, allocd {allocd.setting.get(name)!r}"
           for name in sorted(systemd.setting.keys() | allocd.setting.keys())
           if systemd.setting.get(name) != allocd.setting.get(name)]
    if systemd.process is None or allocd.process is None:
        if systemd.process != allocd.process:
            out.append("systemd could not start it" if systemd.process is None else "only allocd thinks it cannot start")
        return out
    return out + [f"process: {name}: systemd {systemd.process.get(name)!r}, allocd {allocd.process.get(name)!r}"
                  for name in sorted(systemd.process.keys() | allocd.process.keys())
                  if systemd.process.get(name) != allocd.process.get(name)]


def compare(host, units: list[AwkwardUnit]) -> dict[int, list[str]]:
    """What differs, by unit number."""
    run(host, units)
    seen, places = by_systemd(host, units)
    computed = by_allocd(host, units, places)
    found = {}
    admitted = [any(" stands for is not known here" in doubt for doubt in each.doubts) for each in computed]
    assert sum(admitted) <= 1 + len(units) * 0.02, "allocd gives up too often"
    for unit, systemd, allocd, gave_up in zip(units, seen, computed, admitted, strict=True):
        if not gave_up and (different := differences(systemd, allocd)):
            found[unit.number] = different + [f"doubt: {doubt}" for doubt in allocd.doubts]
    return found


def clear(host, units: list[AwkwardUnit]) -> None:
    host.systemctl("stop", "--", *[unit.name for unit in units], check=False)
    host.systemctl("reset-failed", check=False)
    paths = sorted({path for unit in units for path in unit.files})
    host.run("xargs", "-0", "rm", "-f", "--", stdin="".join(f"{path}\0" for path in paths))
    host.run("bash", "-c", f"rm -f {awkward_units.OUTPUT_DIRECTORY}/[0-9]*")


def lines_of(unit: AwkwardUnit) -> list[tuple[str, int]]:
    fixed = (b"ExecStart=", b"Type=", b"[Service]", b"RemainAfterExit=")
    return [(path, index) for path, content in unit.files.items()
            for index, line in enumerate(content.splitlines(keepends=True)) if not line.startswith(fixed)]


def without(unit: AwkwardUnit, path: str, index: int) -> AwkwardUnit:
    lines = unit.files[path].splitlines(keepends=True)
    return dataclasses.replace(unit, files=unit.files | {path: b"".join(lines[:index] + lines[index + 1:])})


def shrink(host, unit: AwkwardUnit) -> tuple[AwkwardUnit, list[str]]:
    """A unit with as few lines as a bounded search finds that still differs."""
    steps = 0
    found = compare(host, [unit]).get(unit.number, ["not alone: it differed only among the others"])
    for path, index in reversed(lines_of(unit)):
        if steps >= SHRINKING_STEPS:
            break
        steps += 1
        smaller = without(unit, path, index)
        clear(host, [unit])
        if different := compare(host, [smaller]).get(unit.number):
            unit, found = smaller, different
    clear(host, [unit])
    return unit, found


def test_computed_environment_is_systemds_own(manager):
    units = [awkward_units.generate(SEED, number) for number in range(UNITS)]
    found = compare(manager, units)
    started = manager.run("bash", "-c", f"ls {awkward_units.OUTPUT_DIRECTORY}").stdout.split()
    clear(manager, units)
    assert len(started) > UNITS * 0.7, "the corpus has become too awkward to say anything"
    if found:
        number = min(found)
        smallest, different = shrink(manager, units[number])
        pytest.fail(f"{len(found)} of {UNITS} units differ (seed {SEED}: {sorted(found)[:40]}); number {number}, made small:\n"
                    f"{smallest.text()}\n" + "\n".join(different))


def test_allocd_reads_the_machine_as_systemd_does(manager):
    manager.write("/etc/machine-info", 'PRETTY_HOSTNAME="A pretty name"\n')
    manager.systemctl("daemon-reload")
    (answer,) = ask_allocd(manager, [{"machine": True} | manager_words(manager)])
    assert answer["specifiers"] == machine_specifiers(manager, SPECIFIERS)
    assert answer["version"] == int(manager.systemctl("--version").stdout.split()[1])
    file = "/etc/systemd/system.conf.d/awkward.conf"
    assert answer["places"] == {"FROM_DEFAULT=1": f"{file}:2", "A=of the manager": f"{file}:2"}
    manager.remove("/etc/machine-info")
    manager.systemctl("daemon-reload")
    (answer,) = ask_allocd(manager, [{"machine": True} | manager_words(manager)])
    assert answer["specifiers"] == machine_specifiers(manager, SPECIFIERS)


# What allocd writes ----------------------------------------------------------------------------------------------


def written_environment(host, unit: AwkwardUnit) -> dict[str, str]:
    """Of the process of a unit that systemd had no word of complaint about."""
    run(host, [unit])
    (seen,), (place,) = by_systemd(host, [unit])
    assert seen.process is not None, host.report(unit.name)
    problems = [entry["MESSAGE"] for entry in host.journal_entries(unit.name) if int(entry["PRIORITY"]) <= 4]
    assert problems == [] and len(place["drop_ins"]) == 1
    clear(host, [unit])
    return {name: value for name, value in seen.process.items() if name.startswith("V")}


@pytest.mark.parametrize("form", ["drop_in", "environment_file"])
def test_systemd_reads_back_what_allocd_writes(manager, form):
    rng = random.Random(SEED)
    variables = {f"V{number}": awkward_units.any_text(rng) for number in range(300)}
    name = "back\\x2dslash.service"
    file = f"{awkward_units.FILE_DIRECTORY}/{name}*[1] 100%.env"
    header = {"unit": name + "\nNice=1\\", "policy": "a\n[Service]\nUser=nobody\r\\", "version": "1\\"}
    (answer,) = ask_allocd(manager, [{"header": header, "variables": list(variables.items()), "file": file}])
    lines = ["[Service]", "Type=oneshot", f"ExecStart=/usr/bin/cp /proc/self/environ {awkward_units.OUTPUT_DIRECTORY}/1"]
    files = {f"/etc/systemd/system/{name}": "\n".join([*lines, ""]).encode()}
    drop_in = f"/etc/systemd/system/{name}.d/zz-allocd.conf"
    if form == "drop_in":
        files[drop_in] = answer["drop_in"].encode()
    else:
        files[drop_in] = f"[Service]\nEnvironmentFile={answer['pattern']}\n".encode()
        files[file] = answer["environment_file"].encode()
    assert written_environment(manager, AwkwardUnit(1, name, files)) == variables
