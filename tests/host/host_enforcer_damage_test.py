# SPDX-License-Identifier: Apache-2.0
"""The enforcer on a host that is not as it should be: disks that take nothing, things where the drop-in should go,
systemd that will not read, units that vanish, configuration and memory that cannot be trusted."""

from __future__ import annotations

import json
import time

import allocd_on_host
import pytest
from enforcer_on_host import (BOX, DIES, JEMALLOC, LOOK_NOW, MANIFEST, SERVICE, SLEEPS, STATE, UNITS, conf, env_file,
                              policy)

DIRECTORY = f"{UNITS}/{SERVICE}.d"


@pytest.fixture
def unit(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy())
    return enforcer


def check_failed(enforcer, *words: str) -> dict:
    """The item could not be carried out, for a reason with these words; nothing else happened."""
    reloads = enforcer.reloads()
    report = enforcer.ask("apply")
    item = enforcer.item(report)
    assert item["action"] == "write" and all(word in item["error"] for word in words), item
    assert not report["reloaded"] and enforcer.reloads() == reloads
    assert enforcer.manifest()["targets"] == {} and not enforcer.manifest()["last_run"]["success"]
    return report


# Disks ----------------------------------------------------------------------------------------------------------------


def test_a_read_only_file_system(unit, host):
    host.run("sh", "-c", f"mkdir /run/copy && cp -a {UNITS}/. /run/copy && mount -t tmpfs copy {UNITS} && "
                         f"cp -a /run/copy/. {UNITS} && mount -o remount,ro {UNITS}")
    try:
        before = unit.listing()
        check_failed(unit, "Read-only file system")
        assert unit.listing() == before
    finally:
        host.run("sh", "-c", f"umount {UNITS} && rm -r /run/copy")
    assert unit.apply()["action"] == "write"


def test_a_full_disk(unit, host):
    host.run("mkdir", DIRECTORY)
    host.run("mount", "-t", "tmpfs", "-o", "size=4k", "full", DIRECTORY)
    host.run("sh", "-c", f"cat /dev/zero >{DIRECTORY}/filler", check=False)
    try:
        check_failed(unit, "No space left")
        assert host.run("ls", "-A", DIRECTORY).stdout == "filler\n"
    finally:
        host.run("umount", DIRECTORY)
    assert unit.apply()["action"] == "write"


def test_a_disk_that_is_full_after_the_first_of_two_files(unit, host):
    """The file that nothing names yet goes again."""
    host.write("/etc/svc.env", "LD_PRELOAD=x\n")
    host.unit(SERVICE, SLEEPS + "EnvironmentFile=/etc/svc.env\n")
    host.run("mkdir", DIRECTORY)
    host.run("mount", "-t", "tmpfs", "-o", "size=8k,nr_inodes=3", "full", DIRECTORY)
    host.run("touch", f"{DIRECTORY}/filler")
    try:
        check_failed(unit, "zz-allocd.conf", "No space left")
        assert host.run("ls", "-A", DIRECTORY).stdout == "filler\n"
    finally:
        host.run("umount", DIRECTORY)
    assert unit.apply()["action"] == "write" and unit.exists(env_file())


def test_nothing_is_written_that_could_not_be_remembered(unit, host):
    """Without a record there would be no fuse."""
    host.run("sh", "-c", f"mkdir -p {STATE}; mount -t tmpfs -o size=4k,mode=755 full {STATE}; "
                         f"cat /dev/zero >{STATE}/filler", check=False)
    try:
        report = unit.ask("apply")
        assert "remembered" in unit.item(report)["error"]
        assert not unit.exists(DIRECTORY)
    finally:
        unit.ends()
        host.run("umount", STATE)
    assert unit.apply()["action"] == "write"


def test_a_revert_needs_no_room_to_remember_it(unit, host):
    unit.apply()
    unit.ends()
    host.run("sh", "-c", f"cp -a {STATE} /run/state; mount -t tmpfs -o size=8k,mode=755 full {STATE}; "
                         f"cp -a /run/state/. {STATE}; cat /dev/zero >{STATE}/filler", check=False)
    try:
        assert unit.item(unit.ask("revert", SERVICE))["error"] == ""
        assert not unit.exists(conf()) and not unit.loaded(conf())
        unit.ends()
    finally:
        host.run("umount", STATE)
    assert unit.apply()["action"] == "write"


# What is in the way ---------------------------------------------------------------------------------------------------

