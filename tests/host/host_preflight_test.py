# SPDX-License-Identifier: Apache-2.0
"""The preflight as the enforcer runs it: root without a single capability, the canary a transient unit of systemd."""

import json
import shlex

import allocd_on_host
import pytest

CANARY = "/usr/libexec/allocd/allocd-canary"
DRIVER = "/opt/host-programs/runs_preflight"
FAULTY = "/opt/faulty"
UNIT = "preflight.service"
ANSWER = "/run/preflight.json"

# What the enforcer's unit closes and the preflight must do without.
SANDBOX = """CapabilityBoundingSet=
NoNewPrivileges=yes
PrivateNetwork=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProtectControlGroups=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@resources @privileged
SystemCallErrorNumber=EPERM
UMask=0077"""


@pytest.fixture(scope="module")
def laboratory(booted):
    programs, _ = allocd_on_host.locations()
    booted.copy(programs / "allocd-canary", CANARY)
    booted.copy(programs / "host-programs/runs_preflight", DRIVER)
    for library in (programs / "faulty-libraries").glob("lib*.so"):
        booted.copy(library, f"{FAULTY}/{library.name}")
    return booted


def left_behind(host) -> str:
    return host.systemctl("list-units", "--all", "--no-legend", "--plain", "allocd-canary-*").stdout


@pytest.fixture
def check(laboratory, host):
    """Runs one preflight in the sandbox; afterwards nothing of the canary may be left."""
    def run(library: str = "auto", *environment: str, allocator: str = "jemalloc", limit_ms: int = 10_000,
            canary: str = CANARY) -> dict:
        words = [DRIVER, canary, allocator, library, str(limit_ms), *environment]
        command = shlex.join(words).replace("\\", "\\\\").replace("%", "%%").replace("$", "$$")
        host.unit(UNIT, f"[Service]\nType=oneshot\n{SANDBOX}\nExecStart={command}\n"
                        f"StandardOutput=truncate:{ANSWER}\n")
        done = host.systemctl("start", UNIT, check=False, timeout=60)
        assert done.returncode == 0, host.report(UNIT)
        host.poll(lambda: left_behind(host) == "", 10, "no unit of the canary is left", UNIT)
        return json.loads(host.read(ANSWER))

    yield run
    assert host.run("pgrep", "-f", CANARY, check=False).stdout == ""


def faulty(name: str) -> str:
    return f"{FAULTY}/lib{name}.so"


@pytest.mark.parametrize("allocator, name", [("jemalloc", "libjemalloc.so.2"),
                                             ("tcmalloc", "libtcmalloc_minimal.so.4")])
def test_the_distribution_s_libraries_pass(check, allocator, name):
    result = check(allocator=allocator)
    assert result["reason"] == "ok", result
    assert result["sentence"] == ""
    assert result["preload"].endswith(f"/{name}")
    assert result["owner"] == result["preload"]


def test_glibc_passes_with_its_tunables(check):
    result = check("auto", "GLIBC_TUNABLES=glibc.malloc.arena_max=1", allocator="glibc")
    assert result["reason"] == "ok", result
    assert result["preload"] == ""
    assert result["owner"].endswith("/libc.so.6")


def test_a_sound_library_of_the_operator_passes(check):
    result = check(faulty("none"))
    assert (result["reason"], result["owner"]) == ("ok", faulty("none")), result


@pytest.mark.parametrize("name, reason", [
    ("aborts", "crashed"),
    ("exits", "misbehaves"),
    ("warns", "unexpected_output"),
    ("chatters", "unexpected_output"),
    ("floods", "output_flood"),
    ("missing_needed", "missing_dependency"),
    ("no_malloc", "no_malloc"),
    ("musl", "musl_library"),
    ("no_free", "misbehaves"),
    ("breaks_after_fork", "broken_after_fork"),
    ("leaves_child", "ok"),
])
def test_each_fault_is_found_through_systemd(check, name, reason):
    result = check(faulty(name))
    assert result["reason"] == reason, result


def test_the_time_limit_ends_a_library_that_hangs(check):
    result = check(faulty("hangs"), limit_ms=1000)
    assert result["reason"] == "timed_out", result


def test_a_library_of_another_machine_is_refused(check, laboratory):
    programs, _ = allocd_on_host.locations()
    data = bytearray((programs / "faulty-libraries/libnone.so").read_bytes())
    data[18:20] = (22).to_bytes(2, "little")  # e_machine: EM_S390
    laboratory.write(faulty("foreign"), bytes(data), 0o755)
    result = check(faulty("foreign"))
    assert result["reason"] == "wrong_machine", result
    assert "s390x" in result["sentence"]


def test_a_library_that_others_can_write_is_refused(check, laboratory):
    laboratory.run("install", "-D", "-m", "0775", faulty("none"), "/opt/open/libnone.so")
    result = check("/opt/open/libnone.so")
    assert result["reason"] == "writable_by_others", result
    laboratory.run("chmod", "0755", "/opt/open/libnone.so")
    laboratory.run("chown", "nobody", "/opt/open")
    result = check("/opt/open/libnone.so")
    assert result["reason"] == "writable_by_others", result
    assert result["sentence"].startswith("/opt/open belongs to")


def test_a_bad_malloc_conf_is_named(check):
    result = check("auto", "MALLOC_CONF=narenas:2,no_such_option:1")
    assert result["reason"] == "bad_malloc_conf", result
    assert "no_such_option:1" in result["sentence"]
    assert check("auto", "MALLOC_CONF=background_thread:true,narenas:2")["reason"] == "ok"


def test_values_reach_the_canary_as_they_are(check):
    result = check(faulty("tells_malloc_conf"), 'MALLOC_CONF=a"b %n $HOME ${x} \\t')
    assert 'a"b %n $HOME ${x} \\t' in result["sentence"], result


def test_the_canary_is_not_root(check):
    result = check(faulty("tells_user"))
    assert "nobody special" in result["sentence"], result


def test_a_canary_that_is_missing_is_a_fault_of_the_host(check):
    result = check(canary="/usr/libexec/allocd/no-canary")
    assert result["reason"] == "cannot_run", result
    assert "/usr/libexec/allocd/no-canary" in result["sentence"]


def test_without_the_bus_nothing_is_proved_and_nothing_waits(check, host):
    host.systemctl("stop", "dbus.socket", "dbus.service", check=False)
    try:
        result = check()
        assert result["reason"] == "cannot_run", result
    finally:
        host.systemctl("start", "dbus.socket", "dbus.service")


def test_a_preflight_that_is_killed_leaves_nothing(laboratory, host):
    host.unit(UNIT, f"[Service]\n{SANDBOX}\nExecStart={DRIVER} {CANARY} jemalloc {faulty('hangs')} 60000\n")
    host.systemctl("start", UNIT)
    host.poll(lambda: "allocd-canary-" in left_behind(host), 10, "the canary runs", UNIT)
    host.systemctl("kill", "--signal=KILL", UNIT)
    # Nobody holds it any more: it goes with its last process, here by hand and else at its time limit.
    host.systemctl("stop", "allocd-canary-*")
    host.poll(lambda: left_behind(host) == "", 10, "no unit of the canary is left", UNIT)
