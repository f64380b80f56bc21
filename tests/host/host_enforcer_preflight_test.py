# SPDX-License-Identifier: Apache-2.0
"""A library that does not pass blocks its item, with the reason; nothing is written and systemd reads nothing again."""

from __future__ import annotations

import allocd_on_host
import pytest
from enforcer_on_host import FAULTY, JEMALLOC, SERVICE, SLEEPS, conf, install_faulty_libraries, policy


@pytest.fixture(scope="module", autouse=True)
def faulty_libraries(booted):
    install_faulty_libraries(booted)


def check_refused(enforcer, reason: str) -> str:
    """The sentence."""
    why, sentence = enforcer.refused()
    assert why == "preflight_failed" and sentence.startswith(reason), sentence
    manifest = enforcer.manifest()
    assert (manifest["targets"], manifest["applied_total"], manifest["reload_needed"]) == ({}, 0, False)
    assert manifest["last_run"]["blocked"] == 1
    return sentence


@pytest.mark.parametrize("name, reason", [
    ("aborts", "crashed"), ("exits", "misbehaves"), ("warns", "unexpected_output"), ("chatters", "unexpected_output"),
    ("floods", "output_flood"), ("missing_needed", "missing_dependency"), ("no_malloc", "no_malloc"),
    ("musl", "musl_library"), ("breaks_after_fork", "broken_after_fork"), ("hangs", "timed_out"),
])
def test_a_faulty_library(enforcer, host, name, reason):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(library=f"{FAULTY}/lib{name}.so"))
    check_refused(enforcer, reason)


def test_a_library_that_is_not_there(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(library="/opt/no/such.so"))
    reason, sentence = enforcer.refused()
    assert reason == "library_not_found" and "/opt/no/such.so" in sentence


def test_a_library_of_another_machine(enforcer, host):
    programs, _ = allocd_on_host.locations()
    data = bytearray((programs / "faulty-libraries/libnone.so").read_bytes())
    data[18:20] = (183).to_bytes(2, "little")  # e_machine: EM_AARCH64
    host.write(f"{FAULTY}/libforeign.so", bytes(data), 0o755)
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(library=f"{FAULTY}/libforeign.so"))
    check_refused(enforcer, "wrong_machine")


def test_a_bad_malloc_conf(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(malloc_conf="narenas:2,no_such_option:1"))
    assert "no_such_option" in check_refused(enforcer, "bad_malloc_conf")


def test_a_bad_library_behind_a_good_one(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy(extra_preload=[f"{FAULTY}/libwarns.so"]))
    check_refused(enforcer, "unexpected_output")


def test_a_library_that_others_can_write(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.run("install", "-D", "-m", "755", f"{FAULTY}/libnone.so", "/opt/open/libnone.so")
    enforcer.configure(policy(library="/opt/open/libnone.so"))
    host.run("chmod", "777", "/opt/open")
    check_refused(enforcer, "writable_by_others: /opt/open can be written by others")
    host.run("chmod", "755", "/opt/open")
    host.run("chown", "nobody", "/opt/open/libnone.so")
    check_refused(enforcer, "writable_by_others: /opt/open/libnone.so belongs to")
    host.run("chown", "root", "/opt/open/libnone.so")
    assert enforcer.apply()["action"] == "write"


def test_an_extra_library_that_others_can_write(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.run("install", "-D", "-m", "777", f"{FAULTY}/libnone.so", "/opt/extra/libextra.so")
    enforcer.configure(policy(extra_preload=["/opt/extra/libextra.so"]))
    check_refused(enforcer, "writable_by_others: /opt/extra/libextra.so can be written by others")
    host.run("rm", "/opt/extra/libextra.so")
    check_refused(enforcer, "library_not_found: /opt/extra/libextra.so")


def test_one_that_fails_does_not_hold_up_the_others(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    host.unit("other.service", SLEEPS)
    enforcer.configure(allocd_on_host.config(
        bad={"unit": SERVICE, "allocator": "jemalloc", "library": f"{FAULTY}/libaborts.so"},
        good={"unit": "other.service", "allocator": "jemalloc"}))
    report = enforcer.ask("apply")
    assert enforcer.item(report)["action"] == "blocked"
    assert enforcer.item(report, "other.service")["action"] == "write"
    assert not enforcer.exists(conf()) and enforcer.exists(conf("other.service"))


def test_a_policy_that_turns_bad_leaves_the_good_one_in_force(enforcer, host):
    host.unit(SERVICE, SLEEPS)
    enforcer.configure(policy())
    enforcer.apply()
    enforcer.configure(policy(malloc_conf="no_such_option:1"))
    assert enforcer.refused()[0] == "preflight_failed"
    assert JEMALLOC in host.read(conf())
