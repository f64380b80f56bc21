# SPDX-License-Identifier: Apache-2.0
"""Prometheus and Alertmanager, run on loopback for as long as a test needs them."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request

# Whatever proxy the environment names: this is loopback.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(address, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", data, {"Content-Type": "application/json"})
    with _OPENER.open(request, timeout=5) as answer:
        return json.loads(answer.read() or b"null")


def wait_for(condition, what, seconds=60):
    """Polls until the condition returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            if found := condition():
                return found
        assert time.monotonic() < end, what()
        time.sleep(0.05)  # between two polls, bounded above


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def running(command, log):
    with open(log, "wb") as output:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)
