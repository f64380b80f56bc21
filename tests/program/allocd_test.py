# SPDX-License-Identifier: Apache-2.0
"""allocd as systemd runs it: what it notifies and when, its signals, its exit codes, and a run by hand.

No bus answers here: the first sample is complete once the observer has lost patience with it (five seconds)."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import pytest
from support.snapshot_schema import strict_errors

ALLOCD = pathlib.Path(os.environ["ALLOCD_BIN"]) / "allocd"
BOUND = 40  # seconds; nothing here takes one unless it is broken
GOOD = "observe: {interval: 1s}\nservices: {engine: {select: [unit: absent.service], allocator: jemalloc}}\n"
BROKEN = "observe:\n  intervall: 1s\n"


def environment(**more):
    """Without what a service manager above the test may have left; stderr is not the journal here."""
    unwanted = {"JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    return {key: value for key, value in os.environ.items() if key not in unwanted} | more


def arguments(folder, *flags):
    return [ALLOCD, f"--config={folder}/allocd.yaml", f"--config-dir={folder}/conf.d",
            f"--snapshot.socket={folder}/snapshot.sock", f"--bus-address=unix:path={folder}/no-bus", *flags]


class Observer:
    """A running observer and the socket on which it tells systemd how it is."""

    def __init__(self, folder, *flags, config=GOOD, **variables):
        self.folder = folder
        self.log = folder / "allocd.log"
        self.configure(config)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(folder / "notify"))
        self.notify.settimeout(BOUND)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(arguments(folder, *flags), stderr=log,
                                            env=environment(NOTIFY_SOCKET=str(folder / "notify"), **variables))

    def configure(self, text):
        (self.folder / "allocd.yaml").write_text(text)

    def told(self, wanted):
        """The messages up to the first that has the line `wanted`, each as its lines."""
        messages = []
        while not messages or wanted not in messages[-1]:
            try:
                messages.append(self.notify.recv(65536).decode().split("\n"))
            except TimeoutError:
                raise AssertionError(f"no {wanted} after {messages}\n{self.log.read_text()}") from None
        return messages

    def status(self, part):
        """The next status line that holds `part`."""
        while True:
            line = self.notify.recv(65536).decode()
            if line.startswith("STATUS=") and part in line:
                return line.removeprefix("STATUS=")

    def snapshot(self):
        with socket.socket(socket.AF_UNIX) as reader:
            reader.settimeout(BOUND)
            reader.connect(str(self.folder / "snapshot.sock"))
            with reader.makefile("rb") as stream:
                return json.load(stream)

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(BOUND)
        self.notify.close()


@pytest.fixture
def start(tmp_path):
    with contextlib.ExitStack() as started:

        def make(*flags, **options):
            observer = Observer(tmp_path, *flags, **options)
            started.callback(observer.close)
            return observer

        yield make


# What systemd is told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_comes_after_the_first_complete_sample_and_stopping_before_a_clean_end(start, number):
    observer = start()
    (*before, ready) = observer.told("READY=1")
    # Ready is when readers are served, and what they get is a sample of the unit that is configured.
    snapshot = observer.snapshot()
    assert strict_errors(snapshot) == []
    assert [unit["name"] for unit in snapshot["units"]] == ["absent.service"]
    assert ready == ["READY=1"]
    statuses = [line for message in before for line in message if line.startswith("STATUS=")]
    assert statuses and statuses[-1].startswith("STATUS=Watching 1 unit, 0 processes: 1 ")
    assert "systemd is out of reach" in statuses[-1]
    observer.signal(number)
    observer.told("STOPPING=1")
    assert observer.process.wait(BOUND) == 0
    assert not (observer.folder / "snapshot.sock").exists()


def reload(observer):
    """Sends SIGHUP; what was told from RELOADING to READY. Both must come, in this order."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    observer.signal(signal.SIGHUP)
    reloading = observer.told("RELOADING=1")[-1]
    stamp = int(dict(line.split("=") for line in reloading)["MONOTONIC_USEC"])
    # systemd takes a READY for the answer to its own reload only when this is younger than its signal.
    assert before <= stamp <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert observer.told("READY=1") == [["READY=1"]]


