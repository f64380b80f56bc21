# SPDX-License-Identifier: Apache-2.0
"""The observer and what an enforced policy leaves on disk: drop-ins that come, go and are edited, environment files
that win, the file it touches to have the enforcer look. The enforcer itself takes no part here."""

import hashlib
import json

import pytest
import standin_service
from allocd_on_host import HOST_PROGRAMS, config, pick

UNIT = "engine.service"
DROP_IN = f"/etc/systemd/system/{UNIT}.d/zz-allocd.conf"
LOOK_NOW = "/run/allocd/look-now"
PROGRAM = f"[Service]\nExecStart={HOST_PROGRAMS}/allocates\n"
TAMPERED = "36a1bc8037714f38b338bf869d30de7c"


def owned(*lines: str) -> str:
    """What the enforcer would write."""
    head = (f"# Written by allocd 1 for {UNIT}. Do not edit: allocd leaves an edited file alone and reports it as "
            f"tampered.\n# Policy: jemalloc\n# Undo: allocctl revert {UNIT}\n")
    body = "".join(f"{line}\n" for line in ("[Service]", *lines))
    return f"{head}# Checksum: sha256:{hashlib.sha256((head + body).encode()).hexdigest()}\n{body}"


PRELOAD = owned("Environment=LD_PRELOAD=libjemalloc.so.2")


def enforcing(mode: str = "enforce", interval: str = "1s") -> str:
    return config(interval, engine={"unit": UNIT, "allocator": "jemalloc", "mode": mode})


@pytest.fixture
def engine(host, allocd):
    """A unit without any preload; allocd-enforcer.path is not started, so nothing is put back."""
    host.unit(UNIT, PROGRAM)
    host.systemctl("start", UNIT)
    yield host
    host.remove(DROP_IN)


def state(allocd):
    unit = allocd.unit(UNIT)
    return unit["drop_in"]["state"], unit["assessment"]["state"], unit["assessment"]["reason"]


def test_drop_in_is_followed_from_written_to_edited_to_deleted(engine, allocd):
    """With samples ten minutes apart, the longest there is, so that what shows was noticed by an event."""
    host = engine
    allocd.start(enforcing("observe", "10m"))
    allocd.poll(lambda: state(allocd) == ("absent", "not_applied", "not_configured"), "nothing applied", UNIT)

    def shows(expected, what):
        allocd.poll(lambda: state(allocd) == expected, what, UNIT)

    host.write(DROP_IN, PRELOAD)
    shows(("intact", "not_applied", "not_loaded"), "the drop-in was noticed")
    host.systemctl("daemon-reload")
    shows(("intact", "pending_restart", "started_before"), "a restart is due")
    assert pick(allocd.exposition(), "allocd_unit_pending_restart_seconds", unit=UNIT)[0] > 0
    host.systemctl("restart", UNIT)
    shows(("intact", "compliant", "none"), "compliant")
    assert pick(allocd.exposition(), "allocd_unit_drop_in_intact", unit=UNIT) == [1]
    assert pick(allocd.exposition(), "allocd_unit_pending_restart_seconds", unit=UNIT) == [0]

    host.write(DROP_IN, PRELOAD + "# a hand was here\n")
    shows(("tampered", "compliant", "none"), "the edit was noticed")
    assert "edited by hand" in allocd.unit(UNIT)["assessment"]["chain"][1]["evidence"]
    host.remove(DROP_IN)
    shows(("absent", "not_applied", "not_configured"), "the deletion was noticed")
    assert pick(allocd.exposition(), "allocd_unit_drop_in_state", unit=UNIT, state="absent") == [1]
    logged = host.run("journalctl", "-o", "json", f"MESSAGE_ID={TAMPERED}", "-u", "allocd.service").stdout.splitlines()
    assert [json.loads(line)["ALLOCD_PATH"] for line in logged] == [DROP_IN]


