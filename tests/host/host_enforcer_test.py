# SPDX-License-Identifier: Apache-2.0
"""The enforcer against a real systemd: what it writes by itself, what an operator has it do, and the fuse, in short.
The forms, failures and dangers have files of their own (host_enforcer_*_test.py)."""

from __future__ import annotations

import allocd_on_host
from enforcer_on_host import JEMALLOC as LIBRARY
from enforcer_on_host import SERVICE, SLEEPS, conf, policy

CONF = conf()


def test_it_writes_loads_and_does_not_restart(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    before = host.show(SERVICE, "MainPID", "InvocationID")
    enforcer.configure(policy(malloc_conf="background_thread:true"))
    report = enforcer.ask("apply")
    assert report["error"] == ""
    assert enforcer.item(report)["action"] == "write"
    assert report["reloaded"] and report["restarted"] == [] and report["pending"] == [SERVICE]
    assert host.show(SERVICE, "MainPID", "InvocationID") == before
    shown = host.show(SERVICE, "DropInPaths", "Environment", "NeedDaemonReload")
    assert CONF in shown["DropInPaths"] and LIBRARY in shown["Environment"]
    assert shown["NeedDaemonReload"] == "no"
    host.systemctl("restart", SERVICE)
    assert enforcer.environment()["LD_PRELOAD"] == LIBRARY
    assert enforcer.environment()["MALLOC_CONF"] == "background_thread:true"
    again = enforcer.ask("apply")
    assert again["items"] == [] and not again["reloaded"]


def test_observe_is_the_default_and_writes_nothing_by_itself(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy())
    assert enforcer.run() == 0
    assert host.run("ls", CONF, check=False).returncode != 0
    enforcer.configure(policy(mode="enforce"))
    assert enforcer.run() == 0
    assert LIBRARY in host.read(CONF)


def test_what_the_last_plan_came_to_is_kept(enforcer, host):
    """Also where nothing is enforced: of the last time that an operator applied all."""
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy())
    enforcer.apply()
    enforcer.ends()
    plan = enforcer.manifest()["last_plan"]
    assert (plan["changes"], plan["blocked"]) == (1, 0) and plan["at"] > 0
    host.unit(SERVICE, SLEEPS + "UnsetEnvironment=LD_PRELOAD\n")
    enforcer.refused()
    enforcer.ends()
    plan = enforcer.manifest()["last_plan"]
    assert (plan["changes"], plan["blocked"]) == (0, 1)


def test_revert_leaves_nothing_behind(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    tree = host.run("find", "/etc/systemd/system", "-ls").stdout
    listing = sorted(line.split()[-1] for line in tree.splitlines())
    enforcer.configure(policy())
    enforcer.ask("apply")
    report = enforcer.ask("revert", SERVICE)
    assert enforcer.item(report)["action"] == "remove"
    after = host.run("find", "/etc/systemd/system", "-ls").stdout
    assert sorted(line.split()[-1] for line in after.splitlines()) == listing
    assert LIBRARY not in host.show(SERVICE, "Environment")["Environment"]


def test_the_fuse_brings_back_a_service_that_dies_under_the_preload(enforcer, host):
    """It lives without LD_PRELOAD and dies with it; somebody else restarts it."""
    host.unit(SERVICE, '[Service]\nExecStart=/bin/sh -c \'if [ -n "$LD_PRELOAD" ]; then echo no preload please >&2; '
                       "exit 3; fi; exec sleep 3600'\n")
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s"))
    enforcer.ask("apply")
    assert enforcer.phase() == "waiting"
    host.systemctl("restart", SERVICE, check=False)
    host.poll(lambda: host.show(SERVICE, "ActiveState")["ActiveState"] == "failed", 10, "the service dies")
    assert enforcer.run() == 0
    assert host.show(SERVICE, "ActiveState")["ActiveState"] == "active"
    assert host.run("ls", CONF, check=False).returncode != 0
    target = enforcer.manifest()["targets"][SERVICE]
    assert "failed" in target["rolled_back"]
    assert any("no preload please" in line for line in target["journal"])
    blocked = enforcer.item(enforcer.ask("apply"))
    assert (blocked["action"], blocked["reason"]) == ("blocked", "rolled_back")
    retried = enforcer.item(enforcer.ask("apply", SERVICE, retry=True))
    assert retried["action"] == "write"


def test_the_fuse_ends_a_crash_loop(enforcer, host):
    host.unit(SERVICE, "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\nRestartSec=100ms\n"
                       'ExecStart=/bin/sh -c \'[ -z "$LD_PRELOAD" ] || exit 3; exec sleep 3600\'\n')
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="now"))
    report = enforcer.ask("apply")
    assert report["restarted"] == [SERVICE]
    enforcer.reaches("rolled_back")
    host.poll(lambda: host.show(SERVICE, "SubState")["SubState"] == "running", 10, "it runs again")
    assert "LD_PRELOAD" not in enforcer.environment()


def test_a_restart_that_lives_settles(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="now"))
    report = enforcer.ask("apply")
    assert report["restarted"] == [SERVICE]
    enforcer.reaches("settled")
    assert enforcer.environment()["LD_PRELOAD"] == LIBRARY


def test_tcmalloc_is_applied_as_jemalloc_is(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(allocator="tcmalloc"))
    enforcer.apply()
    library = enforcer.started()["LD_PRELOAD"]
    assert library.endswith("/libtcmalloc_minimal.so.4")
    pid = host.show(SERVICE, "MainPID")["MainPID"]
    assert "libtcmalloc_minimal.so.4" in host.read(f"/proc/{pid}/maps")


def reloads(host) -> int:
    """How often systemd has read its files again, by its own words: "Reloading." (before version 253), "Reloading..."."""
    said = host.run("journalctl", "--no-pager", "-o", "cat", "_PID=1").stdout.splitlines()
    return sum(line in ("Reloading.", "Reloading...") for line in said)


def test_one_reload_for_many_units(enforcer, host):
    units = [f"of-many-{each}.service" for each in "abc"]
    for unit in units:
        host.unit(unit, SLEEPS)
    host.systemctl("start", *units)
    before = reloads(host)
    host.systemctl("daemon-reload")
    host.poll(lambda: reloads(host) == before + 1, 10, "one reload is one line")
    enforcer.configure(allocd_on_host.config(**{unit[:9]: {"unit": unit, "allocator": "jemalloc"} for unit in units}))
    report = enforcer.ask("apply")
    assert sorted(item["target"] for item in report["items"]) == units and report["reloaded"]
    enforcer.ends()
    assert all(enforcer.loaded(conf(unit), unit) for unit in units)
    host.run("journalctl", "--sync", check=False)
    assert reloads(host) == before + 2
