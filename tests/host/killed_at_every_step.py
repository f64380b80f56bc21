# SPDX-License-Identifier: Apache-2.0
"""Ends the enforcer with SIGKILL at every step of a run: strace does it on its way into the Nth call of those that
change something. Whenever it dies, each file is absent, the old one or the new one, whole; and the next run finishes
what was begun."""

from __future__ import annotations

import collections
import json

from enforcer_on_host import BOX, MANIFEST, PROGRAM, SERVICE, SLEEPS, STATE, UNITS, Enforcer, conf, policy
from throwaway_host import ThrowawayHost

CHANGES = ("mkdirat", "write", "fsync", "renameat", "renameat2", "unlinkat")
# Reads of systemd's view before anything has been written: of these, every eighth.
CALLS = "sendmsg"
DIRECTORY = f"{UNITS}/{SERVICE}.d"
BEFORE = "/run/before"
REQUEST = "a" * 32

Step = tuple[str, int]


def steps_of(host: ThrowawayHost) -> list[Step]:
    """What a run does from here, each step as (call, how many of its name it is)."""
    trace = "/run/trace"
    host.run("strace", "-f", "-o", trace, "-e", f"trace={','.join((*CHANGES, CALLS))}", PROGRAM, timeout=60)
    counts: collections.Counter[str] = collections.Counter()
    steps, has_written = [], False
    for line in host.read(trace).splitlines():
        name = line.split(None, 1)[1].split("(")[0]
        if name not in (*CHANGES, CALLS):
            continue
        counts[name] += 1
        has_written = has_written or name == "write"
        if name != CALLS or has_written or counts[name] % 8 == 0:
            steps.append((name, counts[name]))
    return steps


def run_until(host: ThrowawayHost, step: Step) -> bool:
    """True when it was killed."""
    name, number = step
    done = host.run("strace", "-f", "-o", "/dev/null", "-e", f"trace={name}",
                    "-e", f"inject={name}:signal=SIGKILL:when={number}", PROGRAM, check=False, timeout=60)
    return done.returncode != 0


def keep(host) -> None:
    host.run("sh", "-c", f"rm -rf {BEFORE}; mkdir -p {BEFORE} {DIRECTORY}; cp -a {DIRECTORY} {BEFORE}/units; "
                         f"cp -a {STATE} {BEFORE}/state; rmdir {DIRECTORY} 2>/dev/null; true")


def put_back(host: ThrowawayHost, request: str) -> None:
    host.run("sh", "-c", f"rm -rf {DIRECTORY} {STATE}/* {BOX}; cp -a {BEFORE}/units {DIRECTORY}; "
                         f"rmdir {DIRECTORY} 2>/dev/null; cp -a {BEFORE}/state/. {STATE}; systemctl daemon-reload; "
                         f"umask 077; mkdir -p {BOX}/requests; printf %s '{request}' >{BOX}/requests/{REQUEST}.json")


def files(host) -> dict[str, str]:
    """Names and contents of the directory of drop-ins."""
    out = host.run("sh", "-c", f"cd {DIRECTORY} 2>/dev/null && for f in $(ls -A); do echo \"==$f\"; cat \"$f\"; done",
                   check=False).stdout
    parts = [part.split("\n", 1) for part in out.split("==") if part]
    return {name: text for name, text in parts}


def temporary(name: str) -> bool:
    return name.startswith(".zz-allocd-")


def check_whole(host: ThrowawayHost, old: dict[str, str], new: dict[str, str]) -> None:
    found = {name: text for name, text in files(host).items() if not temporary(name)}
    for name in old.keys() | new.keys():
        assert found.get(name) in (old.get(name), new.get(name)), (name, found.get(name))
    # What is named is there before what names it.
    assert "EnvironmentFile=" not in found.get("zz-allocd.conf", "") or "zz-allocd.env" in found
    assert found.keys() <= old.keys() | new.keys()
    text = host.run("cat", MANIFEST, check=False).stdout
    assert text == "" or json.loads(text)["schema_version"] == 1


