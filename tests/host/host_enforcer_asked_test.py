# SPDX-License-Identifier: Apache-2.0
"""The observer and the enforcer together: what has the enforcer look again, and what is told of it only once."""

from __future__ import annotations

import json
import time

import pytest
from enforcer_on_host import DIES, FAULTY, JEMALLOC, SERVICE, SLEEPS, conf, install_faulty_libraries, policy

PATH = "allocd-enforcer.path"


def blocked_entries(host) -> list[dict]:
    return [entry for entry in host.journal_entries("allocd-enforcer.service")
            if entry.get("ALLOCD_UNIT") == SERVICE and "cannot be applied" in entry["MESSAGE"]]


def reasons_told(host, since: int) -> list[str]:
    return [entry["ALLOCD_REASON"] for entry in blocked_entries(host)[since:]]


@pytest.fixture
def watched(enforcer, allocd, host):
    """Starts the observer with a configuration, and has it ask; returns when the enforcer has looked once."""
    def start(text: str):
        enforcer.configure(text)
        host.systemctl("start", PATH)
        allocd.start(text)
        looks_again(enforcer, 0)
        return allocd
    yield start
    host.systemctl("stop", PATH)


def last_look(enforcer) -> float:
    return enforcer.manifest()["last_run"]["at"] if enforcer.exists("/var/lib/allocd-enforcer/manifest.json") else 0


def looks_again(enforcer, after: float) -> float:
    enforcer.host.poll(lambda: last_look(enforcer) > after, 60, "the enforcer looks", PATH, "allocd-enforcer.service",
                       "allocd.service")
    return last_look(enforcer)


def test_what_is_blocked_is_told_once_for_each_reason(enforcer, host):
    host.unit(SERVICE, SLEEPS + "UnsetEnvironment=LD_PRELOAD\n")
    enforcer.configure(policy(mode="enforce"))
    before = len(blocked_entries(host))
    for _ in range(3):
        assert enforcer.run() == 0
    assert reasons_told(host, before) == ["unset_by_unit"]
    assert enforcer.manifest()["last_run"]["blocked"] == 1
    # An operator is told by the report, and the journal knows it already.
    assert enforcer.item(enforcer.ask("apply", SERVICE))["reason"] == "unset_by_unit"
    enforcer.ends()
    assert reasons_told(host, before) == ["unset_by_unit"]
    enforcer.configure(policy(mode="enforce", library="/opt/absent.so"))
    assert enforcer.run() == 0 and enforcer.run() == 0
    assert reasons_told(host, before) == ["unset_by_unit", "library_not_found"]
    # Mended, and broken again as it was at first.
    enforcer.configure(policy(mode="enforce"))
    host.unit(SERVICE, SLEEPS)
    assert enforcer.run() == 0 and enforcer.exists(conf())
    host.unit(SERVICE, SLEEPS + "UnsetEnvironment=LD_PRELOAD\n")
    assert enforcer.run() == 0
    assert reasons_told(host, before) == ["unset_by_unit", "library_not_found", "unset_by_unit"]


def test_drift_that_cannot_be_mended_is_looked_at_again_and_told_once(watched, enforcer, host):
    host.unit(SERVICE, SLEEPS + "UnsetEnvironment=LD_PRELOAD\n")
    host.systemctl("start", SERVICE)
    before = len(blocked_entries(host))
    watched(policy(mode="enforce"))
    looks_again(enforcer, last_look(enforcer))
    assert reasons_told(host, before) == ["unset_by_unit"]
    # What stands in the way goes: systemd says nothing of it before a reload, which the change of the file brings on.
    host.write(f"/etc/systemd/system/{SERVICE}", SLEEPS)
    host.systemctl("daemon-reload")
    host.poll(lambda: enforcer.exists(conf()), 60, "the drop-in is written", PATH, "allocd-enforcer.service")
    assert reasons_told(host, before) == ["unset_by_unit"]


