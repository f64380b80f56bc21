# SPDX-License-Identifier: Apache-2.0
"""The emulated machine from inside, with the face of a throwaway host: what installs and drives allocd there works
here.

Everything takes longer under emulation, so every bound is longer too. Never to be used outside that machine: it
writes to what it runs on.
"""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
from collections.abc import Callable

import throwaway_host

SLOWER = 10  # than a throwaway host, at most


class LocalHost(throwaway_host.ThrowawayHost):
    """No context manager: the host ends with the machine."""

    def __init__(self) -> None:
        if not os.path.exists("/run/vm/results"):
            raise throwaway_host.HostError("this is not the emulated machine")
        super().__init__("allocd-vm")
        self.pid = 1

    def entering(self, *command: str, user: str | None = None, env: dict[str, str] | None = None) -> list[str]:
        variables = [f"{key}={value}" for key, value in {**throwaway_host.ENVIRONMENT, **(env or {})}.items()]
        identity = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user else []
        return ["env", "-i", "-C", "/", *variables, *identity, *command]

    def run(self, *command: str, timeout: float = 30, **options: object) -> subprocess.CompletedProcess[str]:
        return super().run(*command, timeout=timeout * SLOWER, **options)

    def poll(self, predicate: Callable[[], object], timeout: float, describe: str, *units: str,
             every: float = 0.5) -> object:
        return super().poll(predicate, timeout * SLOWER, describe, *units, every=every)

    def connect(self, address: str, port: int) -> socket.socket:
        return socket.create_connection((address, port), timeout=30 * SLOWER)

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        file = pathlib.Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        file.chmod(mode)

    def units(self, texts: dict[str, str]) -> None:
        """Several unit files with one reload, which takes seconds here."""
        for name, text in texts.items():
            self.write(f"{throwaway_host.UNIT_DIRECTORY}/{name}", text)
        self.systemctl("daemon-reload")