FOREIGN = {
    "symlink": (f"mkdir {DIRECTORY} && ln -s /opt/target {conf()}", "foreign_file"),
    "dangling_symlink": (f"mkdir {DIRECTORY} && ln -s /opt/nowhere/x {conf()}", "foreign_file"),
    "directory": (f"mkdir -p {conf()}", "foreign_file"),
    "fifo": (f"mkdir {DIRECTORY} && mkfifo {conf()}", "foreign_file"),
    "socket_device": (f"mkdir {DIRECTORY} && mknod {conf()} c 1 3", "foreign_file"),
    "file_of_another_owner": (f"mkdir {DIRECTORY} && cp /opt/ours {conf()} && chown nobody {conf()}", "foreign_file"),
    "file_not_ours": (f"mkdir {DIRECTORY} && echo '[Service]' >{conf()}", "foreign_file"),
    "unreadable": (f"mkdir {DIRECTORY} && echo x >{conf()} && chown nobody {conf()} && chmod 0 {conf()}", "foreign_file"),
}


@pytest.mark.parametrize("thing", FOREIGN)
def test_a_thing_that_is_not_ours_is_left_alone(unit, host, thing):
    host.systemctl("start", SERVICE)  # a unit that is loaded stays so: systemd itself would read a FIFO for ever
    unit.apply()
    host.run("cp", conf(), "/opt/ours")
    unit.ask("revert", SERVICE)
    script, reason = FOREIGN[thing]
    host.write("/opt/target", "outside\n")
    host.run("sh", "-c", script)
    if thing != "fifo":
        host.systemctl("daemon-reload", check=False)
    assert unit.refused()[0] == reason
    before = unit.listing()
    report = unit.ask("apply", force=True)
    assert unit.item(report)["action"] == "blocked" and unit.listing() == before
    assert host.read("/opt/target") == "outside\n"


@pytest.mark.parametrize("thing, script", [
    ("directory_is_symlink", f"mkdir -p /opt/elsewhere && ln -s /opt/elsewhere {DIRECTORY}"),
    ("directory_is_no_directory", f"echo >{DIRECTORY}"),
    ("directory_of_another_owner", f"mkdir {DIRECTORY} && chown nobody {DIRECTORY}"),
])
def test_a_directory_that_is_not_ours_is_not_entered(unit, host, thing, script):
    host.run("sh", "-c", script)
    before = unit.listing() + host.run("find", "/opt", "-name", "*allocd*").stdout.splitlines()
    check_failed(unit, thing)
    assert unit.listing() + host.run("find", "/opt", "-name", "*allocd*").stdout.splitlines() == before


# systemd --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def refuses_to_reload(host):
    """systemd wants 16 MiB free in /run for a daemon-reload."""
    host.run("mount", "-o", "remount,size=24m", "/run")
    host.run("sh", "-c", "dd if=/dev/zero of=/run/filler bs=1M count=12 2>/dev/null")

    def relent() -> None:
        host.run("rm", "-f", "/run/filler")
        host.run("mount", "-o", "remount,size=256m", "/run")

    yield relent
    relent()


def test_a_reload_that_fails_is_told_and_retried(enforcer, host, refuses_to_reload):
    host.write(f"{UNITS}/{SERVICE}", SLEEPS)
    refuses_to_reload()
    host.unit(SERVICE, SLEEPS)
    host.systemctl("start", SERVICE)
    before = host.show(SERVICE, "InvocationID")
    host.run("mount", "-o", "remount,size=24m", "/run")
    host.run("sh", "-c", "dd if=/dev/zero of=/run/filler bs=1M count=12 2>/dev/null")
    enforcer.configure(policy(restart="now", settle="10s"))
    report = enforcer.ask("apply")
    assert "Refusing to reload" in report["reload_error"] and not report["reloaded"]
    assert enforcer.exists(conf())
    # Not restarted for what systemd has not read, nor watched for it.
    assert report["restarted"] == [] and host.show(SERVICE, "InvocationID") == before
    assert enforcer.target()["units"] == {} and enforcer.manifest()["reload_needed"]
    assert not enforcer.manifest()["last_run"]["success"]
    refuses_to_reload()
    report = enforcer.ask("apply")
    assert report["reloaded"] and report["restarted"] == [SERVICE]
    assert enforcer.environment()["LD_PRELOAD"] == JEMALLOC
    assert not enforcer.manifest()["reload_needed"]


def test_a_reload_that_fails_when_nobody_asks_any_more(unit, host, refuses_to_reload):
    """The file is gone and no policy names the unit: only the manifest knows that systemd is to read again."""
    refuses_to_reload()
    unit.apply()
    unit.configure(allocd_on_host.config(other={"unit": "other.service", "allocator": "jemalloc"}))
    host.run("mount", "-o", "remount,size=24m", "/run")
    host.run("sh", "-c", "dd if=/dev/zero of=/run/filler bs=1M count=12 2>/dev/null")
    assert "Refusing" in unit.ask("revert", SERVICE)["reload_error"]
    refuses_to_reload()
    assert unit.run() == 0
    assert conf() not in host.show(SERVICE, "DropInPaths")["DropInPaths"]


