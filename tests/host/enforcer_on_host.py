# SPDX-License-Identifier: Apache-2.0
"""The enforcer on a throwaway host: ask it as allocctl does, read what it remembers, look at what it wrote."""

from __future__ import annotations

import itertools
import json

import allocd_on_host
from this_machine import LIBRARIES
from throwaway_host import ThrowawayHost

SERVICE = "svc.service"
UNITS = "/etc/systemd/system"
STATE = "/var/lib/allocd-enforcer"
MANIFEST = f"{STATE}/manifest.json"
BOX = "/run/allocd-enforcer"
LOOK_NOW = "/run/allocd/look-now"
PROGRAM = "/usr/libexec/allocd/allocd-enforcer"
JEMALLOC = f"{LIBRARIES}/libjemalloc.so.2"
FAULTY = "/opt/faulty"
SLEEPS = "[Service]\nExecStart=/bin/sleep 3600\n"
# Lives without a preload, and dies with one.
DIES = """ExecStart=/bin/sh -c '[ -z "$LD_PRELOAD" ] || { echo no preload please >&2; exit 3; }; exec sleep 3600'\n"""
_NUMBERS = itertools.count(1)
_LISTING = ("find /etc/systemd/system /run/systemd/system /etc/containers -xdev ! -type s "
            "-printf '%p %y %m %u %l ' \\( -type f -exec sha256sum {} \\; -o -printf '\\n' \\) 2>/dev/null | sort")


def conf(owner: str = SERVICE, units: str = UNITS) -> str:
    return f"{units}/{owner}.d/zz-allocd.conf"


def env_file(owner: str = SERVICE, units: str = UNITS) -> str:
    return f"{units}/{owner}.d/zz-allocd.env"


def policy(**service: object) -> str:
    """A configuration of one service: jemalloc for SERVICE unless it says otherwise."""
    return allocd_on_host.config(svc={"unit": SERVICE, "allocator": "jemalloc"} | service)