def test_environment_file_that_wins_is_named_with_its_line(engine, allocd):
    host = engine
    host.unit(UNIT, f"{PROGRAM}Environment=LD_PRELOAD=libjemalloc.so.2\nEnvironmentFile=-/etc/default/engine\n"
                    "EnvironmentFile=-/etc/secret.env\n")
    host.write("/etc/default/engine", "HF_TOKEN=geheim\nLD_PRELOAD=libtcmalloc_minimal.so.4\n")
    host.write("/etc/secret.env", "API_KEY=geheim\n")
    host.run("chmod", "0600", "/etc/secret.env")
    host.systemctl("restart", UNIT)
    allocd.start(enforcing("observe"))
    allocd.poll(lambda: state(allocd)[1:] == ("not_applied", "not_configured"), "another's preload", UNIT)
    unit = allocd.unit(UNIT)
    assert "set by /etc/default/engine:2" in unit["assessment"]["chain"][1]["evidence"]
    variable, = unit["environment"]["variables"]
    assert variable["value"] == "libtcmalloc_minimal.so.4"
    assert [(each["path"], each["line"], each["wins"]) for each in variable["contributions"]] == [
        (f"/etc/systemd/system/{UNIT}", 3, False), ("/etc/default/engine", 2, True)]
    assert any("/etc/secret.env" in doubt for doubt in unit["environment"]["doubts"])
    assert "geheim" not in json.dumps(allocd.snapshot())
    host.write("/etc/default/engine", "")
    host.systemctl("restart", UNIT)
    allocd.poll(lambda: state(allocd)[1:] == ("compliant", "none"), "the file says nothing any more", UNIT)


def test_enforcer_is_asked_to_look_only_while_there_is_a_reason(engine, allocd):
    host = engine

    def touched():
        return host.run("stat", "-c", "%s %Y", LOOK_NOW, check=False).stdout.split()

    allocd.start(enforcing("observe"))
    allocd.next_sample()
    assert touched() == []
    allocd.start(enforcing())
    first = allocd.poll(touched, "the enforcer was asked", UNIT)
    assert first[0] == "0"
    allocd.poll(lambda: touched()[1] != first[1], "and asked again, for nothing has changed", UNIT)
    assert pick(allocd.exposition(), "allocd_unit_enforcement_mode", unit=UNIT, mode="enforce") == [1]
    assert pick(allocd.exposition(), "allocd_collector_success", collector="enforcement") == [1]


def test_manifest_shows_and_a_broken_one_is_an_error(engine, allocd):
    host = engine
    allocd.start(enforcing("observe"))
    allocd.next_sample()
    assert pick(allocd.exposition(), "allocd_enforcer_applied_total") == [0]
    try:
        host.write("/var/lib/allocd-enforcer/manifest.json", "{")
        allocd.poll(lambda: pick(allocd.exposition(), "allocd_collector_success", collector="enforcement") == [0],
                    "the broken manifest shows")
        assert pick(allocd.exposition(), "allocd_enforcer_applied_total") == []
        assert allocd.unit(UNIT)["up"]
    finally:
        host.remove("/var/lib/allocd-enforcer/manifest.json")
    allocd.poll(lambda: pick(allocd.exposition(), "allocd_collector_success", collector="enforcement") == [1],
                "and is forgotten")


def test_script_that_sets_the_preload_anew_is_told_from_a_program_that_does(engine, allocd):
    host = engine
    script = "/opt/wrapper"
    host.write(script, f"#!/bin/sh\nexport LD_PRELOAD=libtcmalloc_minimal.so.4\nexec {HOST_PROGRAMS}/allocates\n")
    host.run("chmod", "0755", script)
    host.unit(UNIT, f"[Service]\nEnvironment=LD_PRELOAD=libjemalloc.so.2\nExecStart={script}\n")
    host.systemctl("restart", UNIT)
    allocd.start(enforcing("observe"))
    allocd.poll(lambda: state(allocd)[1:] == ("violation", "overridden_by_wrapper"), "the wrapper is blamed", UNIT)


def test_program_that_puts_its_own_allocator_in_front_is_named(engine, allocd):
    """As vLLM on CPUs does for its workers: jemalloc stays mapped behind it and idle."""
    host = engine
    standin_service.install(host)
    host.unit(UNIT, standin_service.unit_text("--worker tcmalloc --hold-mib 8"))
    host.systemctl("restart", UNIT)
    allocd.start(enforcing("observe"))
    allocd.poll(lambda: state(allocd)[1:] == ("violation", "overridden_by_runtime"), "the runtime is blamed", UNIT)
    assert "libtcmalloc_minimal.so.4" in allocd.unit(UNIT)["assessment"]["chain"][4]["evidence"]
    explained = host.run("allocctl", "explain", UNIT, check=False).stdout
    assert "overridden_by_runtime" in explained and "tcmalloc" in explained