def test_a_reload_is_told_and_a_broken_file_keeps_and_shows(start):
    observer = start()
    observer.told("READY=1")
    observer.configure(GOOD.replace("absent", "another"))
    reload(observer)
    observer.status("Watching 1 unit")
    assert [unit["name"] for unit in observer.snapshot()["units"]] == ["another.service"]

    observer.configure(BROKEN)
    reload(observer)
    assert observer.status("the last reload was rejected").startswith("Watching 1 unit")
    snapshot = observer.snapshot()
    assert strict_errors(snapshot) == []
    assert snapshot["config"]["last_reload_successful"] is False
    assert f"{observer.folder}/allocd.yaml:2:3: unknown key 'intervall'" in snapshot["config"]["error"]
    assert [unit["name"] for unit in snapshot["units"]] == ["another.service"]
    # It stays on show with later samples, too.
    assert "the last reload was rejected" in observer.status("Watching")

    observer.configure(GOOD)
    reload(observer)
    assert "rejected" not in observer.status("Watching")
    assert observer.snapshot()["config"]["last_reload_successful"] is True


def test_a_reload_before_the_first_sample_leaves_ready_to_that_sample(start):
    observer = start(WATCHDOG_USEC="300000")
    # Its first beat says that the loop turns and takes signals.
    observer.told("WATCHDOG=1")
    observer.signal(signal.SIGHUP)
    assert not any("READY=1" in message for message in observer.told("RELOADING=1"))
    messages = observer.told("READY=1")
    assert any(line.startswith("STATUS=Watching") for message in messages for line in message)


def test_the_watchdog_is_fed_while_samples_are_finished(start):
    observer = start(WATCHDOG_USEC="300000")
    observer.told("READY=1")
    for _ in range(3):
        observer.told("WATCHDOG=1")
    assert observer.process.poll() is None


# By hand -----------------------------------------------------------------------------------------------------


def run(folder, *flags):
    return subprocess.run(arguments(folder, *flags), capture_output=True, text=True, timeout=BOUND, env=environment())


def test_once_prints_one_complete_sample_and_ends(tmp_path):
    (tmp_path / "allocd.yaml").write_text(GOOD)
    done = run(tmp_path, "--once")
    assert done.returncode == 0, done.stderr
    snapshot = json.loads(done.stdout)
    assert strict_errors(snapshot) == []
    assert [unit["name"] for unit in snapshot["units"]] == ["absent.service"]
    assert not (tmp_path / "snapshot.sock").exists()


def eventually(find, what):
    """What `find` finds, once it is not nothing."""
    until = time.monotonic() + BOUND
    while time.monotonic() < until:
        if (found := find()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(what)


def start_with_exporter(start):
    """A ready observer in the foreground, the port its exporter listens on, and the exporter's pid."""
    observer = start("--foreground", "--web.listen-address=127.0.0.1:0")
    observer.told("READY=1")
    listening = eventually(lambda: re.search(r"listening on 127\.0\.0\.1:(\d+)", observer.log.read_text()), "no port")
    children = pathlib.Path(f"/proc/{observer.process.pid}/task/{observer.process.pid}/children").read_text().split()
    (exporter,) = [int(pid) for pid in children]
    return observer, int(listening[1]), exporter


def is_running(pid):
    try:
        return ") Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_in_the_foreground_an_exporter_serves_its_metrics(start):
    observer, port, exporter = start_with_exporter(start)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        page = answer.read().decode()
    assert answer.status == 200
    assert "\nallocd_observer_up 1\n" in page
    assert '\nallocd_unit_up{unit="absent.service"} 0\n' in page
    observer.signal(signal.SIGTERM)
    assert observer.process.wait(BOUND) == 0
    assert not is_running(exporter)


def test_in_the_foreground_without_a_socket_named_it_has_its_own(tmp_path):
    """The default path is a service's: it may not be there, or belong to one that runs."""
    (tmp_path / "allocd.yaml").write_text(GOOD)
    command = [part for part in arguments(tmp_path, "--foreground", "--web.listen-address=127.0.0.1:0")
               if not str(part).startswith("--snapshot.socket")]
    log = tmp_path / "allocd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stderr=output, env=environment(TMPDIR=str(tmp_path)))
    try:
        eventually(lambda: re.search("is ready", log.read_text()), "not ready")
        port = eventually(lambda: re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text()), "no port")[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=BOUND) as answer:
            assert "\nallocd_observer_up 1\n" in answer.read().decode()
        named = re.search(r"--socket=(\S+)", log.read_text())[1]
        assert named.startswith(str(tmp_path)) and pathlib.Path(named).is_socket()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(BOUND) == 0
    assert not pathlib.Path(named).parent.exists()


