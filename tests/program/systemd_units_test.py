# SPDX-License-Identifier: Apache-2.0
"""The shipped unit files, user and journal catalog, as systemd's own tools judge them. Needs no running systemd."""

import os
import pathlib
import re
import subprocess

import pytest

SOURCE = pathlib.Path(os.environ["ALLOCD_SOURCE"])
UNITS = SOURCE / "systemd"
SERVICES = ["allocd.service", "allocd-exporter.service", "allocd-enforcer.service"]
# Most exposure that is accepted, in tenths, as `systemd-analyze security` counts it. Raising one needs a reason.
MOST_EXPOSED = {"allocd.service": 12, "allocd-exporter.service": 6, "allocd-enforcer.service": 20}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_PAGER": ""})


def directives(unit):
    """[(name, value)] in file order."""
    pairs = re.findall(r"^([A-Za-z0-9]+)=(.*)$", (UNITS / unit).read_text(), re.MULTILINE)
    return [(name, value.strip()) for name, value in pairs]


def values(unit, name):
    return [value for key, value in directives(unit) if key == name]


@pytest.fixture
def copies(tmp_path):
    """The units with programs that exist here, since the real ones are not installed."""
    for path in UNITS.iterdir():
        if path.suffix in (".service", ".socket", ".path"):
            text = re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", path.read_text(), flags=re.MULTILINE)
            (tmp_path / path.name).write_text(text)
    return tmp_path


def test_verify_says_nothing(copies):
    done = run("systemd-analyze", "verify", "--man=no", *map(str, sorted(copies.iterdir())))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_would_say_something(copies):
    (copies / "allocd.service").write_text("[Service]\nExecStart=/bin/true\nProtectHmoe=yes\n")
    done = run("systemd-analyze", "verify", "--man=no", str(copies / "allocd.service"))
    assert "ProtectHmoe" in done.stderr


@pytest.mark.parametrize("unit", SERVICES)
def test_exposure(copies, unit):
    done = run("systemd-analyze", "security", "--no-pager", "--offline=true",
               f"--threshold={MOST_EXPOSED[unit]}", str(copies / unit))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout


def group_members(name):
    """System calls of a @group, groups in it resolved."""
    listed = run("systemd-analyze", "syscall-filter", name).stdout
    words = [line.strip() for line in listed.splitlines() if line.startswith("    ")]
    calls = set()
    for word in words:
        if word.startswith("@"):
            calls |= group_members(word)
        elif not word.startswith("#"):
            calls.add(word)
    return calls


def allowed_calls(unit):
    """What the SystemCallFilter= lines add up to; the first of them is an allow list."""
    allowed = set()
    for line in values(unit, "SystemCallFilter"):
        calls = set()
        for word in line.lstrip("~").split():
            calls |= group_members(word) if word.startswith("@") else {word}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def test_observer_may_read_memory_and_nothing_more():
    allowed = allowed_calls("allocd.service")
    assert "process_vm_readv" in allowed
    assert {"openat", "epoll_wait", "sendmsg", "fchmodat", "clone3", "ioctl"} <= allowed
    for call in ("ptrace", "process_vm_writev", "process_madvise", "pidfd_getfd", "bpf", "perf_event_open", "mount"):
        assert call not in allowed, call


def test_observer_may_ask_for_the_page_cache():
    """By names of their own: the group has neither on systemd 252."""
    assert "cachestat mincore" in values("allocd.service", "SystemCallFilter")
    assert {"cachestat", "mincore"} <= allowed_calls("allocd.service")


def test_exporter_may_read_no_memory():
    allowed = allowed_calls("allocd-exporter.service")
    assert {"accept4", "openat", "sendmsg", "clone3"} <= allowed
    assert not allowed & {"ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "bpf"}


def test_observer_sees_processes_with_one_capability():
    assert values("allocd.service", "CapabilityBoundingSet") == ["CAP_SYS_PTRACE"]
    assert values("allocd.service", "AmbientCapabilities") == ["CAP_SYS_PTRACE"]
    names = {name for name, _ in directives("allocd.service")}
    assert not names & {"ProtectProc", "ProcSubset", "PrivateUsers"}


def test_exporter_has_no_capability():
    assert values("allocd-exporter.service", "CapabilityBoundingSet") == [""]
    assert values("allocd-exporter.service", "AmbientCapabilities") == []


@pytest.mark.parametrize("unit", ["allocd.service", "allocd-exporter.service"])
def test_no_network(unit):
    assert values(unit, "PrivateNetwork") == ["yes"]
    assert values(unit, "RestrictAddressFamilies") == ["AF_UNIX"]


def test_bad_configuration_is_not_retried():
    assert values("allocd.service", "RestartPreventExitStatus") == ["78"]


def test_port_is_the_registered_one_on_both_families():
    assert values("allocd-exporter.socket", "ListenStream") == ["10977"]
    assert values("allocd-exporter.socket", "BindIPv6Only") == ["both"]


def test_sysusers_makes_the_user_of_the_service(tmp_path):
    (tmp_path / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={tmp_path}", str(UNITS / "allocd.sysusers"))
    assert done.returncode == 0, done.stderr
    user = (tmp_path / "etc/passwd").read_text().strip().split(":")
    assert user[0] == values("allocd.service", "User")[0] == "allocd"
    assert user[5:] == ["/", "/usr/sbin/nologin"]
    assert (tmp_path / "etc/group").read_text().startswith("allocd:")


def test_catalog_is_accepted_by_journalctl(tmp_path):
    catalog = tmp_path / "usr/lib/systemd/catalog"
    catalog.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    (catalog / "allocd.catalog").write_text((UNITS / "allocd.catalog").read_text())
    done = run("journalctl", f"--root={tmp_path}", "--update-catalog")
    assert (done.returncode, done.stderr) == (0, "")
    listed = run("journalctl", f"--root={tmp_path}", "--no-pager", "--list-catalog").stdout.splitlines()
    ids = re.findall(r"^-- ([0-9a-f]{32})$", (UNITS / "allocd.catalog").read_text(), re.MULTILINE)
    assert sorted(line.split()[0] for line in listed) == sorted(ids)
    assert all(line.split(" ", 1)[1].startswith("allocd: ") for line in listed), listed


def test_the_enforcer_reaches_this_host_alone():
    assert values("allocd-enforcer.service", "IPAddressDeny") == ["any"]
    assert values("allocd-enforcer.service", "IPAddressAllow") == ["localhost"]


def test_the_enforcer_writes_drop_ins_and_nothing_else():
    assert values("allocd-enforcer.service", "ProtectSystem") == ["strict"]
    (writable,) = values("allocd-enforcer.service", "ReadWritePaths")
    assert set(writable.split()) == {"/etc/systemd/system", "-/run/systemd/system", "-/etc/containers/systemd",
                                     "-/run/containers/systemd"}
    assert values("allocd-enforcer.service", "CapabilityBoundingSet") == [""]
