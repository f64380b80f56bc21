# SPDX-License-Identifier: Apache-2.0
"""A port of a throwaway host, made reachable on this machine's loopback address."""

from __future__ import annotations

import contextlib
import socket
import threading

from throwaway_host import ThrowawayHost


class Relay:
    """Context manager. Listens on 127.0.0.1 at a port of the kernel's choice and copies bytes both ways."""

    def __init__(self, host: ThrowawayHost, port: int) -> None:
        self._host = host
        self._inner_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Relay:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed: the end
            while True:
                outer, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(outer,), daemon=True).start()

    def _join(self, outer: socket.socket) -> None:
        with outer:
            try:
                inner = self._host.connect("127.0.0.1", self._inner_port)
            except OSError:
                return
            inner.settimeout(None)
            with inner:
                back = threading.Thread(target=_copy, args=(inner, outer), daemon=True)
                back.start()
                _copy(outer, inner)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
