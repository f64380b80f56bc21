# SPDX-License-Identifier: Apache-2.0
"""A policy in which only MALLOC_CONF or a tunable changes: no process shows that, so the setting and the times decide
what verify says, from not applied over a restart that is due to compliant."""

from __future__ import annotations

import pytest
from enforcer_on_host import SERVICE, SLEEPS, conf, policy


@pytest.fixture
def watched(enforcer, allocd, host):
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    return allocd


def reaches(allocd, state: str, reason: str) -> dict:
    def judged() -> dict | None:
        unit = allocd.unit(SERVICE)
        found = unit and unit["assessment"]
        return unit if found and (found["state"], found["reason"]) == (state, reason) else None
    return allocd.poll(judged, f"{SERVICE} is {state}", SERVICE)


def code(host, *words: str) -> int:
    return host.run("allocctl", *words, check=False).returncode


def goes_through(allocd, enforcer, host, before: dict | None, after: dict, variable: str, value: str) -> None:
    if before is not None:
        enforcer.configure(policy(**before))
        enforcer.apply()
        host.systemctl("restart", SERVICE)
    allocd.start(policy(**after))
    reaches(allocd, "not_applied", "not_configured")
    assert (code(host, "verify", SERVICE), code(host, "plan", SERVICE)) == (3, 3)
    assert enforcer.apply()["action"] == "write"
    unit = reaches(allocd, "pending_restart", "started_before")
    assert unit["pending_restart_seconds"] > 0
    assert (code(host, "verify", SERVICE), code(host, "plan", SERVICE)) == (3, 0)
    # An observer that was not there when it was applied sees it too.
    allocd.start(policy(**after))
    reaches(allocd, "pending_restart", "started_before")
    host.systemctl("restart", SERVICE)
    reaches(allocd, "compliant", "none")
    assert (code(host, "verify", SERVICE), code(host, "plan", SERVICE)) == (0, 0)
    assert enforcer.environment()[variable] == value


def test_malloc_conf_alone(watched, enforcer, host):
    goes_through(watched, enforcer, host, {}, {"malloc_conf": "background_thread:true"}, "MALLOC_CONF",
                 "background_thread:true")
    # And it is taken away again.
    watched.start(policy())
    reaches(watched, "not_applied", "not_configured")
    enforcer.apply()
    reaches(watched, "pending_restart", "started_before")
    host.systemctl("restart", SERVICE)
    reaches(watched, "compliant", "none")
    assert "MALLOC_CONF" not in enforcer.environment()


def test_a_tunable_of_glibc_alone(watched, enforcer, host):
    goes_through(watched, enforcer, host, None, {"allocator": "glibc", "glibc": {"arena_max": 2}}, "GLIBC_TUNABLES",
                 "glibc.malloc.arena_max=2")


def test_a_drop_in_that_was_lost_and_put_back_needs_no_restart(watched, enforcer, host):
    enforcer.configure(policy(malloc_conf="background_thread:true", settle="10s", restart="now"))
    enforcer.apply()
    enforcer.reaches("settled")
    enforcer.ends()
    host.remove(conf())
    enforcer.apply()
    watched.start(policy(malloc_conf="background_thread:true"))
    reaches(watched, "compliant", "none")


def test_explain_of_a_unit_without_a_policy_names_the_places(allocd, host):
    host.unit(SERVICE, SLEEPS + "Environment=LD_PRELOAD=/opt/mine.so\n")
    host.systemctl("start", SERVICE, check=False)
    allocd.start(policy(allocator="any"))
    allocd.poll(lambda: allocd.unit(SERVICE), "the unit is seen", SERVICE)
    assert not allocd.unit(SERVICE)["environment"]["known"]
    said = host.run("allocctl", "explain", SERVICE, check=False).stdout
    assert "LD_PRELOAD=/opt/mine.so" in said and f"{SERVICE}:3" in said
