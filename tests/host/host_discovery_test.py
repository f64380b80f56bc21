# SPDX-License-Identifier: Apache-2.0
"""allocd and systemd: units that are absent, late, restarting; processes that rename, fork and vanish; a manager
and a bus that restart; configuration that breaks."""

import pytest
import standin_service
from allocd_on_host import HOST_PROGRAMS, config, pick

SLEEPER = "[Service]\nExecStart=/bin/sleep 3600\n"
JEMALLOC = "[Service]\nEnvironment=LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=background_thread:true\n"


def wanted(unit: str) -> dict:
    return {"unit": unit, "allocator": "jemalloc"}


def start_unit(host, name: str, text: str) -> None:
    host.unit(name, text)
    host.systemctl("start", name)


def observer_pid(host) -> str:
    return host.show("allocd.service", "MainPID")["MainPID"]


# Units -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def idle_units(host, allocd):
    host.unit("down.service", SLEEPER)
    host.mask("masked.service")
    allocd.start(config(a=wanted("absent.service"), d=wanted("down.service"), m=wanted("masked.service")))


@pytest.mark.parametrize(("unit", "load_state", "reason"), [
    ("absent.service", "not-found", "unit_not_found"),
    ("masked.service", "masked", "unit_masked"),
    ("down.service", "loaded", "unit_down"),
])
def test_unit_without_processes_keeps_its_series(idle_units, allocd, unit, load_state, reason):
    found = allocd.unit(unit)
    assert found["load_state"] == load_state
    assert found["up"] is False and found["processes"] == []
    assert (found["assessment"]["state"], found["assessment"]["reason"]) == ("inactive", reason)
    series = allocd.exposition()
    assert pick(series, "allocd_unit_up", unit=unit) == [0]
    assert pick(series, "allocd_unit_policy_state", unit=unit, state="inactive") == [1]
    assert pick(series, "allocd_unit_policy_state", unit=unit, state="compliant") == [0]


def test_unit_that_appears_later_is_picked_up(host, allocd):
    allocd.start(config(late=wanted("late.service")))
    assert allocd.unit("late.service")["up"] is False
    start_unit(host, "late.service", SLEEPER)
    found = allocd.poll(lambda: (unit := allocd.unit("late.service"))["up"] and unit, "late.service is up")
    assert found["active_state"] == "active"
    assert len(found["processes"]) == 1
    host.systemctl("stop", "late.service")
    allocd.poll(lambda: not allocd.unit("late.service")["up"], "late.service is down again")


def test_instances_of_a_template_come_and_go(host, allocd):
    host.unit("engine@.service", SLEEPER)
    allocd.start(config(engines=wanted("engine@*.service")))
    for instance in ("a", "b"):
        host.systemctl("start", f"engine@{instance}.service")
    allocd.poll(lambda: all((allocd.unit(f"engine@{i}.service") or {}).get("up") for i in "ab"), "both instances are up")
    host.systemctl("stop", "engine@a.service")
    allocd.poll(lambda: not (allocd.unit("engine@a.service") or {}).get("up"), "instance a is down")
    assert allocd.unit("engine@b.service")["up"]


def test_process_that_started_before_its_setting_was_loaded_waits_for_a_restart(host, allocd):
    """The drop-in is older than the process; systemd has read it only since."""
    unit = "early.service"
    start_unit(host, unit, f"[Service]\nExecStart={HOST_PROGRAMS}/allocates\n")
    allocd.start(config(early=wanted(unit)))
    host.write(f"/etc/systemd/system/{unit}.d/preload.conf", JEMALLOC)
    host.systemctl("restart", unit)

    def verdict():
        found = allocd.next_sample() and allocd.unit(unit)["assessment"]
        return found["state"], found["reason"]

    allocd.poll(lambda: verdict()[0] == "not_applied", "the setting is not loaded", unit)
    host.systemctl("daemon-reload")
    allocd.poll(lambda: verdict() == ("pending_restart", "started_before"), "a restart is due", unit)
    host.systemctl("restart", unit)
    allocd.poll(lambda: verdict() == ("compliant", "none"), "the restart brought it", unit)
    # Reloads for the sake of others, and a file touched, change nothing.
    host.run("touch", f"/etc/systemd/system/{unit}.d/preload.conf")
    host.unit("unrelated.service", SLEEPER)
    host.systemctl("daemon-reload")
    assert verdict() == ("compliant", "none")


