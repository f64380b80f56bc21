# SPDX-License-Identifier: Apache-2.0
"""allocctl as an operator runs it: arguments, exit code, both streams, against a stand-in for allocd's socket."""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

BIN = pathlib.Path(os.environ["ALLOCD_BIN"]) / "allocctl"
FIXTURE = json.loads((pathlib.Path(__file__).parent / "fixtures/snapshot.json").read_text())
SOURCE = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).parents[2]))
ANY = re.compile(r"(?s).+")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def fresh_snapshot(age=2.0):
    """The fixture as if it had been taken `age` seconds ago."""
    return json.dumps(dict(FIXTURE, taken_at=time.time() - age, started_at=time.time() - 7200)).encode()


class Allocd:
    """Answers every connection on `path` with serve(connection), each in a thread of its own."""

    def __init__(self, path, serve):
        self.path = str(path)
        self._serve = serve
        self.closing = threading.Event()
        self._threads = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(8)
        self._accepter = threading.Thread(target=self._accept)
        self._accepter.start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(peer,))
            thread.start()
            self._threads.append(thread)

    def _answer(self, peer):
        with peer, contextlib.suppress(OSError):
            self._serve(peer)

    def close(self):
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepter.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def allocd(tmp_path):
    """A factory: allocd(bytes or function of the connection) -> path of the socket."""
    servers = []

    def start(answer):
        serve = answer if callable(answer) else lambda peer: peer.sendall(answer)
        servers.append(Allocd(tmp_path / f"{len(servers)}.sock", serve))
        return servers[-1].path

    yield start
    for server in servers:
        server.close()


def allocctl(*arguments, **environment):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm", **environment}
    return subprocess.run([BIN, *arguments], capture_output=True, text=True, timeout=30, env=environment)


def matches(pattern, text):
    return text == pattern if isinstance(pattern, str) else pattern.search(text)


@pytest.mark.parametrize(
    "arguments, code, out, err",
    [
        (["status"], 0, re.compile(r"\Aallocd +0\.1\.0 on gpu-node-07"), ""),
        (["list"], 0, re.compile(r"(?m)^vllm\.service\tviolation\tmapped_not_active\tvllm$"), ""),
        (["show", "vllm"], 0, re.compile(r"\Avllm\.service: violation \(mapped_not_active\)\n"), ""),
        (["show", "vllm.service"], 0, re.compile("tcmalloc"), ""),
        (["show", "libpod-3f1c9a"], 0, re.compile(r"\A/machine\.slice/libpod-3f1c9a\.scope: "), ""),
        (["explain", "vllm"], 3, re.compile(r"(?m)^> ✗ resolved"), ""),
        (["explain", "sglang"], 0, re.compile(r"\Asglang\.service: compliant\n"), ""),
        (["explain", "tgi"], 0, re.compile(r"inactive \(unit_not_found\)"), ""),
        (["explain", "triton"], 0, re.compile(r"inactive \(unit_masked\)"), ""),
        (["explain", "secret-llm"], 3, re.compile(r"unknown \(not_permitted\)"), ""),
        (["verify"], 3, re.compile(r"(?m)^vllm\.service +violation +resolved +mapped_not_active$"), ""),
        (["verify", "sglang"], 0, re.compile(r"(?m)^sglang\.service +compliant +- +-$"), ""),
        (["verify", "sglang", "vllm"], 3, re.compile("1 of 2 units are not as the policy asks"), ""),
        (["verify", "vlmm"], 1, "", re.compile("did you mean 'vllm'")),
        (["node"], 3, re.compile(r"\Agpu-node-07: 2 of 6 expectations missed(?s:.)*thp\.enabled +madvise +always +missed"), ""),
        (["node", "vllm"], 2, "", ANY),
        (["drift"], 0, re.compile(r"\A6 units: 1 watch, 1 normal, 4 without verdict\n"), ""),
        (["drift", "vllm"], 0, re.compile(r"\Avllm\.service: watch\n"), ""),
        (["drift", "vlmm"], 1, "", "allocctl: no unit 'vlmm' in the snapshot; did you mean 'vllm'?\n"),
        (["drift", "sglang", "vllm"], 2, "", ANY),
        (["drif"], 2, "", re.compile("did you mean 'drift'")),
        (["nodes"], 2, "", re.compile("did you mean 'node'")),
        (["metrics"], 0, re.compile(r"(?m)^# HELP allocd_"), ""),
        (["show", "vlmm"], 1, "", "allocctl: no unit 'vlmm' in the snapshot; did you mean 'vllm'?\n"),
        (["explain", "vlmm"], 1, "", re.compile("did you mean")),
        (["show"], 2, "", re.compile("UNIT is required")),
        ([], 2, "", re.compile("subcommand is required")),
        (["stauts"], 2, "", "allocctl: unknown command 'stauts'; did you mean 'status'?\n"
                            "Run with --help for more information.\n"),
        (["--output=json", "xplain", "vllm"], 2, "", re.compile("unknown command 'xplain'; did you mean 'explain'")),
        (["frobnicate"], 2, "", re.compile(r"\Aallocctl: unknown command 'frobnicate'\n.*--help")),
        (["\x1b[2J"], 2, "", re.compile(r"unknown command '\\x1b\[2J'\n")),
        (["frobnicate", "--help"], 0, re.compile("Exit codes"), ""),
        (["status", "--output=yaml"], 2, "", re.compile("yaml")),
        (["status", "--colour"], 2, "", ANY),
        (["revert"], 2, "", "allocctl: revert wants the names of units, or --all\n"
                            "Run with --help for more information.\n"),
        (["revert", "--all", "vllm"], 2, "", ANY),
        (["apply", "--dry-run", "--wait"], 2, "", re.compile("nothing to wait for")),
        (["aply"], 2, "", re.compile("did you mean 'apply'")),
        (["--help"], 0, re.compile(r"Exit codes:\n   0 "), ""),
        (["explain", "--help"], 0, re.compile("UNIT"), ""),
        (["apply", "--help"], 0, re.compile(r"--dry-run(?s:.)*--wait(?s:.)*--yes"), ""),
        (["--version"], 0, re.compile(r"\Aallocctl \d+\.\d+\.\d+\n\Z"), ""),
    ],
)
def test_arguments(allocd, arguments, code, out, err):
    run = allocctl("--socket", allocd(fresh_snapshot()), *arguments)
    assert run.returncode == code, run
    assert matches(out, run.stdout), run.stdout
    assert matches(err, run.stderr), run.stderr


