# SPDX-License-Identifier: Apache-2.0
"""allocd-exporter as Prometheus and an operator meet it: HTTP, flags, exit codes, socket activation."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
from fake_observer import FakeObserver, fresh_snapshot
from support.metrics_page import promtool_complaints, undocumented_series

SOURCE = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).parents[2]))
EXPORTER = pathlib.Path(os.environ["ALLOCD_BIN"]) / "allocd-exporter"
BOUND = 20  # seconds; nothing here takes one unless it is broken
LISTENING = re.compile(r"listening on (\S+)")


class Exporter:
    """A running exporter whose kernel-chosen addresses have been read from its stderr."""

    def __init__(self, tmp_path, *flags, addresses=("127.0.0.1:0",), **variables):
        self.log = tmp_path / "exporter.log"
        command = [EXPORTER, f"--snapshot.socket={tmp_path}/snapshot.sock", *flags]
        command += [f"--web.listen-address={address}" for address in addresses]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, env=quiet_environment(**variables))
        wait_for(lambda: len(self.addresses) == len(addresses) or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    @property
    def addresses(self):
        return LISTENING.findall(self.log.read_text())

    @property
    def port(self):
        return int(self.addresses[0].rpartition(":")[2])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(BOUND)


def quiet_environment(**more):
    """Without what a service manager above the test may have left; stderr is not the journal here."""
    unwanted = {"JOURNAL_STREAM", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
    return {key: value for key, value in os.environ.items() if key not in unwanted} | more


def wait_for(condition):
    deadline = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def request(port, path="/metrics", method="GET", host="127.0.0.1", headers=None, body=None):
    connection = http.client.HTTPConnection(host, port, timeout=BOUND)
    with contextlib.closing(connection):
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer, answer.read()


def page(port, **options):
    answer, body = request(port, **options)
    assert answer.status == 200
    return body.decode()


def raw(port, data):
    """Everything the server sends back to `data` until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND) as client:
        with contextlib.suppress(OSError):  # it may have been refused and closed long before the last byte
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(65536):
                received += piece
        return received


@pytest.fixture
def observer(tmp_path):
    fake = FakeObserver(tmp_path / "snapshot.sock")
    yield fake
    if fake.path.exists():
        fake.stop()


@pytest.fixture
def exporter(tmp_path):
    running = Exporter(tmp_path)
    yield running
    if running.process.poll() is None:
        assert running.stop() == 0


def test_metrics_have_the_type_prometheus_wants_and_the_units_of_the_snapshot(observer, exporter):
    answer, body = request(exporter.port)
    assert answer.status == 200
    assert answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    assert int(answer.getheader("Content-Length")) == len(body)
    text = body.decode()
    assert "\nallocd_observer_up 1\n" in text
    for unit in fresh_snapshot()["units"]:
        up = int(unit["up"])
        assert f'\nallocd_unit_up{{unit="{unit["name"]}"}} {up}\n' in text


def test_promtool_finds_nothing_to_say(observer, exporter):
    assert promtool_complaints(page(exporter.port).encode()) == ""


def test_the_reference_page_documents_every_series_of_a_scrape(observer, exporter):
    assert undocumented_series(page(exporter.port)) == []


def test_the_printed_reference_is_the_committed_page():
    printed = subprocess.run([EXPORTER, "--print-metrics-reference"], capture_output=True, timeout=BOUND, check=True)
    assert printed.stdout == (SOURCE / "docs/metrics.md").read_bytes()


def german_locale(folder):
    """A locale of a test's own that writes 0,5; made, because few machines have one installed."""
    path = folder / "locales"
    path.mkdir()
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(path / "de_DE.UTF-8")], capture_output=True,
                          text=True, timeout=BOUND)
    assert made.returncode == 0, f"the package locales is needed: {made.stderr}"
    return {"LOCPATH": str(path), "LC_ALL": "de_DE.UTF-8"}