def test_pattern_that_matches_too_many_groups_is_cut_and_named(host, allocd):
    host.run("sh", "-c", "mkdir /sys/fs/cgroup/many && cd /sys/fs/cgroup/many && seq 300 | xargs mkdir")
    try:
        allocd.start(config(many={"cgroup": "/many/*"}))
        snapshot = allocd.snapshot()
    finally:
        host.run("sh", "-c", "cd /sys/fs/cgroup/many && seq 300 | xargs rmdir; rmdir /sys/fs/cgroup/many")
    assert len(snapshot["units"]) == 256
    collector = next(found for found in snapshot["collectors"] if found["name"] == "cgroups")
    assert not collector["success"]
    assert "/many/* matches 300 groups" in collector["last_error"]


def test_known_engine_is_found_without_configuration(host, allocd):
    start_unit(host, "other.service", SLEEPER)
    standin_service.start(host, "inference.service", "--worker inherit")
    allocd.start(None)
    found = allocd.poll(lambda: allocd.unit("inference.service"), "inference.service was discovered")
    assert found["engine"] == "vllm"
    assert found["assessment"]["state"] == "exempt"
    assert allocd.unit("other.service") is None
    assert allocd.snapshot()["config"]["built_in_discovery"] is True


def test_restarting_in_a_loop(host, allocd):
    allocd.start(config(loop=wanted("loop.service")))
    before = observer_pid(host)
    host.unit("loop.service", standin_service.unit_text(
        "--worker inherit --worker drop --exit-after 0.4", service="Restart=always\nRestartSec=100ms"))
    host.systemctl("start", "loop.service")
    allocd.poll(lambda: (unit := allocd.unit("loop.service"))["restarts"] >= 4 and unit["processes_seen"] > 4,
                "processes of several runs were seen", "loop.service")
    host.systemctl("stop", "loop.service")
    allocd.poll(lambda: not allocd.unit("loop.service")["up"], "loop.service is down", "loop.service")
    assert observer_pid(host) == before


# Processes -------------------------------------------------------------------------------------------------------


def test_worker_that_renames_itself_late(host, allocd):
    host.remove("/tmp/rename")
    allocd.start(config(vllm=wanted("vllm.service")))
    standin_service.start(host, "vllm.service", "--worker inherit --worker drop --rename-when /tmp/rename")
    # All five: on a busy machine a sample may come between two starts, when three others have said nothing yet.
    allocd.poll(lambda: len(allocd.processes("vllm.service", role="starting")) == 3
                and len(allocd.processes("vllm.service")) == 5,
                "an engine core and two workers that have not said what they are", "vllm.service")
    assert allocd.processes("vllm.service", role="worker") == []
    started = {process["pid"]: process["start_ticks"] for process in allocd.processes("vllm.service")}
    host.write("/tmp/rename", "")
    workers = allocd.poll(lambda: len(found := allocd.processes("vllm.service", role="worker")) == 2 and found,
                          "two workers", "vllm.service")
    assert sorted(worker["ranks"]["tp"] for worker in workers) == [0, 1]
    assert len(allocd.processes("vllm.service", role="engine_core")) == 1
    assert len(allocd.processes("vllm.service", role="api_server")) == 1
    assert len(allocd.processes("vllm.service", role="resource_tracker")) == 1
    assert {process["pid"]: process["start_ticks"] for process in allocd.processes("vllm.service")} == started


def test_no_title_or_pid_becomes_a_label(host, allocd):
    allocd.start(config(vllm=wanted("vllm.service")))
    standin_service.start(host, "vllm.service", "--worker inherit")
    allocd.poll(lambda: allocd.processes("vllm.service", role="worker"), "a worker", "vllm.service")
    pids = {str(process["pid"]) for process in allocd.processes("vllm.service")}
    text = allocd.http()[2].decode()
    assert 'role="worker"' in text
    assert "VLLM::" not in text
    labels = [set(labels.values()) for rows in allocd.exposition().values() for labels, _ in rows]
    assert not any(pids & values for values in labels)


def test_forked_children_have_no_background_thread(host, allocd):
    start_unit(host, "forks.service", f"{JEMALLOC}ExecStart={HOST_PROGRAMS}/forks 3\n")
    allocd.start(config(forks=wanted("forks.service")))

    def identified():
        found = [process["evidence"] for process in allocd.processes("forks.service")]
        return found if [evidence["active"] for evidence in found] == ["jemalloc"] * 4 else None

    evidence = allocd.poll(identified, "a parent and three children under jemalloc", "forks.service")
    threads = [each["jemalloc_background_threads"] for each in evidence]
    assert threads.count(0) == 3 and max(threads) >= 1