def test_observer_and_exporter_in_the_foreground_end_together(start):
    observer, _, exporter = start_with_exporter(start)
    os.kill(exporter, signal.SIGKILL)
    assert observer.process.wait(BOUND) == 1
    assert "The exporter has ended" in observer.log.read_text()


def test_an_exporter_in_the_foreground_does_not_outlive_a_killed_observer(start):
    observer, _, exporter = start_with_exporter(start)
    observer.signal(signal.SIGKILL)
    eventually(lambda: None if is_running(exporter) else True, "the exporter lives on")


def test_an_address_that_is_taken_ends_both_and_is_named(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        observer = start("--foreground", f"--web.listen-address={address}")
        assert observer.process.wait(BOUND) == 1
    log = observer.log.read_text()
    assert address in log and "in use" in log


def test_without_the_exporter_program_it_says_which_is_missing(tmp_path):
    (tmp_path / "allocd.yaml").write_text(GOOD)
    alone = tmp_path / "bin/allocd"
    alone.parent.mkdir()
    shutil.copy(ALLOCD, alone)
    command = [alone, *arguments(tmp_path, "--foreground", "--web.listen-address=127.0.0.1:0")[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, env=environment())
    assert done.returncode == 1
    assert f"cannot serve metrics with {alone}-exporter: No such file or directory" in done.stderr


@pytest.mark.parametrize("flags", [[], ["--once"], ["--foreground", "--web.listen-address=127.0.0.1:0"]])
def test_a_bad_configuration_is_78_with_every_place(tmp_path, flags):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "allocd.yaml").write_text(BROKEN)
    (tmp_path / "conf.d/10-more.yaml").write_text("observe: {interval: soon}\n")
    done = run(tmp_path, *flags)
    assert done.returncode == 78
    assert done.stdout == ""
    assert f"{tmp_path}/allocd.yaml:2:3: unknown key 'intervall'" in done.stderr
    assert "did you mean 'interval'?" in done.stderr
    assert f"{tmp_path}/conf.d/10-more.yaml:1:21: " in done.stderr
    assert not (tmp_path / "snapshot.sock").exists()


@pytest.mark.parametrize(
    ("flags", "code", "told"),
    [
        (["--version"], 0, "allocd "),
        (["--help"], 0, "--snapshot.socket"),
        (["--no-such-flag"], 2, "--no-such-flag"),
        (["--config=/no/such/file"], 2, "/no/such/file"),
        (["--web.listen-address=127.0.0.1:0"], 2, "--foreground"),
    ],
)
def test_flags_exit_codes_and_streams(flags, code, told):
    done = subprocess.run([ALLOCD, *flags], capture_output=True, text=True, timeout=BOUND, env=environment())
    assert done.returncode == code
    (used, unused) = (done.stdout, done.stderr) if code == 0 else (done.stderr, done.stdout)
    assert told in used
    assert unused == ""