@pytest.mark.parametrize("command", [["status"], ["list"], ["show", "vllm"], ["explain", "vllm"], ["verify"], ["node"],
                                     ["drift"], ["drift", "vllm"]])
def test_json(allocd, command):
    run = allocctl("--socket", allocd(fresh_snapshot()), "--output=json", *command)
    assert run.returncode == (3 if command[0] in ("explain", "verify", "node") else 0)
    assert run.stderr == ""
    document = json.loads(run.stdout)
    assert document["schema_version"] == 1
    if command[0] == "show":
        assert document["unit"] == FIXTURE["units"][-1]
    if command[0] == "node":
        assert document["node"] == FIXTURE["node"]
        assert document["model_files"] == FIXTURE["model_files"]
    if command[0] == "drift":
        assert document["units"][-1]["drift"] == FIXTURE["units"][-1]["drift"]


@pytest.mark.parametrize("state, code", [("warming", 0), ("normal", 0), ("watch", 0), ("drift", 3), ("exhaustion", 3)])
def test_drift_that_somebody_should_act_on_is_an_exit_code(allocd, state, code):
    snapshot = json.loads(fresh_snapshot())
    snapshot["units"][-1]["drift"]["state"] = state
    path = allocd(json.dumps(snapshot).encode())
    for arguments in (["drift"], ["drift", "vllm"], ["--output=json", "drift"]):
        run = allocctl("--socket", path, *arguments)
        assert (run.returncode, run.stderr) == (code, "")
        assert state in run.stdout
    assert allocctl("--socket", path, "drift", "sglang").returncode == 0


def test_an_old_verdict_of_drift_is_none(allocd):
    run = allocctl("--socket", allocd(fresh_snapshot(age=3600)), "drift")
    assert run.returncode == 5
    assert run.stderr.startswith("allocctl: warning: the last sample is 1h 0m old")


def test_no_socket_leads_on(tmp_path):
    run = allocctl("--socket", tmp_path / "none.sock", "status")
    assert (run.returncode, run.stdout) == (5, "")
    assert run.stderr == (
        f"allocctl: cannot connect to {tmp_path}/none.sock: no such socket: is allocd.service running?\n"
        "allocctl: try: systemctl status allocd\n"
    )


