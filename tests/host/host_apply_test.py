# SPDX-License-Identifier: Apache-2.0
"""allocctl plan, apply, revert and verify on a real systemd, with the real enforcer behind them."""

import json
import subprocess

import allocd_on_host
import pytest
import standin_service

UNIT = "worker.service"
DIRECTORY = f"/etc/systemd/system/{UNIT}.d"
DROP_IN = f"{DIRECTORY}/zz-allocd.conf"
MAILBOX = "/run/allocd-enforcer"


def allocctl(host, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return host.run("allocctl", *arguments, check=False, timeout=120, **options)


def expect(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Standard output of a run that ended so."""
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def configure(host, settings: dict | None = None, **services: dict) -> None:
    text = allocd_on_host.config(**services)
    host.write(allocd_on_host.CONFIG, json.dumps(json.loads(text) | (settings or {})))


def wants_jemalloc(unit: str = UNIT, **more: object) -> dict:
    return {"unit": unit, "allocator": "jemalloc", "settle": "10s"} | more


def tree(host) -> str:
    """Every path, kind, mode, owner and content below the directories of unit files."""
    script = ("cd /etc/systemd && find . -printf '%P %y %m %U %G %l\\n' | sort; "
              "find . -type f -exec sha256sum {} + | sort; ls -A /run/systemd/system")
    return host.run("sh", "-c", script).stdout


def is_active(host, unit: str = UNIT) -> bool:
    return host.systemctl("is-active", unit, check=False).stdout.strip() == "active"


@pytest.fixture
def worker(equipped, host):
    """A stand-in engine that runs with glibc's malloc, with a policy that wants jemalloc."""
    standin_service.start(host, UNIT, preload=None)
    configure(host, worker=wants_jemalloc())
    host.poll(lambda: is_active(host), 20, "the worker runs", UNIT)
    yield host
    host.systemctl("stop", "allocd-enforcer.service", check=False)
    host.systemctl("reset-failed", check=False)
    host.remove(DIRECTORY, allocd_on_host.CONFIG, "/var/lib/allocd-enforcer", MAILBOX)


def test_from_plan_to_compliant_and_back(worker, allocd):
    before = tree(worker)
    allocd.start(json.dumps(json.loads(worker.read(allocd_on_host.CONFIG))))
    plan = expect(allocctl(worker, "plan"), 3)
    assert "--- /dev/null\n" in plan and f"+++ {DROP_IN}\n" in plan
    assert "mode: observe: only allocctl apply writes this" in plan
    assert plan.endswith("1 to write. Run: sudo allocctl apply\n")
    assert tree(worker) == before
    expect(allocctl(worker, "verify"), 3)

    done = expect(allocctl(worker, "apply", "--yes"), 0)
    assert f"{UNIT}: written\n" in done
    assert f"  systemctl restart {UNIT}\n" in done
    assert worker.show(UNIT, "DropInPaths")["DropInPaths"] == DROP_IN
    shown = "".join(line[1:] + "\n" for line in plan.splitlines() if line.startswith("+") and line[1] != "+")
    assert worker.read(DROP_IN) == shown
    assert expect(allocctl(worker, "plan"), 0) == "Nothing to do: 1 in place.\n"
    assert worker.run("ls", "-A", f"{MAILBOX}/requests", f"{MAILBOX}/reports").stdout.split() == [
        f"{MAILBOX}/reports:", f"{MAILBOX}/requests:"]

    allocd.poll(lambda: "pending_restart" in allocctl(worker, "verify").stdout, "verify sees what is pending", UNIT)
    worker.systemctl("restart", UNIT)
    allocd.poll(lambda: allocctl(worker, "verify").returncode == 0, "verify is content", UNIT)
    explained = expect(allocctl(worker, "explain", UNIT), 0)
    assert f"{DROP_IN}:" in explained.replace("\n", "")

    reverted = expect(allocctl(worker, "revert", UNIT, "--yes"), 0)
    assert f"{UNIT}: removed\n" in reverted
    assert "keep the malloc they have until they are restarted" in reverted
    assert tree(worker) == before
    expect(allocctl(worker, "plan"), 3)


def test_what_a_reader_is_told_is_what_root_is_told(worker):
    as_root = allocctl(worker, "plan")
    as_nobody = allocctl(worker, "plan", user="nobody")
    assert (as_nobody.returncode, as_nobody.stdout) == (3, as_root.stdout), as_nobody.stderr
    dry = allocctl(worker, "apply", "--dry-run", user="nobody")
    assert (dry.returncode, dry.stdout) == (3, as_root.stdout), dry.stderr


@pytest.mark.parametrize("command", [["apply"], ["apply", "--yes"], ["revert", UNIT, "--yes"], ["revert", "--all"]])
def test_changing_takes_root(worker, command):
    before = tree(worker)
    refused = allocctl(worker, *command, user="nobody")
    assert expect(refused, 4) == ""
    assert f"try: sudo allocctl {command[0]}" in refused.stderr
    assert tree(worker) == before


def test_without_a_terminal_nothing_is_taken_for_a_yes(worker):
    before = tree(worker)
    for answer in ("", "y\n"):
        asked = allocctl(worker, "apply", stdin=answer)
        expect(asked, 2)
        assert "--yes" in asked.stderr
    assert expect(allocctl(worker, "apply", "--output=json"), 2) == ""
    assert tree(worker) == before


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("n", 1), ("", 1), ("yesterday", 1)])
def test_on_a_terminal_it_asks(worker, answer, code):
    # script(1) gives it a terminal and hands on its exit code.
    done = worker.run("script", "-qec", "allocctl apply", "/dev/null", stdin=answer + "\n", check=False, timeout=120)
    assert done.returncode == code, done.stdout
    assert "Apply? [y/N]" in done.stdout
    assert (worker.run("test", "-e", DROP_IN, check=False).returncode == 0) == (code == 0)


