# SPDX-License-Identifier: Apache-2.0
"""A port of this machine's loopback that leads to a port inside a throwaway host. Daemon threads; no close."""

from __future__ import annotations

import contextlib
import socket
import threading

from throwaway_host import ThrowawayHost


def open_relay(host: ThrowawayHost, port: int) -> int:
    """Listens on 127.0.0.1, on `port` or, where that is taken, on a free one. Returns which."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    listener.listen()
    threading.Thread(target=_accept, args=(listener, host, port), daemon=True).start()
    return listener.getsockname()[1]


def _accept(listener: socket.socket, host: ThrowawayHost, port: int) -> None:
    while True:
        outside, _ = listener.accept()
        try:
            inside = host.connect("127.0.0.1", port)
        except OSError:
            outside.close()
            continue
        inside.settimeout(None)
        for source, sink in ((outside, inside), (inside, outside)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
