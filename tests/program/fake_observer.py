# SPDX-License-Identifier: Apache-2.0
"""Stands in for the observer: a unix socket that gives each client one snapshot and closes."""

from __future__ import annotations

import json
import pathlib
import socket
import threading
import time

FIXTURE = pathlib.Path(__file__).parent / "fixtures/snapshot.json"


def fresh_snapshot(path: pathlib.Path = FIXTURE) -> dict:
    snapshot = json.loads(path.read_text())
    snapshot["taken_at"] = time.time()
    return snapshot


class FakeObserver:
    """`reply` is called for each client and gives the bytes to send, or None to hold the connection open."""

    def __init__(self, path: pathlib.Path, reply=lambda: json.dumps(fresh_snapshot()).encode()):
        self.path = path
        self.reply = reply
        self._held = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            data = self.reply()
            if data is None:
                self._held.append(client)
                continue
            try:
                client.sendall(data)
            except OSError:
                pass
            client.close()

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self._listener.close()
        for client in self._held:
            client.close()
        self.path.unlink()