def test_a_dead_socket_leads_on(tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    run = allocctl("--socket", tmp_path / "dead.sock", "status")
    assert (run.returncode, run.stdout) == (5, "")
    assert "connection refused" in run.stderr


@pytest.mark.parametrize("first_words", [b"", b'{"schema_version":1,'])
def test_an_allocd_that_stalls_is_unreachable(allocd, first_words):
    def stall(peer):
        peer.sendall(first_words)
        peer.recv(1)  # until the client hangs up

    run = allocctl("--socket", allocd(stall), "--timeout=100", "status")
    assert (run.returncode, run.stdout) == (5, "")
    assert "no answer within 100 ms" in run.stderr


@pytest.mark.parametrize(
    "garbage, code, says",
    [
        (b"", 5, "closed the connection without a word"),
        (b"\x00\xff\x1b[2J" * 1000, 1, "not JSON at byte 1"),
        (b"[1,2,3]", 1, "$: expected an object, found array"),
        (fresh_snapshot()[:-1], 1, "it ends early"),
        (fresh_snapshot().replace(b'"schema_version": 1', b'"schema_version": 99'), 1, "$.schema_version: 99"),
        (fresh_snapshot().replace(b'"pid": 7001', b'"pid": "\\u001b[2J"'), 1, "$.units[0].processes[0].pid:"),
        (b"[" * 1_000_000, 1, "it ends early"),
    ],
    ids=["nothing", "binary", "array", "cut", "other-version", "wrong-type", "deep"],
)
def test_garbage_is_a_fault_in_one_plain_line(allocd, garbage, code, says):
    run = allocctl("--socket", allocd(garbage), "show", "vllm")
    assert (run.returncode, run.stdout) == (code, "")
    assert says in run.stderr
    assert "\x1b" not in run.stderr


def test_a_stale_sample_is_shouted(allocd):
    path = allocd(fresh_snapshot(age=3600))
    status = allocctl("--socket", path, "status")
    assert status.returncode == 0
    assert status.stdout.startswith("STALE: the last sample is 1h 0m old")
    listing = allocctl("--socket", path, "list")
    assert listing.stdout.count("\n") == len(FIXTURE["units"])
    assert listing.stderr.startswith("allocctl: warning: the last sample is 1h 0m old")


def test_nothing_is_wider_than_80_columns_and_nothing_reaches_the_terminal_raw(allocd):
    hostile = json.loads(fresh_snapshot())
    for unit in hostile["units"]:
        unit["name"] += "\x1b[2J" + "n" * 200
    path = allocd(json.dumps(hostile).encode())
    for command in (["status"], ["drift"], ["drift", hostile["units"][-1]["name"]]):
        run = allocctl("--socket", path, *command)
        assert run.returncode == 0
        assert "\x1b" not in run.stdout
        assert max(map(len, run.stdout.splitlines())) <= 80


def test_ascii_where_the_locale_is(allocd):
    path = allocd(fresh_snapshot())
    for command in (["status"], ["show", "vllm"], ["explain", "vllm"], ["drift"], ["drift", "vllm"]):
        assert allocctl("--socket", path, *command, LC_ALL="C").stdout.isascii()
    assert "> NO  resolved" in allocctl("--socket", path, "explain", "vllm", LC_ALL="C").stdout


def on_a_terminal(*arguments, **environment):
    """Standard output of allocctl on a pseudo-terminal."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm", **environment}
    parent, child = pty.openpty()
    run = subprocess.Popen([BIN, *arguments], stdout=child, stderr=subprocess.DEVNULL, env=environment)
    os.close(child)
    out = b""
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while select.select([parent], [], [], 30)[0]:
            data = os.read(parent, 65536)
            if not data:
                break
            out += data
    os.close(parent)
    run.wait(timeout=30)
    return out.decode().replace("\r\n", "\n")


def test_colour_is_for_terminals(allocd):
    path = allocd(fresh_snapshot())
    status = ["--socket", path, "status"]
    coloured = on_a_terminal(*status)
    assert ANSI.search(coloured)
    plain = re.sub("(?m)^(sample|allocd) .*$", "", allocctl(*status).stdout)
    assert re.sub("(?m)^(sample|allocd) .*$", "", ANSI.sub("", coloured)) == plain
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert not ANSI.search(on_a_terminal(*status, **environment))
    assert not ANSI.search(on_a_terminal(*status, "--no-color"))
    assert not ANSI.search(on_a_terminal(*status, "--color=never"))
    assert not ANSI.search(allocctl(*status).stdout)
    assert ANSI.search(allocctl(*status, "--color=always").stdout)


def test_a_full_disk_is_a_failure(allocd):
    path = allocd(fresh_snapshot())
    with open("/dev/full", "wb") as full:
        run = subprocess.run([BIN, "--socket", path, "status"], stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert run.returncode == 1
    assert b"cannot write to standard output" in run.stderr


def test_check_config_good(tmp_path):
    file = tmp_path / "good.yaml"
    file.write_text(
        "services:\n"
        "  vllm:\n    allocator: jemalloc\n    select:\n      - unit: vllm.service\n      - unit: vllm@*.service\n"
    )
    run = allocctl("check-config", file)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{file}: ok, 1 service, 2 selectors\n", "")


def test_check_config_bad(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("observe:\n  intervall: 10s\n")
    run = allocctl("check-config", file)
    assert (run.returncode, run.stdout) == (78, "")
    assert run.stderr.startswith(f"{file}:2:3: ")
    assert "intervall" in run.stderr
    assert run.stderr.endswith(f"allocctl: {file}: 1 problem\n")


def test_check_config_of_a_file_that_is_not_there(tmp_path):
    run = allocctl("check-config", tmp_path / "none.yaml")
    assert (run.returncode, run.stdout) == (1, "")
    assert "none.yaml" in run.stderr


# Planning: what is told before systemd is asked. The rest needs a systemd: tests/host/host_apply_test.py.


@pytest.fixture
def config(tmp_path):
    """A factory: config(text) -> options that name a configuration and nothing else of this machine."""

    def write(text):
        (tmp_path / "conf.d").mkdir(exist_ok=True)
        (tmp_path / "allocd.yaml").write_text(text)
        return [f"--config={tmp_path}/allocd.yaml", f"--config-dir={tmp_path}/conf.d",
                f"--enforcer.state-directory={tmp_path}/state", f"--enforcer.run-directory={tmp_path}/run",
                f"--bus-address=unix:path={tmp_path}/no-bus"]

    return write


GOOD = "services:\n  vllm:\n    allocator: jemalloc\n    select:\n      - unit: vllm.service\n"


def test_a_plan_of_a_broken_configuration_shows_all_its_problems(config):
    options = config(GOOD + "    presedence: last\nmodee: enforce\n")
    run = allocctl("plan", *options)
    assert (run.returncode, run.stdout) == (78, "")
    assert "presedence" in run.stderr and "modee" in run.stderr
    assert run.stderr.endswith("allocd.yaml: 2 problems\n")


def test_a_plan_of_a_configuration_that_is_not_there(tmp_path, config):
    options = config(GOOD)
    (tmp_path / "allocd.yaml").unlink()
    run = allocctl("plan", *options)
    assert (run.returncode, run.stdout) == (1, "")
    assert f"{tmp_path}/allocd.yaml" in run.stderr


def test_a_plan_without_a_bus_fails_at_once(tmp_path, config):
    run = allocctl("plan", *config(GOOD))
    assert (run.returncode, run.stdout) == (1, "")
    assert f"cannot connect to unix:path={tmp_path}/no-bus" in run.stderr
    assert list(tmp_path.glob("run*")) == []


@pytest.fixture(scope="module")
def for_anybody():
    """The program where every user reaches it: the tree may lie in a home of root's."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield shutil.copy(BIN, directory)


@pytest.mark.parametrize("command", [["apply"], ["apply", "--yes"], ["revert", "--all"]])
def test_changing_takes_root(for_anybody, command):
    other = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    run = subprocess.run([for_anybody, *command], capture_output=True, text=True, timeout=30, cwd="/", **other)
    assert (run.returncode, run.stdout) == (4, "")
    assert f"try: sudo allocctl {command[0]}" in run.stderr


def test_json_leaves_no_room_for_a_question(config):
    run = allocctl("apply", "--output=json", *config(GOOD))
    assert (run.returncode, run.stdout) == (2, "")
    assert "--yes" in run.stderr


def test_a_broken_configuration_is_not_reloaded(config):
    run = allocctl("reload", *config("modee: enforce\n"))
    assert (run.returncode, run.stdout) == (78, "")
    assert "modee" in run.stderr


def test_verify_proves_nothing_from_old_data(allocd):
    run = allocctl("--socket", allocd(fresh_snapshot(age=3600)), "verify", "sglang")
    assert run.returncode == 5
    assert run.stderr.startswith("allocctl: warning: the last sample is 1h 0m old")
