# SPDX-License-Identifier: Apache-2.0
"""The fuse: a service that does not live under its drop-in gets the old start back, whoever restarted it, and is left
alone until something has changed. Each unit settles for 10 s, the shortest that can be asked for."""

from __future__ import annotations

import allocd_on_host
import pytest
from enforcer_on_host import DIES, FAULTY, LOOK_NOW, SERVICE, SLEEPS, conf, install_faulty_libraries, policy

ALWAYS = "Restart=always\nRestartSec=100ms\n"


def dying(*lines: str) -> str:
    return "[Unit]\nStartLimitIntervalSec=0\n[Service]\n" + DIES + "".join(lines)


def is_running(host, unit: str = SERVICE) -> bool:
    return host.show(unit, "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}


def check_rolled_back(enforcer, host, unit: str = SERVICE, target: str = SERVICE) -> dict:
    """It runs without the preload, nothing of ours is left, and it is latched. The manifest's record."""
    enforcer.reaches("rolled_back", unit, target)
    host.poll(lambda: is_running(host, unit), 15, f"{unit} runs again", unit, "allocd-enforcer.service")
    enforcer.ends()
    assert "LD_PRELOAD" not in enforcer.environment(unit)
    assert not enforcer.exists(conf(target))
    record = enforcer.target(target)
    assert record["rolled_back"].startswith(f"{unit}: ") and record["paths"] == []
    assert enforcer.manifest()["rolled_back_total"] == 1
    return record


@pytest.mark.parametrize("restart", ["", ALWAYS], ids=["no", "always"])
def test_restarted_by_the_enforcer(enforcer, host, restart):
    host.unit(SERVICE, dying(restart))
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="now"))
    assert enforcer.ask("apply")["restarted"] == [SERVICE]
    record = check_rolled_back(enforcer, host)
    assert any("no preload please" in line for line in record["journal"]), record
    assert any("status=3" in line for line in record["journal"]), "what systemd says of its end"
    assert enforcer.refused()[0] == "rolled_back"


@pytest.mark.parametrize("restart", ["", ALWAYS], ids=["no", "always"])
def test_restarted_by_hand(enforcer, host, restart):
    """`restart: never`: the run that the observer asks for finds it dead or dying."""
    host.unit(SERVICE, dying(restart))
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s"))
    report = enforcer.ask("apply")
    assert report["restarted"] == [] and report["pending"] == [SERVICE]
    enforcer.ends()
    assert is_running(host) and enforcer.phase() == "waiting"
    host.systemctl("restart", SERVICE, check=False)
    host.poll(lambda: not is_running(host), 10, "it dies")
    enforcer.run()
    check_rolled_back(enforcer, host)


def test_one_that_hits_its_start_limit(enforcer, host):
    host.unit(SERVICE, "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=3\n[Service]\n" + DIES
              + "Restart=always\nRestartSec=10ms\n")
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s"))
    enforcer.ask("apply")
    enforcer.ends()
    host.systemctl("restart", SERVICE, check=False)
    host.poll(lambda: host.show(SERVICE, "ActiveState")["ActiveState"] == "failed", 10, "systemd gives it up")
    enforcer.run()
    check_rolled_back(enforcer, host)


def test_one_that_never_gets_ready(enforcer, host):
    host.unit(SERVICE, "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStartSec=3\nExecStart=/bin/sh -c "
                       "'[ -n \"$LD_PRELOAD\" ] || systemd-notify --ready; exec sleep 3600'\n")
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="now"))
    enforcer.ask("apply")
    record = check_rolled_back(enforcer, host)
    assert any("timed out" in line for line in record["journal"]), record


def test_one_whose_health_url_does_not_answer(enforcer, host):
    """Up, and of no use: nobody listens there."""
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="now", health="http://127.0.0.1:9/health"))
    enforcer.ask("apply")
    assert "health" in check_rolled_back(enforcer, host)["rolled_back"]


def test_one_whose_health_url_answers(enforcer, host):
    host.write("/srv/health/health", "ok\n")
    host.unit(SERVICE, "[Service]\nExecStart=/usr/bin/python3 -m http.server 8099 --bind 127.0.0.1 "
                       "--directory /srv/health\n")
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="now", health="http://127.0.0.1:8099/health"))
    enforcer.ask("apply")
    enforcer.reaches("settled")
    assert enforcer.target()["rolled_back"] == ""