def test_a_replaced_library_alone_has_what_was_taken_back_tried_again(watched, enforcer, host):
    install_faulty_libraries(host)
    host.run("install", "-D", "-m", "755", f"{FAULTY}/libnone.so", "/opt/mine/libnone.so")
    host.unit(SERVICE, "[Unit]\nStartLimitIntervalSec=0\n[Service]\n" + DIES)
    host.systemctl("start", SERVICE)
    text = policy(settle="10s", mode="enforce", library="/opt/mine/libnone.so")
    enforcer.configure(text)
    assert enforcer.run() == 0
    host.systemctl("restart", SERVICE, check=False)
    enforcer.run()
    enforcer.reaches("rolled_back")
    enforcer.ends()
    agent = watched(text)
    agent.poll(lambda: agent.unit(SERVICE)["assessment"]["state"] == "rolled_back", "it is shown", SERVICE)
    agent.next_sample()
    enforcer.ends()
    looked = last_look(enforcer)
    assert not enforcer.exists(conf()) and enforcer.target()["rolled_back"] != ""
    # As the upgrade of a package does it.
    host.run("sh", "-c", "cd /opt/mine; cp libnone.so new; echo >>new; mv new libnone.so")
    host.poll(lambda: enforcer.exists(conf()), 90, "it is tried again", PATH, "allocd-enforcer.service",
              "allocd.service")
    looks_again(enforcer, looked)
    assert enforcer.target()["rolled_back"] == ""


def test_a_deleted_drop_in_is_put_back_long_before_the_next_sample(watched, enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    slow = json.dumps(json.loads(policy(mode="enforce")) | {"observe": {"interval": "10m", "recheck_interval": "10m"}})
    agent = watched(slow)
    host.poll(lambda: enforcer.exists(conf()) and enforcer.loaded(conf()), 60, "it is written", "allocd-enforcer.service")
    enforcer.ends()
    agent.poll(lambda: agent.unit(SERVICE)["drop_in"]["state"] == "intact", "the observer has seen it", SERVICE)
    before, invocation = host.read(conf()), host.show(SERVICE, "InvocationID")
    host.remove(conf())
    host.poll(lambda: enforcer.exists(conf()) and host.read(conf()) == before, 60, "it is back", PATH,
              "allocd-enforcer.service", "allocd.service")
    agent.poll(lambda: agent.unit(SERVICE)["drop_in"]["state"] == "intact", "the observer shows it", SERVICE)
    assert agent.snapshot()["interval"] == 600
    assert host.show(SERVICE, "InvocationID") == invocation


def state_events(host) -> list[tuple[str, str, str]]:
    return [(entry["ALLOCD_BEFORE"], entry["ALLOCD_STATE"], entry["ALLOCD_REASON"])
            for entry in host.journal_entries("allocd.service")
            if entry.get("ALLOCD_UNIT") == SERVICE and "ALLOCD_BEFORE" in entry]


def test_a_window_that_opens_has_the_observer_ask_for_the_restart(watched, enforcer, host):
    """And every step on the way is an event in the journal."""
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    before, told = host.show(SERVICE, "InvocationID"), len(state_events(host))
    opens = time.time() + 45
    begin, end = (time.strftime("%H:%M:%S", time.gmtime(at)) for at in (opens, opens + 6 * 3600))
    agent = watched(policy(mode="enforce", restart="window", window=[f"{begin}..{end} UTC"], settle="10s"))
    agent.poll(lambda: agent.unit(SERVICE)["assessment"]["state"] == "pending_restart", "it waits", SERVICE)
    assert host.show(SERVICE, "InvocationID") == before
    host.poll(lambda: host.show(SERVICE, "InvocationID") != before, 120, "the window opens", PATH, SERVICE,
              "allocd-enforcer.service", "allocd.service")
    assert time.time() >= opens - 1
    enforcer.reaches("settled")
    agent.poll(lambda: agent.unit(SERVICE)["assessment"]["state"] == "compliant", "it is in order", SERVICE)
    assert enforcer.environment()["LD_PRELOAD"] == JEMALLOC
    events = state_events(host)[told:]
    assert events[-2:] == [("not_applied", "pending_restart", "started_before"), ("pending_restart", "compliant", "none")]
