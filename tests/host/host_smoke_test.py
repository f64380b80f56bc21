# SPDX-License-Identifier: Apache-2.0
"""The throwaway host itself: what every other file of this tier stands on."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
import throwaway_host
from throwaway_host import HostError, ThrowawayHost

ONESHOT = "[Service]\nType=oneshot\nExecStart=/bin/echo said by a unit\n"
SLEEPER = "[Service]\nExecStart=/bin/sleep 3600\n"


def processes_in_cgroup(name: str) -> list[int]:
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if f"/{name}" in file.read_text():
                found.append(int(file.parent.name))
        except OSError:
            pass
    return found


def left_behind(host_cgroup: str) -> list[str]:
    mounts = [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if host_cgroup in line]
    folders = [str(path) for path in pathlib.Path("/tmp").glob(f"{host_cgroup}*")]
    return mounts + folders + [str(pid) for pid in processes_in_cgroup(host_cgroup)]


def test_systemd_is_pid_one_and_nothing_failed(host):
    assert host.run("cat", "/proc/1/comm").stdout == "systemd\n"
    assert host.systemctl("is-system-running").stdout == "running\n"
    assert host.systemctl("list-units", "--failed", "--no-legend").stdout == ""


def test_unit_starts_stops_and_is_forgotten(host):
    host.unit("sleeper.service", SLEEPER)
    host.systemctl("start", "sleeper.service")
    shown = host.show("sleeper.service", "ActiveState", "MainPID", "ControlGroup")
    assert shown["ActiveState"] == "active"
    assert host.read(f"/sys/fs/cgroup{shown['ControlGroup']}/cgroup.procs").split() == [shown["MainPID"]]
    host.forget_units()
    assert host.show("sleeper.service", "LoadState")["LoadState"] == "not-found"


def test_journal_carries_what_a_unit_says(host):
    host.unit("says.service", ONESHOT)
    host.systemctl("start", "says.service")
    host.poll(lambda: "said by a unit" in host.journal("says.service"), 10, "line in the journal", "says.service")
    assert any(entry["MESSAGE"] == "said by a unit" for entry in host.journal_entries("says.service"))


def test_writes_stay_inside(host):
    host.write("/etc/allocd-was-here", "inside\n")
    host.write("/usr/lib/allocd was here/file", b"\x00\xff", 0o600)
    assert host.read("/etc/allocd-was-here") == "inside\n"
    assert host.run("stat", "-c", "%a %s", "/usr/lib/allocd was here/file").stdout == "600 2\n"
    assert not os.path.exists("/etc/allocd-was-here")
    assert not os.path.exists("/usr/lib/allocd was here")


def test_kernel_settings_of_the_machine_cannot_be_written(host):
    assert host.run("sh", "-c", "echo 1 >/proc/sys/vm/drop_caches", check=False).returncode != 0


def test_run_reports_failure_with_both_streams(host):
    with pytest.raises(AssertionError, match="(?s)exited 3.*to stdout.*to stderr"):
        host.run("sh", "-c", "echo to stdout; echo to stderr >&2; exit 3")


def test_run_as_another_user(host):
    assert host.run("id", "-un", user="nobody").stdout == "nobody\n"


def test_loopback_is_up_and_reachable_from_outside(host):
    host.unit("listens.service", "[Service]\nExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 8099\n")
    host.systemctl("start", "listens.service")

    def answers():
        try:
            with host.connect("127.0.0.1", 8099) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(8).startswith(b"HTTP/")
        except ConnectionRefusedError:
            return False

    host.poll(answers, 20, "an answer from port 8099", "listens.service")


def test_poll_shows_the_journal_when_it_gives_up(host):
    host.unit("says.service", ONESHOT)
    host.systemctl("start", "says.service")
    with pytest.raises(AssertionError, match="(?s)never true.*said by a unit"):
        host.poll(lambda: False, 0.3, "never true", "says.service")


def test_two_hosts_at_once_and_nothing_left_behind(host):
    with ThrowawayHost("second") as second:
        assert second.run("hostname").stdout == "second\n"
        second.unit("sleeper.service", SLEEPER)
        second.systemctl("start", "sleeper.service")
        second.popen("sleep", "3600")
        assert host.systemctl("is-active", "sleeper.service", check=False).stdout != "active\n"
        assert processes_in_cgroup(second.cgroup)
    assert left_behind(second.cgroup) == []


def test_failure_inside_the_block_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError):
        with ThrowawayHost("doomed") as doomed:
            doomed.popen("setsid", "sleep", "3600")
            raise ZeroDivisionError
    assert left_behind(doomed.cgroup) == []


def test_killing_the_owner_ends_every_process():
    owner = subprocess.Popen(
        [sys.executable, "-B", "-c",
         "import throwaway_host as t\nwith t.ThrowawayHost() as h: print(h.cgroup, h._base, flush=True); input()"],
        cwd=pathlib.Path(__file__).parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    cgroup, base = owner.stdout.readline().split()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    throwaway_host.wait_until(lambda: not processes_in_cgroup(cgroup), 20, "every process of the host is gone")
    # SIGKILL leaves no chance to tidy: an empty directory and an empty cgroup remain.
    orphan = ThrowawayHost()
    orphan.cgroup, orphan._base = cgroup, base
    orphan.close()
    assert left_behind(cgroup) == []


def test_a_host_that_cannot_boot_says_why(monkeypatch, tmp_path):
    broken = tmp_path / "init.sh"
    broken.write_text("echo no root file system today; exit 1\n")
    monkeypatch.setattr(throwaway_host, "INIT", broken)
    with pytest.raises(HostError, match="no root file system today"):
        ThrowawayHost().__enter__()