class Enforcer:
    """Posts requests as allocctl does and runs the service that answers them."""

    def __init__(self, host: ThrowawayHost) -> None:
        self.host = host

    def configure(self, text: str) -> None:
        self.host.write(allocd_on_host.CONFIG, text)

    def run(self, timeout: float = 60) -> int:
        """One run to its end; 0 when systemd thinks well of it."""
        return self.host.systemctl("start", "--wait", "allocd-enforcer.service", check=False, timeout=timeout).returncode

    def exit_code(self) -> str:
        return self.host.show("allocd-enforcer.service", "ExecMainStatus")["ExecMainStatus"]

    def is_running(self) -> bool:
        return self.host.show("allocd-enforcer.service", "ActiveState")["ActiveState"] in ("activating", "active")

    def post(self, verb: str, *units: str, **switches: bool) -> str:
        number = f"{next(_NUMBERS):032x}"
        request = {"id": number, "verb": verb, "units": list(units), "retry": False, "force": False} | switches
        self.host.run("mkdir", "-p", "-m", "700", BOX, f"{BOX}/requests")
        # Whole at once: one that runs may look at any moment.
        self.host.write(f"{BOX}/.{number}", json.dumps(request), mode=0o600)
        self.host.run("mv", f"{BOX}/.{number}", f"{BOX}/requests/{number}.json")
        return number

    def report(self, number: str, timeout: float = 60) -> dict:
        path = f"{BOX}/reports/{number}.json"

        def answered() -> bool:
            if self.host.run("test", "-e", path, check=False).returncode == 0:
                return True
            if not self.is_running():  # it ended just as the request came
                self.host.systemctl("start", "--no-block", "allocd-enforcer.service", check=False)
            return False

        self.host.poll(answered, timeout, "the enforcer answers", "allocd-enforcer.service")
        return json.loads(self.host.read(path))

    def ask(self, verb: str, *units: str, timeout: float = 60, **switches: bool) -> dict:
        """Not waited for to the end: it stands by a unit that was restarted until that has settled."""
        return self.report(self.post(verb, *units, **switches), timeout)

    def item(self, report: dict, target: str = SERVICE) -> dict:
        found = [item for item in report["items"] if item["target"] == target]
        assert found, report
        return found[0]

    def apply(self, target: str = SERVICE) -> dict:
        """Applies everything; the item of `target`, which must have gone well."""
        report = self.ask("apply")
        item = self.item(report, target)
        assert (report["error"], item["error"], report["reload_error"]) == ("", "", ""), report
        return item

    def refused(self, target: str = SERVICE) -> tuple[str, str]:
        """Applies everything; the reason and the sentence of the blocked item. Nothing may have changed."""
        before, reloads = self.listing(), self.reloads()
        report = self.ask("apply")
        item = self.item(report, target)
        assert item["action"] == "blocked", item
        assert self.listing() == before
        assert not report["reloaded"] and self.reloads() == reloads
        return item["reason"], item["sentence"]

    def manifest(self) -> dict:
        manifest = json.loads(self.host.read(MANIFEST))
        words = json.loads(self.host.run("cat", f"{STATE}/last-words.json", check=False).stdout or "{}")
        for name, target in manifest["targets"].items():
            target["journal"] = words.get(name, [])
        return manifest

    def target(self, target: str = SERVICE) -> dict:
        return self.manifest()["targets"][target]

    def phase(self, unit: str = SERVICE, target: str = SERVICE) -> str:
        return self.target(target)["units"][unit]["phase"]

    def reaches(self, phase: str, unit: str = SERVICE, target: str = SERVICE) -> None:
        self.host.poll(lambda: self.phase(unit, target) == phase, 60, f"{unit} is {phase}", unit,
                       "allocd-enforcer.service")

    def ends(self) -> None:
        self.host.poll(lambda: not self.is_running(), 60, "the enforcer ends", "allocd-enforcer.service")

    # What is on the host ----------------------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        return self.host.run("test", "-e", path, "-o", "-L", path, check=False).returncode == 0

    def listing(self) -> list[str]:
        """Every file of the directories it may write: name, kind, mode, owner, target, contents."""
        return self.host.run("sh", "-c", _LISTING).stdout.splitlines()

    def loaded(self, path: str, unit: str = SERVICE) -> bool:
        """Whether systemd has read this drop-in of the unit."""
        return path in self.host.show(unit, "DropInPaths")["DropInPaths"].split()

    def reloads(self) -> str:
        """Changes with each daemon-reload."""
        return self.host.run("systemctl", "show", "--property=UnitsLoadTimestampMonotonic").stdout

    def environment(self, unit: str = SERVICE) -> dict[str, str]:
        """Of the unit's main process, as it was started."""
        pid = self.host.show(unit, "MainPID")["MainPID"]
        assert pid != "0", self.host.report(unit)
        pairs = self.host.run("cat", f"/proc/{pid}/environ").stdout.split("\0")
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def started(self, unit: str = SERVICE) -> dict[str, str]:
        """Restarts the unit; the environment it then has."""
        self.host.systemctl("restart", "--", unit)
        return self.environment(unit)

    def clean(self) -> None:
        self.host.systemctl("stop", "allocd-enforcer.service", check=False)
        self.host.systemctl("reset-failed", "allocd-enforcer.service", check=False)
        self.host.run("sh", "-c", f"rm -rf {STATE}/* {BOX}/*/* {UNITS}/*.d/zz-allocd* {UNITS}/*.d/.zz-allocd*"
                                  " /run/systemd/system/*.d/zz-allocd* /etc/containers/systemd /run/containers/systemd")
        self.host.run("sh", "-c", f"rmdir {UNITS}/*.service.d 2>/dev/null", check=False)
        self.host.remove(allocd_on_host.CONFIG)


def install_faulty_libraries(host: ThrowawayHost) -> None:
    programs, _ = allocd_on_host.locations()
    for library in (programs / "faulty-libraries").iterdir():
        host.copy(library, f"{FAULTY}/{library.name}")