def test_a_rollback_whose_reload_fails_is_finished_by_the_next_run(enforcer, host, refuses_to_reload):
    refuses_to_reload()
    host.unit(SERVICE, "[Service]\n" + DIES)
    host.systemctl("start", SERVICE)
    enforcer.configure(policy(settle="10s"))
    enforcer.ask("apply")
    enforcer.ends()
    host.systemctl("restart", SERVICE, check=False)
    host.poll(lambda: host.show(SERVICE, "ActiveState")["ActiveState"] == "failed", 10, "it dies")
    host.run("mount", "-o", "remount,size=24m", "/run")
    host.run("sh", "-c", "dd if=/dev/zero of=/run/filler bs=1M count=12 2>/dev/null")
    assert enforcer.run() != 0
    assert not enforcer.exists(conf()) and host.show(SERVICE, "ActiveState")["ActiveState"] == "failed"
    refuses_to_reload()
    assert enforcer.run() == 0
    assert host.show(SERVICE, "ActiveState")["ActiveState"] == "active"
    assert "LD_PRELOAD" not in enforcer.environment()
    assert enforcer.target()["paths"] == [] and enforcer.manifest()["rolled_back_total"] == 1


def test_a_unit_that_goes_between_two_runs(unit, host):
    unit.apply()
    host.remove(f"{UNITS}/{SERVICE}")
    host.systemctl("daemon-reload")
    report = unit.ask("apply", SERVICE)
    assert unit.item(report)["reason"] == "unit_not_found" and unit.exists(conf())
    report = unit.ask("revert", SERVICE)
    assert unit.item(report)["action"] == "remove" and unit.item(report)["error"] == ""
    assert not unit.exists(DIRECTORY) and unit.manifest()["targets"] == {}


def test_a_unit_that_nobody_knows(unit):
    assert "no service of the configuration selects it" in unit.ask("apply", "nobody.service")["error"]
    assert "has written nothing" in unit.ask("revert", "nobody.service")["error"]


# Requests -------------------------------------------------------------------------------------------------------------


def test_requests_at_once_are_all_answered(unit, host):
    numbers = [unit.post("apply", SERVICE), unit.post("revert", SERVICE), unit.post("apply", SERVICE)]
    host.run("sh", "-c", f"echo '{{' >{BOX}/requests/{'e' * 32}.json; echo x >{BOX}/requests/not-an-id.json; "
                         f"mkfifo {BOX}/requests/{'d' * 32}.json")
    actions = [unit.item(unit.report(number))["action"] for number in numbers]
    assert actions == ["write", "remove", "write"]
    assert "request" in unit.report("e" * 32)["error"]
    unit.ends()
    assert unit.exists(conf())
    assert host.run("ls", f"{BOX}/requests").stdout.split() == [f"{'d' * 32}.json", "not-an-id.json"]


def test_a_request_of_somebody_else_is_not_read(unit, host):
    number = unit.post("apply", SERVICE)
    host.run("chown", "nobody", f"{BOX}/requests/{number}.json")
    assert unit.run() == 0
    assert not unit.exists(conf()) and not unit.exists(f"{BOX}/reports/{number}.json")


def test_reports_that_nobody_collects_go_after_a_day(unit, host):
    old, new = unit.post("apply"), unit.post("apply")
    unit.report(old), unit.report(new)
    unit.ends()
    host.run("touch", "-d", "-25 hours", f"{BOX}/reports/{old}.json")
    unit.run()
    assert host.run("ls", f"{BOX}/reports").stdout == f"{new}.json\n"


# Reverting ------------------------------------------------------------------------------------------------------------


def test_a_file_edited_by_hand_is_left_alone(unit, host):
    unit.apply()
    host.run("sh", "-c", f"echo Nice=1 >>{conf()}")
    host.systemctl("daemon-reload")
    assert unit.refused()[0] == "tampered"
    report = unit.ask("revert", SERVICE)
    assert (unit.item(report)["action"], unit.item(report)["reason"]) == ("blocked", "tampered")
    assert "Nice=1" in host.read(conf())
    assert unit.item(unit.ask("apply", force=True))["action"] == "write"
    assert "Nice=1" not in host.read(conf())
    host.run("sh", "-c", f"echo Nice=1 >>{conf()}")
    assert unit.item(unit.ask("revert", SERVICE, force=True))["action"] == "remove"
    assert not unit.exists(DIRECTORY)


