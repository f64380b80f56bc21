# SPDX-License-Identifier: Apache-2.0
"""What the enforcer must not do to a service: restart it without need, start it against an operator, leave it down."""

from __future__ import annotations

import pytest
from enforcer_on_host import SERVICE, SLEEPS, conf, policy

MANY = "many@.service"
# Ends with an exit status of 1 when it is asked to stop, as many servers do.
UNGRACEFUL = "[Service]\nExecStart=/bin/sh -c 'trap \"exit 1\" TERM; while :; do sleep 0.1; done'\n"
STUBBORN = "[Service]\nTimeoutStopSec=200ms\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'\n"
# Under the preload instance a lives for 2 s and b for 8 s.
TWO_DEATHS = """[Service]
ExecStart=/bin/sh -c '[ -z "$LD_PRELOAD" ] || case %i in a) sleep 2; exit 3;; b) sleep 8; exit 3;; esac; exec sleep 3600'
"""


def invocation(host, unit: str = SERVICE) -> str:
    return host.show(unit, "InvocationID")["InvocationID"]


def state(host, unit: str = SERVICE) -> str:
    return host.show(unit, "ActiveState")["ActiveState"]


def test_an_instance_that_started_under_the_drop_in_is_not_restarted(enforcer, host):
    host.unit(MANY, SLEEPS)
    host.systemctl("start", "many@a.service")
    enforcer.configure(policy(unit="many@*.service", settle="10s", restart="now", mode="enforce"))
    assert enforcer.run() == 0
    host.systemctl("start", "many@b.service")
    before = invocation(host, "many@b.service")
    assert "LD_PRELOAD" in enforcer.environment("many@b.service")
    assert enforcer.run() == 0
    assert enforcer.phase("many@b.service", MANY) == "settled"
    assert invocation(host, "many@b.service") == before
    assert enforcer.manifest()["restarts_total"] == 1


def test_the_same_text_put_back_restarts_nothing(enforcer, host):
    """As when a configuration manager clears what it does not know."""
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="now", mode="enforce"))
    assert enforcer.run() == 0 and enforcer.phase() == "settled"
    before = invocation(host)
    host.remove(conf())
    assert enforcer.run() == 0 and enforcer.exists(conf())
    host.run("rm", conf())
    host.systemctl("daemon-reload")
    assert enforcer.run() == 0 and enforcer.exists(conf()) and enforcer.loaded(conf())
    assert invocation(host) == before and enforcer.manifest()["restarts_total"] == 1
    # Another text is another matter.
    enforcer.configure(policy(settle="10s", restart="now", mode="enforce", malloc_conf="narenas:2"))
    assert enforcer.run() == 0
    assert invocation(host) != before and enforcer.manifest()["restarts_total"] == 2


@pytest.mark.parametrize("text", [SLEEPS, UNGRACEFUL, STUBBORN], ids=["clean", "exits_1", "killed"])
def test_what_an_operator_stops_while_it_settles_stays_stopped(enforcer, host, text):
    host.unit(SERVICE, text)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10m"))
    enforcer.ask("apply")
    enforcer.ends()
    host.systemctl("restart", SERVICE, check=False)
    host.systemctl("start", "--no-block", "allocd-enforcer.service")
    enforcer.reaches("settling")
    host.systemctl("stop", SERVICE, check=False)
    enforcer.reaches("waiting")
    enforcer.ends()
    assert state(host) in ("inactive", "failed")
    assert enforcer.target()["rolled_back"] == "" and enforcer.exists(conf())


def test_one_that_dies_after_another_had_the_drop_in_taken_back_is_started_too(enforcer, host):
    host.unit(MANY, TWO_DEATHS)
    host.systemctl("start", "many@a.service", "many@b.service")
    enforcer.configure(policy(unit="many@*.service", settle="20s"))
    enforcer.ask("apply")
    enforcer.ends()
    host.systemctl("restart", "many@a.service", "many@b.service")
    under = invocation(host, "many@b.service")
    enforcer.run()
    for unit in ("many@a.service", "many@b.service"):
        host.poll(lambda unit=unit: state(host, unit) == "active", 15, f"{unit} runs again", unit)
        assert "LD_PRELOAD" not in enforcer.environment(unit)
    assert invocation(host, "many@b.service") != under
    assert enforcer.manifest()["rolled_back_total"] == 1


def test_a_running_unit_is_not_restarted_outside_its_window_to_be_rid_of_a_drop_in(enforcer, host):
    """Its health URL does not answer, and it is shut out of its window by then."""
    from host_enforcer_window_test import SHUT
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="window", window=[SHUT], health="http://127.0.0.1:9/health"))
    enforcer.ask("apply")
    enforcer.ends()
    host.systemctl("restart", SERVICE)
    under = invocation(host)
    enforcer.run()
    assert enforcer.phase() == "rolled_back" and not enforcer.exists(conf())
    assert invocation(host) == under
    assert enforcer.target()["units"][SERVICE]["is_owed"] is True
