# SPDX-License-Identifier: Apache-2.0
"""A process that holds the lock of its own address space: whoever reads its memory or command line waits in the
kernel, for as long as it likes. allocd must show it, say what it could not learn, and keep everything else going."""

import pytest
from allocd_on_host import HOST_PROGRAMS, config

GO = "/run/hold-now"
HELD = "held.service"
OTHER = "other.service"
SERVICES = {"held": {"unit": HELD, "allocator": "jemalloc"}, "other": {"unit": OTHER, "allocator": "jemalloc"}}


@pytest.fixture
def held(allocd, host):
    """Starts both units; the lock is taken once GO exists.

    Its holder ends before allocd does: process_vm_readv(2) waits for the lock where not even SIGKILL reaches it.
    """
    host.remove(GO)
    host.unit(HELD, f"[Service]\nExecStart={HOST_PROGRAMS}/holds_map_lock /run/held {GO}\n")
    host.unit(OTHER, f"[Service]\nEnvironment=LD_PRELOAD=libjemalloc.so.2\nExecStart={HOST_PROGRAMS}/allocates\n")
    host.systemctl("start", HELD, OTHER)
    host.poll(lambda: "ready" in host.journal(HELD, "--output=cat"), 10, "the file system is mounted", HELD)
    yield host
    host.systemctl("kill", "--signal=KILL", HELD, check=False)
    host.remove(GO)


def take_lock(host) -> None:
    host.write(GO, "")
    pid = host.show(HELD, "MainPID")["MainPID"]
    host.poll(lambda: host.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] == "D", 10, "the lock is held", HELD)


def main_process(allocd, host) -> dict:
    pid = int(host.show(HELD, "MainPID")["MainPID"])
    return next((process for process in allocd.processes(HELD) if process["pid"] == pid), None)


def still_samples(allocd) -> None:
    before = allocd.snapshot()["sequence"]
    allocd.poll(lambda: allocd.snapshot()["sequence"] > before + 3, "samples go on", HELD)
    others = allocd.processes(OTHER)
    assert [process["evidence"]["active"] for process in others] == ["jemalloc"]


def test_lock_taken_after_the_process_was_identified(held, allocd):
    allocd.start(config(observe={"read_deadline": "200ms"}, **SERVICES))
    allocd.poll(lambda: main_process(allocd, held)["evidence"]["active"] == "glibc", "it uses glibc", HELD)
    allocd.poll(lambda: allocd.processes(OTHER)[0]["evidence"]["active"] == "jemalloc", "the other is proved", OTHER)
    take_lock(held)
    still_samples(allocd)
    # The timer that looks again is at 10 s; that read meets its deadline and hides nobody.
    allocd.poll(lambda: allocd.snapshot()["own"]["evidence_deadlines"] >= 1, "a read is given up", HELD, timeout=60)
    still_samples(allocd)
    assert main_process(allocd, held)["memory"]["resident"] > 0


def test_lock_held_before_allocd_comes(held, allocd):
    take_lock(held)
    allocd.start(config(observe={"read_deadline": "200ms"}, **SERVICES))
    allocd.poll(lambda: (allocd.processes(OTHER, state="compliant")), "the other process is proved", OTHER, HELD)
    stuck = allocd.poll(lambda: (process := main_process(allocd, held)) and
                        "deadline" in process["evidence"]["detail"] and process, "the read is given up", HELD)
    assert stuck["evidence"]["active"] == "unknown"
    assert stuck["memory"]["resident"] > 0
    still_samples(allocd)
    held.systemctl("kill", "--signal=KILL", HELD)
    held.systemctl("stop", "allocd.service", timeout=20)
    assert held.show("allocd.service", "Result")["Result"] == "success"


def test_stopped_and_started_while_a_reader_cannot_be_ended(held, allocd):
    """A reader inside process_vm_readv(2) outlives SIGKILL. The stop ends all the same, and the next start works."""
    held.unit(HELD, f"[Service]\nExecStart={HOST_PROGRAMS}/holds_map_lock /run/held {GO} allocd\n")
    held.systemctl("restart", HELD)
    held.write(GO, "")
    settings = config(observe={"read_deadline": "200ms"}, **SERVICES)
    allocd.start(settings)
    # The lock is let go and taken again: which of allocd's looks (at once, at 2 s, at 30 s, then every 10 s) meets it is chance.
    allocd.poll(lambda: allocd.snapshot()["own"]["evidence_deadlines"] >= 1, "a read is given up", HELD, timeout=240)
    first = allocd.snapshot()["own"]["pid"]
    # Four times TimeoutStopSec=.
    held.systemctl("stop", "allocd.service", timeout=100)
    assert held.show("allocd.service", "Result")["Result"] == "timeout"
    assert "allocd" in held.read(f"/proc/{first}/stat")
    allocd.start(settings)
    assert allocd.snapshot()["own"]["pid"] != first
    still_samples(allocd)
    assert main_process(allocd, held)["memory"]["resident"] > 0