def test_a_directory_that_was_there_stays(unit, host):
    host.run("sh", "-c", f"mkdir -m 750 {DIRECTORY}; echo '# mine' >{DIRECTORY}/mine.conf")
    before = unit.listing()
    unit.apply()
    unit.ask("revert", SERVICE)
    assert unit.listing() == before


@pytest.mark.parametrize("remembered", [True, False])
def test_what_was_reverted_by_hand_is_not_put_back(enforcer, host, remembered):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(mode="enforce"))
    assert enforcer.run() == 0 and enforcer.exists(conf())
    if not remembered:
        host.remove(MANIFEST)
    assert enforcer.item(enforcer.ask("revert", SERVICE))["reason"] == "to_revert"
    enforcer.ends()
    assert enforcer.run() == 0
    assert not enforcer.exists(conf())
    assert enforcer.item(enforcer.ask("apply"))["reason"] == "reverted_by_hand"
    assert enforcer.item(enforcer.ask("apply", SERVICE))["action"] == "write"


def test_what_was_enforced_goes_with_its_policy(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(mode="enforce"))
    enforcer.ask("apply", SERVICE)  # by hand, of what is enforced anyway
    enforcer.configure(allocd_on_host.config(other={"unit": "other.service", "allocator": "jemalloc"}))
    assert enforcer.run() == 0
    assert not enforcer.exists(DIRECTORY) and enforcer.manifest()["targets"] == {}


# Trust ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [
    f"chmod g+w {allocd_on_host.CONFIG}", f"chown nobody {allocd_on_host.CONFIG}", "chmod o+w /etc/allocd",
    "mkdir -p /etc/allocd/conf.d && chown nobody /etc/allocd/conf.d",
])
def test_a_configuration_that_others_can_write_is_refused(enforcer, host, script):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(mode="enforce"))
    host.run("sh", "-c", script)
    before = enforcer.listing()
    try:
        number = enforcer.post("apply")
        assert enforcer.run() != 0 and enforcer.exit_code() == "78"
        assert "mend it with" in enforcer.report(number)["error"]
        assert enforcer.listing() == before
    finally:
        host.run("sh", "-c", "rm -rf /etc/allocd/conf.d; chmod 755 /etc/allocd")


def test_a_configuration_that_is_gone_undoes_nothing(enforcer, host):
    """Not mounted yet, or half a deployment: that is no wish to have every drop-in taken away."""
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(mode="enforce"))
    assert enforcer.run() == 0 and enforcer.exists(conf())
    before, reloads = enforcer.listing(), enforcer.reloads()
    host.remove(allocd_on_host.CONFIG)
    assert enforcer.run() != 0 and enforcer.exit_code() == "78"
    assert (enforcer.listing(), enforcer.reloads()) == (before, reloads)
    assert "revert --all" in host.journal("allocd-enforcer.service", "-n", "20")
    enforcer.configure(policy(mode="enforce"))
    assert enforcer.run() == 0
    assert (enforcer.listing(), enforcer.reloads()) == (before, reloads)


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 99}', "\x00\xff", '{"schema_version": 1, "targets": []}'])
def test_a_manifest_that_cannot_be_understood_is_put_aside(unit, host, text):
    host.write(MANIFEST, text)
    unit.apply()
    aside = host.run("sh", "-c", f"cat {MANIFEST}.bad-*").stdout
    assert aside == text and unit.manifest()["applied_total"] == 1


def test_work_that_is_undone_over_and_over_is_given_up(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(mode="enforce"))
    assert enforcer.run() == 0
    memory = enforcer.manifest()
    assert len(memory["automatic_runs"]) == 1
    host.write(MANIFEST, json.dumps(memory | {"automatic_runs": [time.time() - 500] * 60}))
    host.remove(conf())
    assert enforcer.run() != 0 and not enforcer.exists(conf())
    assert "something undoes" in host.journal("allocd-enforcer.service", "-n", "20")
    # What is asked for by hand is done.
    assert enforcer.item(enforcer.ask("apply", SERVICE))["action"] == "write"
    host.write(MANIFEST, json.dumps(memory | {"automatic_runs": [time.time() - 700] * 60}))
    host.remove(conf())
    assert enforcer.run() == 0 and enforcer.exists(conf())


def test_the_touch_of_the_observer_starts_it(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(mode="enforce"))
    host.run("mkdir", "-p", "/run/allocd")
    host.systemctl("start", "allocd-enforcer.path")
    try:
        host.run("touch", LOOK_NOW)
        host.poll(lambda: enforcer.exists(conf()), 10, "it writes", "allocd-enforcer.service", "allocd-enforcer.path")
    finally:
        host.systemctl("stop", "allocd-enforcer.path")