def test_json_is_the_plan_and_the_report(worker):
    plan = json.loads(expect(allocctl(worker, "plan", "--output=json"), 3))
    assert plan["schema_version"] == 1
    assert [item["action"] for item in plan["items"]] == ["write"]
    report = json.loads(expect(allocctl(worker, "apply", "--yes", "--output=json"), 0))
    assert report["items"][0]["files"] == plan["items"][0]["files"]
    assert report["reloaded"] is True and report["pending"] == [UNIT]
    again = json.loads(expect(allocctl(worker, "apply", "--yes", "--output=json"), 0))
    assert again["items"] == []


def test_a_blocked_unit_is_named_and_leaves_the_exit_code(worker):
    foreign = "[Service]\nNice=1\n"
    worker.write(DROP_IN, foreign)
    worker.systemctl("daemon-reload")
    plan = expect(allocctl(worker, "plan", "worker"), 3)
    assert f"Blocked\n  {UNIT}: foreign_file\n" in plan
    assert plan.endswith("1 blocked.\n")
    expect(allocctl(worker, "apply", "--yes"), 3)
    assert worker.read(DROP_IN) == foreign


def test_an_edited_drop_in_is_left_alone_and_taken_back_by_force(worker):
    expect(allocctl(worker, "apply", "--yes"), 0)
    written = worker.read(DROP_IN)
    worker.write(DROP_IN, written + "Nice=1\n")
    worker.systemctl("daemon-reload")
    assert "tampered" in expect(allocctl(worker, "apply", "--yes"), 3)
    assert "tampered" in expect(allocctl(worker, "revert", "--all", "--yes"), 3)
    plan = expect(allocctl(worker, "plan", "--force"), 3)
    assert "\n-Nice=1\n" in plan
    assert plan.endswith("Run: sudo allocctl apply --force\n")
    expect(allocctl(worker, "apply", "--yes", "--force"), 0)
    assert worker.read(DROP_IN) == written


def test_an_unknown_unit_fails_with_the_nearest(worker):
    failed = allocctl(worker, "plan", "worke")
    assert expect(failed, 1) == ""
    assert f"did you mean '{UNIT}'?" in failed.stderr
    assert "allocd has written nothing for it" in allocctl(worker, "revert", UNIT, "--yes").stderr


def test_a_broken_configuration_is_told_before_anything_else(worker):
    worker.write(allocd_on_host.CONFIG, "services:\n  worker:\n    allocater: jemalloc\n")
    for command in (["plan"], ["apply", "--yes"], ["reload"]):
        refused = allocctl(worker, *command)
        assert expect(refused, 78) == ""
        assert "allocater" in refused.stderr


def test_a_configuration_others_can_write_is_refused_and_said_so_in_the_plan(worker):
    worker.run("chmod", "o+w", allocd_on_host.CONFIG)
    assert "apply will refuse this configuration" in allocctl(worker, "plan").stderr
    refused = allocctl(worker, "apply", "--yes")
    expect(refused, 1)
    assert "writable by" in refused.stderr
    assert worker.run("test", "-e", DROP_IN, check=False).returncode != 0


