# SPDX-License-Identifier: Apache-2.0
"""What a living allocd says of a living host, held against what the documents promise; groups that no unit of ours
started; and what is left of it all when the observer is killed."""

import json
import socket

import pytest
import standin_service
from allocd_on_host import HOST_PROGRAMS, config, pick
from support.metrics_page import promtool_complaints, undocumented_series
from support.snapshot_schema import strict_errors
from this_machine import LIBRARIES

JEMALLOC = f"{LIBRARIES}/libjemalloc.so.2"
STANDIN = "vllm.service"


def wanted(unit: str) -> dict:
    return {"unit": unit, "allocator": "jemalloc"}


@pytest.fixture
def busy(host, allocd):
    """A service of several roles and allocators, units of every kind of absence, and a group of nobody's."""
    host.unit("down.service", "[Service]\nExecStart=/bin/sleep 3600\n")
    host.mask("masked.service")
    standin_service.start(host, STANDIN, "--worker inherit --worker drop")
    allocd.start(config(vllm=wanted(STANDIN), down=wanted("down.service"), masked=wanted("masked.service"),
                        absent=wanted("absent.service"), journal={"cgroup": "/system.slice/systemd-journald.service"}))
    def is_known() -> bool:
        unit = allocd.unit(STANDIN)
        return not unit["evidence_pending"] and len([p for p in unit["processes"] if p["role"] == "worker"]) == 2
    allocd.poll(is_known, "everything of the service is known", STANDIN)
    return allocd


def summary(host) -> dict:
    with socket.socket(socket.AF_UNIX) as reader:
        reader.settimeout(10)
        reader.connect(f"/proc/{host.pid}/root/run/allocd/summary.sock")
        with reader.makefile("rb") as stream:
            return json.load(stream)


def test_the_snapshot_of_a_living_host_is_what_the_schema_says(busy, host):
    snapshot = busy.snapshot()
    assert strict_errors(snapshot) == []
    assert len(snapshot["units"]) == 5
    assert {process["evidence"]["active"] for process in busy.processes(STANDIN)} == {"glibc", "jemalloc"}
    # Without its processes it is a document of the same form.
    short = summary(host)
    assert strict_errors(short) == []
    assert all(unit["processes"] == [] for unit in short["units"])
    # And while something is wrong.
    host.write("/etc/allocd/allocd.yaml", "observe: {intervall: 1s}\n")
    host.systemctl("kill", "--signal=HUP", "--kill-who=main", "allocd.service")
    busy.poll(lambda: not busy.snapshot()["config"]["last_reload_successful"], "the failed reload shows")
    assert strict_errors(busy.snapshot()) == []


def test_a_scrape_of_a_living_host_is_what_the_reference_says(busy):
    status, headers, page = busy.http()
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert promtool_complaints(page) == ""
    assert undocumented_series(page.decode()) == []
    # Of something: every role and allocator of the service is in it.
    series = busy.exposition()
    assert pick(series, "allocd_unit_processes_by_allocator", unit=STANDIN, role="worker", allocator="glibc") == [1]
    assert pick(series, "allocd_unit_processes_by_allocator", unit=STANDIN, role="worker", allocator="jemalloc") == [1]
    assert pick(series, "allocd_unit_up", unit="absent.service") == [0]


def test_a_scope_is_found_by_the_path_of_its_group_and_goes_with_it(host, allocd):
    pattern, path = "/system.slice/box-*.scope", "/system.slice/box-1.scope"
    allocd.start(config(boxes={"cgroup": pattern}))
    assert allocd.snapshot()["units"] == []
    # As a container engine does it: a scope with processes that are no unit's of ours, and a group inside it.
    held = host.popen("systemd-run", "--scope", "--unit=box-1", "--slice=system.slice", "--property=Delegate=yes",
                      "sh", "-c", "g=/sys/fs/cgroup/system.slice/box-1.scope/inner; mkdir $g && echo $$ >$g/cgroup.procs"
                      f" && LD_PRELOAD={JEMALLOC} exec {HOST_PROGRAMS}/forks 2")
    try:
        def proved():
            found = allocd.processes(path)
            return len(found) == 3 and all(p["evidence"]["active"] == "jemalloc" for p in found) and found
        processes = allocd.poll(proved, "three processes of the scope are proved")
        unit = allocd.unit(path)
        assert (unit["source"], unit["up"]) == ("cgroup", True)
        assert {process["cgroup"] for process in processes} == {"inner"}
        assert unit["assessment"]["state"] == "exempt"  # observed, and asked for nothing
        series = allocd.exposition()
        assert sum(pick(series, "allocd_unit_processes", unit=path)) == 3
        assert strict_errors(allocd.snapshot()) == []
    finally:
        host.systemctl("stop", "box-1.scope")
        held.wait(30)
    allocd.poll(lambda: not (allocd.unit(path) or {"up": False})["up"], "it is gone with its processes")


def test_killed_it_is_started_again_and_serves_its_readers_again(host, allocd):
    host.unit("steady.service", f"[Service]\nEnvironment=LD_PRELOAD={JEMALLOC}\nExecStart={HOST_PROGRAMS}/allocates\n")
    host.systemctl("start", "steady.service")
    allocd.start(config(steady=wanted("steady.service")))
    allocd.poll(lambda: allocd.processes("steady.service", state="compliant"), "it is proved", "steady.service")
    assert pick(allocd.exposition(), "allocd_observer_up") == [1]
    exporter = host.show("allocd-exporter.service", "MainPID")
    before = allocd.snapshot()["own"]["pid"]
    host.systemctl("kill", "--signal=KILL", "--kill-who=main", "allocd.service")

    def serves_again() -> bool:
        try:
            return allocd.snapshot()["own"]["pid"] != before
        except (OSError, ValueError):
            return False

    allocd.poll(serves_again, "another observer serves the same socket")
    assert host.show("allocd.service", "NRestarts", "ActiveState") == {"NRestarts": "1", "ActiveState": "active"}
    allocd.poll(lambda: pick(allocd.exposition(), "allocd_observer_up") == [1], "the exporter shows it")
    allocd.poll(lambda: allocd.processes("steady.service", state="compliant"), "it is proved again", "steady.service")
    allocd.poll(lambda: pick(allocd.exposition(), "allocd_unit_policy_state", unit="steady.service",
                             state="compliant") == [1], "and so do the metrics")
    # The exporter is the one that was there: it came through without a restart.
    assert host.show("allocd-exporter.service", "MainPID") == exporter
