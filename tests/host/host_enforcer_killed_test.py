# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every step of the first write and of a rollback."""

from __future__ import annotations

import allocd_on_host
from enforcer_on_host import BOX, DIES, PROGRAM, SERVICE, conf, policy
from killed_at_every_step import DIRECTORY, REQUEST, check_every_step, keep, put_back, run_until, steps_of


def test_of_the_first_write(enforcer, host):
    nothing = allocd_on_host.config(other={"unit": "other.service", "allocator": "jemalloc"})
    check_every_step(enforcer, host, nothing, policy(malloc_conf="narenas:2"), "apply")


def test_of_a_rollback(enforcer, host):
    host.unit(SERVICE, "[Service]\n" + DIES)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s"))
    enforcer.ask("apply")
    enforcer.ends()
    host.systemctl("restart", SERVICE, check=False)
    keep(host)

    def die() -> None:
        put_back(host, "")
        host.remove(f"{BOX}/requests/{REQUEST}.json")
        host.systemctl("restart", SERVICE, check=False)
        host.poll(lambda: host.show(SERVICE, "ActiveState")["ActiveState"] == "failed", 10, "it dies", every=0.02)

    die()
    steps = steps_of(host)
    writes = next(index for index, (name, _) in enumerate(steps) if name == "write")
    for step in steps[writes:]:
        die()
        assert run_until(host, step), f"not killed at {step}"
        host.run(PROGRAM, timeout=60)
        shown = host.show(SERVICE, "ActiveState", "DropInPaths")
        record = enforcer.target()
        assert conf() not in shown["DropInPaths"] and not enforcer.exists(DIRECTORY), step
        assert shown["ActiveState"] in ("active", "activating"), step
        assert record["rolled_back"] and record["paths"] == [], step