def template(condition: str) -> str:
    return ("[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c "
            f"'[ -n \"$LD_PRELOAD\" ] && case %i in {condition}) exit 3;; esac; exec sleep 3600'\n")


def test_a_template_of_which_one_instance_dies(enforcer, host):
    host.unit("many@.service", template("bad"))
    host.systemctl("start", "many@bad.service", "many@good.service")
    enforcer.configure(policy(unit="many@*.service", settle="10s"))
    enforcer.ask("apply")
    enforcer.ends()
    host.systemctl("restart", "many@bad.service", "many@good.service", check=False)
    good = host.show("many@good.service", "InvocationID")
    enforcer.run()
    check_rolled_back(enforcer, host, "many@bad.service", "many@.service")
    assert host.show("many@good.service", "InvocationID") == good, "what runs, runs on"


def test_a_template_of_which_all_instances_die_at_once(enforcer, host):
    host.unit("many@.service", template("*"))
    host.systemctl("start", "many@a.service", "many@b.service", "many@c.service")
    enforcer.configure(policy(unit="many@*.service", settle="10s"))
    enforcer.ask("apply")
    enforcer.ends()
    host.systemctl("restart", "many@a.service", "many@b.service", "many@c.service", check=False)
    host.poll(lambda: not any(is_running(host, f"many@{each}.service") for each in "abc"), 10, "all die")
    enforcer.run()
    for each in "abc":
        check_rolled_back(enforcer, host, "many@a.service", "many@.service")
        host.poll(lambda: is_running(host, f"many@{each}.service"), 10, f"{each} runs again", "allocd-enforcer.service")


def test_a_killed_enforcer_leaves_its_watch_to_the_next(enforcer, host):
    host.unit(SERVICE, "[Service]\nExecStart=/bin/sh -c 'sleep 5; [ -z \"$LD_PRELOAD\" ] || exit 3; exec sleep 3600'\n")
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", restart="now"))
    enforcer.ask("apply")
    enforcer.reaches("settling")
    host.systemctl("kill", "--signal=KILL", "allocd-enforcer.service")
    host.poll(lambda: host.show(SERVICE, "ActiveState")["ActiveState"] == "failed", 15, "it dies unwatched")
    enforcer.run()
    check_rolled_back(enforcer, host)


# The latch -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def latched(enforcer, host):
    """A service that was just rolled back, with a library of its own."""
    install_faulty_libraries(host)
    host.run("install", "-D", "-m", "755", f"{FAULTY}/libnone.so", "/opt/mine/libnone.so")
    host.unit(SERVICE, dying())
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", mode="enforce", library="/opt/mine/libnone.so"))
    assert enforcer.run() == 0
    host.systemctl("restart", SERVICE, check=False)
    enforcer.run()
    check_rolled_back(enforcer, host)
    return enforcer


def test_the_latch_holds_against_enforcement_and_apply(latched):
    latched.run()
    assert not latched.exists(conf())
    assert latched.refused()[0] == "rolled_back"
    assert latched.item(latched.ask("apply", SERVICE))["reason"] == "rolled_back"


def test_a_changed_policy_opens_the_latch(latched):
    latched.configure(policy(settle="10s", mode="enforce", restart="never"))
    latched.run()
    assert latched.exists(conf()) and latched.target()["rolled_back"] == ""


COPY = "cp /opt/mine/libnone.so /opt/mine/new && mv /opt/mine/new /opt/mine/libnone.so"
ANOTHER = "cp /opt/mine/libnone.so /opt/mine/new && echo >>/opt/mine/new && mv /opt/mine/new /opt/mine/libnone.so"


def test_a_copy_of_the_same_library_is_no_other(latched, host):
    """As a new image of the host brings it: another inode on another device, at another time."""
    host.run("sh", "-c", COPY)
    latched.run()
    assert not latched.exists(conf()) and latched.target()["rolled_back"] != ""


def test_a_replaced_library_opens_the_latch(latched, host):
    host.run("sh", "-c", ANOTHER)
    latched.run()
    assert latched.exists(conf()) and latched.target()["rolled_back"] == ""


def test_an_operator_opens_the_latch(latched):
    assert latched.item(latched.ask("apply", SERVICE, retry=True))["action"] == "write"
    assert latched.target()["rolled_back"] == ""