def test_a_thousand_short_lived_processes(host, allocd):
    allocd.start(config(storm=wanted("storm.service")))
    before = observer_pid(host)
    standin_service.start(host, "storm.service", "--worker inherit --storm 1000")
    allocd.poll(lambda: "storm of 1000 is over" in host.journal("storm.service"), "the storm is over", "storm.service",
                timeout=120)
    allocd.next_sample()
    unit = allocd.poll(
        lambda: len((unit := allocd.unit("storm.service"))["processes"]) == 4 and not unit["evidence_pending"] and unit,
        "only the four processes that stay", "storm.service")
    assert {process["evidence"]["active"] for process in unit["processes"]} == {"jemalloc"}
    assert unit["processes_seen"] >= 4
    assert observer_pid(host) == before
    assert all(collector["success"] for collector in allocd.snapshot()["collectors"])


# Manager and bus -------------------------------------------------------------------------------------------------


def test_daemon_reexec_of_systemd(host, allocd):
    start_unit(host, "early.service", SLEEPER)
    allocd.start(config(early=wanted("early.service"), late=wanted("late.service")))
    before = observer_pid(host)
    host.systemctl("daemon-reexec")
    start_unit(host, "late.service", SLEEPER)
    allocd.poll(lambda: allocd.unit("late.service")["up"], "a unit started after the reexec", "late.service")
    assert allocd.unit("early.service")["up"]
    assert allocd.snapshot()["bus"]["connected"] is True
    assert observer_pid(host) == before


def test_bus_restarted(host, allocd):
    start_unit(host, "early.service", SLEEPER)
    allocd.start(config(early=wanted("early.service"), late=wanted("late.service")))
    before = observer_pid(host)
    host.systemctl("restart", "dbus.service")
    allocd.poll(lambda: (bus := allocd.snapshot()["bus"])["connected"] and bus["reconnects"] >= 1, "reconnected")
    start_unit(host, "late.service", SLEEPER)
    allocd.poll(lambda: allocd.unit("late.service")["up"], "a unit started after the bus came back", "late.service")
    assert allocd.unit("early.service")["up"]
    assert pick(allocd.exposition(), "allocd_bus_connected") == [1]
    assert observer_pid(host) == before


def test_bus_away_shows_and_processes_stay_visible(host, allocd):
    start_unit(host, "early.service", SLEEPER)
    allocd.start(config(early=wanted("early.service")))
    try:
        host.systemctl("stop", "dbus.socket", "dbus.service")
        allocd.poll(lambda: allocd.snapshot()["bus"]["connected"] is False, "the bus is away")
        unit = allocd.next_sample()["units"][0]
        assert unit["up"] is True and len(unit["processes"]) == 1
    finally:
        host.systemctl("start", "dbus.socket", "dbus.service")
    allocd.poll(lambda: allocd.snapshot()["bus"]["connected"], "the bus is back")


# Configuration and readers ---------------------------------------------------------------------------------------


def hang_up(host) -> None:
    host.systemctl("kill", "--signal=HUP", "--kill-who=main", "allocd.service")


def test_broken_file_on_sighup_keeps_the_old_settings(host, allocd):
    start_unit(host, "early.service", SLEEPER)
    good = config(early=wanted("early.service"))
    allocd.start(good)
    before = observer_pid(host)
    allocd.configure("observe:\n  intervall: 1s\n")
    hang_up(host)
    allocd.poll(lambda: not allocd.snapshot()["config"]["last_reload_successful"], "the failed reload shows")
    assert "intervall" in allocd.snapshot()["config"]["error"]
    assert pick(allocd.exposition(), "allocd_config_last_reload_successful") == [0]
    assert allocd.next_sample()["interval"] == 1
    assert allocd.unit("early.service")["up"]
    status = host.run("allocctl", "status", user="nobody", check=False)
    assert "intervall" in status.stdout + status.stderr

    allocd.configure(config(early=wanted("early.service"), late=wanted("late.service")))
    hang_up(host)
    allocd.poll(lambda: allocd.unit("late.service"), "the mended file is in use")
    assert pick(allocd.exposition(), "allocd_config_last_reload_successful") == [1]
    assert observer_pid(host) == before


def test_reader_that_never_reads_blocks_nobody(host, allocd):
    # Enough processes that one document is larger than a socket buffer.
    start_unit(host, "crowd.service", f"[Service]\nExecStart={HOST_PROGRAMS}/forks 400\n")
    allocd.start(config(crowd=wanted("crowd.service")))
    allocd.poll(lambda: len(allocd.processes("crowd.service")) == 401, "401 processes", "crowd.service")
    with allocd.connect(), allocd.connect():
        first = allocd.next_sample()["sequence"]
        assert allocd.next_sample()["sequence"] > first
        assert allocd.http("/-/healthy")[0] == 200
        assert pick(allocd.exposition(), "allocd_unit_processes", unit="crowd.service")
    assert host.systemctl("is-active", "allocd.service").stdout == "active\n"