def test_two_applies_at_once_both_end_well(worker):
    both = [worker.popen("allocctl", "apply", "--yes", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(2)]
    outputs = [run.communicate(timeout=120)[0] for run in both]
    assert [run.returncode for run in both] == [0, 0], outputs
    assert any(f"{UNIT}: written" in output for output in outputs)
    expect(allocctl(worker, "plan"), 0)


def test_a_unit_that_goes_between_plan_and_apply(worker):
    asking = worker.popen("script", "-qec", "allocctl apply", "/dev/null", stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE)
    shown = b""
    while not shown.endswith(b"Apply? [y/N] "):
        byte = asking.stdout.read(1)
        assert byte, shown.decode()
        shown += byte
    assert f"+++ {DROP_IN}" in shown.decode()
    worker.systemctl("stop", UNIT)
    worker.remove(f"/etc/systemd/system/{UNIT}")
    worker.systemctl("daemon-reload")
    told, _ = asking.communicate(b"y\n", timeout=120)
    assert "Nothing was to be done any more" in told.decode()
    assert asking.returncode == 0
    assert worker.run("test", "-e", DROP_IN, check=False).returncode != 0


def test_apply_waits_for_a_restarted_unit_to_settle(worker):
    configure(worker, worker=wants_jemalloc(restart="now"))
    done = expect(allocctl(worker, "apply", "--yes", "--wait"), 0)
    assert f"Restarted: {UNIT}." in done
    assert done.endswith(f"{UNIT}: settled\n")


def test_apply_tells_of_a_rollback(worker):
    # Starts as it is, and not with a preload.
    refuses = "ExecStartPre=/bin/sh -c 'test -z \"$LD_PRELOAD\" || { echo will not have it; exit 1; }'"
    worker.unit(UNIT, standin_service.unit_text(preload=None, service=refuses))
    configure(worker, worker=wants_jemalloc(restart="now"))
    done = expect(allocctl(worker, "apply", "--yes", "--wait"), 1)
    assert f"{UNIT}: rolled back: " in done and "will not have it" in done
    worker.poll(lambda: is_active(worker), 20, "the worker runs again", UNIT)
    blocked = expect(allocctl(worker, "plan"), 3)
    assert f"{UNIT}: rolled_back" in blocked
    assert "1 to write" in expect(allocctl(worker, "plan", "--retry"), 3)


def test_reverting_what_is_enforced_says_how_long_that_holds(worker):
    configure(worker, worker=wants_jemalloc(mode="enforce"))
    expect(allocctl(worker, "apply", "--yes"), 0)
    text = expect(allocctl(worker, "revert", "worker", "--yes"), 0)
    assert "mode: enforce" in text and f"`allocctl apply {UNIT}`" in text
    worker.systemctl("start", "allocd-enforcer.service", timeout=60)
    assert worker.run("test", "-e", DROP_IN, check=False).returncode != 0
    expect(allocctl(worker, "apply", "worker", "--yes"), 0)


def test_an_enforcer_that_cannot_start_is_a_failure_that_leads_on(worker):
    worker.write("/etc/systemd/system/allocd-enforcer.service.d/broken.conf",
                 "[Service]\nExecStart=\nExecStart=/bin/false\n")
    worker.systemctl("daemon-reload")
    try:
        failed = allocctl(worker, "apply", "--yes")
        expect(failed, 1)
        assert "journalctl -u allocd-enforcer" in failed.stderr
        assert worker.run("ls", "-A", f"{MAILBOX}/requests").stdout == ""
    finally:
        worker.remove("/etc/systemd/system/allocd-enforcer.service.d")
        worker.systemctl("daemon-reload")


def test_reload_waits_for_what_came_of_it(worker, allocd):
    good = worker.read(allocd_on_host.CONFIG)
    allocd.start(good)
    expect(allocctl(worker, "reload", "--wait"), 0)
    configure(worker, worker=wants_jemalloc(), other=wants_jemalloc("other.service"))
    expect(allocctl(worker, "reload", "--wait"), 0)
    assert allocd.unit("other.service") is not None
    expect(allocctl(worker, "reload", user="nobody"), 4)


def test_a_name_with_a_backslash_goes_all_the_way(worker):
    unit = r"odd\x2dname.service"
    standin_service.start(worker, unit, preload=None)
    configure(worker, odd=wants_jemalloc(unit))
    before = tree(worker)
    assert f"{unit}.d/zz-allocd.conf" in expect(allocctl(worker, "plan", unit), 3)
    assert f"{unit}: written" in expect(allocctl(worker, "apply", unit, "--yes"), 0)
    assert "in place" in expect(allocctl(worker, "plan", unit), 0)
    expect(allocctl(worker, "revert", unit, "--yes"), 0)
    assert tree(worker) == before


def test_explain_tells_root_what_allocd_may_not_read(worker, allocd):
    worker.write("/etc/worker.env", "TOKEN=hunter2\nLD_PRELOAD=/opt/secret/lib.so\n", mode=0o600)
    worker.unit(UNIT, standin_service.unit_text(preload=None, service="EnvironmentFile=/etc/worker.env"))
    allocd.start(worker.read(allocd_on_host.CONFIG))
    as_nobody = allocctl(worker, "explain", UNIT, user="nobody")
    assert "/etc/worker.env" in as_nobody.stdout and "/opt/secret/lib.so" not in as_nobody.stdout
    as_root = allocctl(worker, "explain", UNIT)
    assert "wins /etc/worker.env:2 sets /opt/secret/lib.so" in as_root.stdout, as_root.stdout
    assert "hunter2" not in as_root.stdout + as_nobody.stdout