def check_complete(host: ThrowawayHost, new: dict[str, str]) -> None:
    """After one more run, done here by hand: all is as it would have been."""
    host.run(PROGRAM, timeout=60)
    assert files(host) == new
    assert new or host.run("test", "-e", DIRECTORY, check=False).returncode != 0, "the directory it made is left"
    shown = host.show(SERVICE, "DropInPaths", "NeedDaemonReload")
    assert (conf() in shown["DropInPaths"]) == ("zz-allocd.conf" in new) and shown["NeedDaemonReload"] == "no"
    report = json.loads(host.read(f"{BOX}/reports/{REQUEST}.json"))
    assert report["error"] == "" and all(item["error"] == "" for item in report["items"])
    assert host.run("ls", "-A", f"{BOX}/requests").stdout == ""
    assert not json.loads(host.read(MANIFEST))["reload_needed"]


def check_every_step(enforcer: Enforcer, host: ThrowawayHost, before: str, after: str, verb: str) -> None:
    """From what applying the configuration `before` comes to, to what `verb` under `after` does: two files at once."""
    host.write("/etc/svc.env", "LD_PRELOAD=x\n")
    host.unit(SERVICE, SLEEPS + "EnvironmentFile=/etc/svc.env\n")
    host.systemctl("start", SERVICE)
    enforcer.configure(before)
    enforcer.ask("apply")
    enforcer.ends()
    old = files(host)
    enforcer.configure(after)
    request = json.dumps({"id": REQUEST, "verb": verb, "units": [], "retry": False, "force": False})
    keep(host)
    put_back(host, request)
    steps = steps_of(host)
    new = files(host)
    assert old != new and len(steps) > 20
    for step in steps:
        put_back(host, request)
        assert files(host) == old
        assert run_until(host, step), f"not killed at {step}"
        try:
            check_whole(host, old, new)
            check_complete(host, new)
        except AssertionError as error:
            found = host.run("ls", "-lA", DIRECTORY, check=False).stdout
            raise AssertionError(f"killed at {step}: {error}\n{found}") from None
    again = enforcer.listing()
    enforcer.run()
    assert enforcer.listing() == again


def restart_steps(host: ThrowawayHost) -> list[Step]:
    """From the last file that is written before systemd is asked for the restart to the first thing done after it."""
    trace = "/run/trace"
    host.run("strace", "-f", "-s", "4096", "-o", trace, "-e", f"trace={','.join((*CHANGES, CALLS))}", PROGRAM, timeout=90)
    counts: collections.Counter[str] = collections.Counter()
    steps, asked = [], None
    for line in host.read(trace).splitlines():
        name = line.split(None, 1)[1].split("(")[0]
        if name not in (*CHANGES, CALLS):
            continue
        counts[name] += 1
        steps.append((name, counts[name]))
        if asked is None and "TryRestartUnit" in line:
            asked = len(steps)
    assert asked is not None, "no restart was asked for"
    return steps[asked - 5:asked + 4]


def check_restart(enforcer: Enforcer, host: ThrowawayHost) -> None:
    """Killed around the restart that the policy allows: the next run restarts it if it has not been, and only then."""
    host.unit(SERVICE, SLEEPS)
    host.run("mkdir", "-p", STATE)
    host.systemctl("start", SERVICE)
    request = json.dumps({"id": REQUEST, "verb": "apply", "units": [], "retry": False, "force": False})
    enforcer.configure(policy(restart="now", settle="10s"))
    keep(host)

    def begin() -> str:
        put_back(host, request)
        host.systemctl("restart", SERVICE)
        return host.show(SERVICE, "InvocationID")["InvocationID"]

    begin()
    for step in restart_steps(host):
        before = begin()
        assert run_until(host, step), f"not killed at {step}"
        killed = host.show(SERVICE, "InvocationID")["InvocationID"]
        host.run(PROGRAM, timeout=90)
        after = host.show(SERVICE, "InvocationID", "ActiveState")
        assert after["ActiveState"] == "active" and "LD_PRELOAD" in enforcer.environment(), step
        assert killed == before or after["InvocationID"] == killed, f"restarted twice, killed at {step}"
        assert enforcer.phase() == "settled", step