def test_a_library_replaced_before_the_restart_does_not_keep_the_latch_open(enforcer, host):
    """What failed is what was there when it failed; or it would be written and taken back for ever."""
    install_faulty_libraries(host)
    host.run("install", "-D", "-m", "755", f"{FAULTY}/libnone.so", "/opt/mine/libnone.so")
    host.unit(SERVICE, dying())
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s", mode="enforce", library="/opt/mine/libnone.so"))
    assert enforcer.run() == 0
    host.run("sh", "-c", ANOTHER)
    host.systemctl("restart", SERVICE, check=False)
    enforcer.run()
    check_rolled_back(enforcer, host)
    enforcer.run()
    assert not enforcer.exists(conf()) and enforcer.manifest()["applied_total"] == 1


# Restarts ------------------------------------------------------------------------------------------------------------


def test_restarts_go_one_after_the_other(enforcer, host):
    host.unit("many@.service", SLEEPS)
    host.systemctl("start", "many@a.service", "many@b.service")
    enforcer.configure(policy(unit="many@*.service", settle="10s", restart="now"))
    assert enforcer.ask("apply")["restarted"] == ["many@a.service"]
    enforcer.reaches("settled", "many@a.service", "many@.service")
    enforcer.reaches("settled", "many@b.service", "many@.service")
    a, b = (int(host.show(f"many@{each}.service", "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"])
            for each in "ab")
    assert b - a >= 10_000_000


def test_one_that_an_operator_stops_while_it_settles_holds_up_nobody(enforcer, host):
    host.unit("many@.service", SLEEPS)
    host.systemctl("start", "many@a.service", "many@b.service")
    enforcer.configure(policy(unit="many@*.service", settle="10m", restart="now"))
    enforcer.ask("apply")
    enforcer.reaches("settling", "many@a.service", "many@.service")
    host.systemctl("stop", "many@a.service")
    enforcer.reaches("settling", "many@b.service", "many@.service")
    assert enforcer.phase("many@a.service", "many@.service") == "waiting"
    host.systemctl("stop", "many@b.service")
    enforcer.ends()


def test_one_whose_file_goes_while_it_settles_is_not_waited_for(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10m", restart="now"))
    enforcer.ask("apply")
    enforcer.reaches("settling")
    host.remove(f"/etc/systemd/system/{SERVICE}")
    host.systemctl("daemon-reload")
    enforcer.ends()


def test_a_run_that_settles_takes_requests_by_the_configuration_of_now(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.unit("other.service", SLEEPS)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10m", restart="now"))
    enforcer.ask("apply")
    enforcer.reaches("settling")
    enforcer.configure(allocd_on_host.config(
        svc={"unit": SERVICE, "allocator": "jemalloc", "settle": "10m", "restart": "now"},
        other={"unit": "other.service", "allocator": "jemalloc"},
        third={"unit": "third.service", "allocator": "jemalloc", "mode": "enforce"}))
    assert enforcer.is_running()
    assert enforcer.item(enforcer.report(enforcer.post("apply", "other.service")), "other.service")["action"] == "write"
    # The observer's touch too, which systemd does not see while the service runs.
    host.unit("third.service", SLEEPS)
    host.run("mkdir", "-p", "/run/allocd")
    host.run("touch", LOOK_NOW)
    host.poll(lambda: enforcer.exists(conf("third.service")), 15, "what is enforced is enforced", "allocd-enforcer.service")
    assert enforcer.is_running() and enforcer.phase() == "settling"
    # A configuration that is refused does not end the watch.
    enforcer.configure("services: [broken\n")
    assert "configuration" in enforcer.report(enforcer.post("apply"))["error"]
    assert enforcer.is_running()
    host.systemctl("kill", "--signal=SEGV", SERVICE)
    enforcer.configure(policy(settle="10m", restart="now"))
    check_rolled_back(enforcer, host)


def test_a_broken_configuration_does_not_disarm_the_fuse(enforcer, host):
    host.unit(SERVICE, dying())
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s"))
    enforcer.ask("apply")
    enforcer.ends()
    enforcer.configure("services: [broken\n")
    host.systemctl("restart", SERVICE, check=False)
    assert enforcer.run() != 0 and enforcer.exit_code() == "78"
    check_rolled_back(enforcer, host)