def test_a_foreign_locale_does_not_reach_the_page(observer, tmp_path):
    german = german_locale(tmp_path)
    told = subprocess.run(["/usr/bin/printf", "%.1f", "0,5"], env=german, capture_output=True, text=True, timeout=BOUND)
    assert told.stdout == "0,5"  # programs do follow it here
    # libp11-kit, below libmicrohttpd, asks for a locale when it is loaded, and newlocale(3) leaks a list under LOCPATH.
    running = Exporter(tmp_path, **german, ASAN_OPTIONS="detect_leaks=0")
    assert re.search(r"(?m)^[^#]* \d+\.\d", page(running.port))
    assert not re.search(r"(?m)^[^#]* \d+,\d", page(running.port))
    assert running.stop() == 0


def test_head_has_the_headers_of_get_and_no_body(observer, exporter):
    answer, body = request(exporter.port, method="HEAD")
    assert answer.status == 200
    assert body == b""
    assert int(answer.getheader("Content-Length")) > 1000


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_told_what_is_allowed(exporter, method):
    answer, _ = request(exporter.port, method=method, body=b"x=1" if method in ("POST", "PUT", "PATCH") else None)
    assert answer.status == 405
    assert answer.getheader("Allow") == "GET, HEAD"


def test_a_large_upload_is_refused_without_being_read(exporter):
    with socket.create_connection(("127.0.0.1", exporter.port), timeout=BOUND) as client:
        client.sendall(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 405 ")


def test_unknown_paths_are_404_and_known_ones_exact(exporter):
    for path in ("/metrics/", "/metrics/x", "/Metrics", "/-/", "/favicon.ico", "/../metrics", "/metrics%00", "/%6detrics", "/%zz"):
        assert request(exporter.port, path)[0].status == 404, path
    assert request(exporter.port, "/metrics?collect=all")[0].status == 200


def test_the_landing_page_links_to_what_there_is(observer, tmp_path):
    running = Exporter(tmp_path, "--web.telemetry-path=/m")
    answer, body = request(running.port, "/")
    assert answer.getheader("Content-Type") == "text/html; charset=utf-8"
    links = re.findall(r'href="([^"]+)"', body.decode())
    assert links == ["/m", "/-/healthy", "/-/ready"]
    assert [request(running.port, link)[0].status for link in links] == [200, 200, 200]
    assert request(running.port, "/metrics")[0].status == 404
    assert running.stop() == 0


def test_gzip_is_sent_to_who_asks_for_it(observer, exporter):
    answer, body = request(exporter.port, headers={"Accept-Encoding": "gzip"})
    assert answer.getheader("Content-Encoding") == "gzip"
    assert answer.getheader("Vary") == "Accept-Encoding"
    assert b"\nallocd_observer_up 1\n" in gzip.decompress(body)
    for refusing in ("identity", "gzip;q=0", "*;q=0", "br"):
        answer, body = request(exporter.port, headers={"Accept-Encoding": refusing})
        assert answer.getheader("Content-Encoding") is None, refusing
        assert b"\nallocd_observer_up 1\n" in body


def test_both_ip_versions_on_one_wildcard_and_on_their_own(observer, tmp_path):
    everywhere = Exporter(tmp_path, addresses=(":0",))
    for host in ("127.0.0.1", "::1"):
        assert "\nallocd_observer_up 1\n" in page(everywhere.port, host=host)
    assert everywhere.stop() == 0
    both = Exporter(tmp_path, addresses=("127.0.0.1:0", "[::1]:0"))
    (v4, v6) = [int(address.rpartition(":")[2]) for address in both.addresses]
    assert "\nallocd_observer_up 1\n" in page(v4)
    assert "\nallocd_observer_up 1\n" in page(v6, host="::1")
    assert both.stop() == 0


def test_without_the_observer_the_page_says_so_and_recovers(observer, exporter):
    assert "allocd_unit_up{" in page(exporter.port)
    observer.stop()
    down = page(exporter.port)
    assert "\nallocd_observer_up 0\n" in down
    assert "\nallocd_exporter_snapshot_fetch_errors_total 1\n" in down
    assert "allocd_unit" not in down
    assert request(exporter.port, "/-/healthy")[0].status == 200
    again = FakeObserver(observer.path)
    assert "\nallocd_observer_up 1\n" in page(exporter.port)
    again.stop()
    assert exporter.stop() == 0
    told = exporter.log.read_text()
    assert told.count("snapshot.sock") == 1 and "the observer answers again" in told


def test_ready_means_a_snapshot_has_been_fetched(tmp_path, exporter):
    assert request(exporter.port, "/-/healthy")[0].status == 200
    assert request(exporter.port, "/-/ready")[0].status == 503
    fake = FakeObserver(tmp_path / "snapshot.sock")
    assert request(exporter.port, "/-/ready")[0].status == 200
    fake.stop()
    assert request(exporter.port, "/-/ready")[0].status == 200


def test_an_old_snapshot_is_not_served_as_the_present(tmp_path, exporter):
    old = fresh_snapshot()
    old["taken_at"] -= 3600
    fake = FakeObserver(tmp_path / "snapshot.sock", lambda: json.dumps(old).encode())
    text = page(exporter.port)
    assert "\nallocd_observer_up 0\n" in text
    assert "{unit=" not in text
    assert "\nallocd_snapshot_timestamp_seconds " in text
    fake.stop()


@pytest.mark.parametrize("reply", [b"", b"{", b"null", b"\xff\x00", b'{"schema_version": 999}', b"[" * 100_000])
def test_nonsense_from_the_socket_is_an_observer_that_is_down(tmp_path, exporter, reply):
    fake = FakeObserver(tmp_path / "snapshot.sock", lambda: reply)
    assert "\nallocd_observer_up 0\n" in page(exporter.port)
    fake.stop()


def test_an_observer_that_hangs_costs_no_more_than_the_scrape_timeout(tmp_path, exporter):
    fake = FakeObserver(tmp_path / "snapshot.sock", lambda: None)
    text = page(exporter.port, headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.2"})
    assert "\nallocd_observer_up 0\n" in text
    fake.stop()


def test_hostile_names_do_not_break_the_page(tmp_path, exporter):
    snapshot = fresh_snapshot()
    names = ['/a"b', "/a\nb", "/a\\b", "/a{b}", "/\u00e9\u2028", "/" + "x" * 4000]
    for name in names:
        unit = json.loads(json.dumps(snapshot["units"][0]))
        unit["name"] = name
        snapshot["units"].append(unit)
    fake = FakeObserver(tmp_path / "snapshot.sock", lambda: json.dumps(snapshot).encode())
    text = page(exporter.port)
    assert promtool_complaints(text.encode()) == ""
    assert r'allocd_unit_up{unit="/a\"b"}' in text
    assert r'allocd_unit_up{unit="/a\nb"}' in text
    assert text.count("\nallocd_unit_up{") == len(snapshot["units"])
    fake.stop()


def test_silent_and_half_open_clients_never_cost_a_scrape(observer, exporter):
    with contextlib.ExitStack() as crowd:

        def join(data=b""):
            client = crowd.enter_context(socket.create_connection(("127.0.0.1", exporter.port), timeout=BOUND))
            with contextlib.suppress(ConnectionError):
                client.sendall(data)

        for _ in range(50):
            join()
        for _ in range(50):
            join(b"GET /metrics HTTP/1.1\r\nHost: slow")
        for _ in range(30):
            assert "\nallocd_observer_up 1\n" in page(exporter.port)
            join(b"GET /")
        held = os.listdir(f"/proc/{exporter.process.pid}/fd")
        sockets = [f for f in held if is_tcp_connection(exporter.process.pid, f)]
        assert len(sockets) <= 16 + 1  # the listener is one too


def is_tcp_connection(pid, descriptor):
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/fd/{descriptor}").startswith("socket:")
    return False


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 64,
        b"\xff\xfe\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/7.0\r\n\r\n",
        b"GET /%00%2e%2e/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=range(12),
)
def test_garbage_is_refused_and_the_exporter_lives_on(exporter, garbage):
    answer = raw(exporter.port, garbage)
    assert answer == b"" or answer.startswith(b"HTTP/1."), answer[:80]
    assert b" 500 " not in answer[:16]
    assert request(exporter.port, "/-/healthy")[0].status == 200


def test_a_connection_answers_once_and_closes(exporter):
    twice = raw(exporter.port, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    assert twice.count(b"HTTP/1.1 200 OK") == 1
    assert b"\r\nConnection: close\r\n" in twice


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(observer, exporter, number):
    with socket.create_connection(("127.0.0.1", exporter.port), timeout=BOUND) as silent:
        assert "\nallocd_observer_up 1\n" in page(exporter.port)
        exporter.process.send_signal(number)
        assert exporter.process.wait(BOUND) == 0
        assert silent.recv(1) == b""


def test_ready_is_told_to_systemd_when_it_listens(tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(BOUND)
        command = [EXPORTER, "--web.listen-address=127.0.0.1:0", f"--snapshot.socket={tmp_path}/none"]
        process = subprocess.Popen(
            command, env=quiet_environment(NOTIFY_SOCKET=str(path)), stderr=subprocess.DEVNULL
        )
        assert b"READY=1" in notify.recv(4096)
        process.terminate()
        assert b"STOPPING=1" in notify.recv(4096)
        assert process.wait(BOUND) == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("flags", [[], ["--web.systemd-socket"]])
def test_it_serves_the_socket_systemd_passes(observer, tmp_path, host, flags):
    port = free_port()
    command = ["systemd-socket-activate", "-l", f"{host}:{port}", str(EXPORTER), *flags]
    command.append(f"--snapshot.socket={tmp_path}/snapshot.sock")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, env=quiet_environment())
    try:
        wait_for(lambda: connects(host.strip("[]"), port))
        assert "\nallocd_observer_up 1\n" in page(port, host=host.strip("[]"))
        assert f"listening on {host}:{port}" in (tmp_path / "log").read_text()
    finally:
        process.terminate()
    assert process.wait(BOUND) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connects(host, port):
    try:
        socket.create_connection((host, port), timeout=BOUND).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("flags", "code", "told"),
    [
        (["--version"], 0, "allocd-exporter "),
        (["--help"], 0, "--web.listen-address"),
        (["--no-such-flag"], 2, "--no-such-flag"),
        (["--web.config.file=/x"], 2, "--web.config.file"),
        (["--web.max-requests=0"], 2, "--web.max-requests"),
        (["--web.systemd-socket", "--web.listen-address=:0"], 2, "--web.systemd-socket"),
        (["--web.systemd-socket"], 1, "LISTEN_FDS"),
        (["--web.listen-address=localhost:0"], 1, "numeric"),
        (["--web.listen-address=127.0.0.1"], 1, "port"),
        (["--web.listen-address=127.0.0.1:0", "--web.telemetry-path=metrics"], 1, "begin with /"),
    ],
)
def test_flags_exit_codes_and_streams(flags, code, told):
    result = subprocess.run([EXPORTER, *flags], capture_output=True, text=True, timeout=BOUND, env=quiet_environment())
    assert result.returncode == code
    (used, unused) = (result.stdout, result.stderr) if code == 0 else (result.stderr, result.stdout)
    assert told in used
    assert unused == ""


def test_a_taken_port_is_an_error_that_names_it(exporter):
    address = exporter.addresses[0]
    command = [EXPORTER, f"--web.listen-address={address}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, env=quiet_environment())
    assert result.returncode == 1
    assert address in result.stderr and "in use" in result.stderr


def test_an_inherited_descriptor_that_does_not_listen_is_refused():
    # Descriptor 3 is a connected socket, as with Accept=yes.
    (mine, theirs) = socket.socketpair()
    with mine, theirs:
        script = 'exec 3<&"$1"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$2" --web.systemd-socket'
        result = subprocess.run(
            ["bash", "-c", script, "bash", str(theirs.fileno()), str(EXPORTER)],
            pass_fds=[theirs.fileno()],
            capture_output=True,
            text=True,
            timeout=BOUND,
            env=quiet_environment(),
        )
    assert result.returncode == 1
    assert "Accept=no" in result.stderr
