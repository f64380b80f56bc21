# SPDX-License-Identifier: Apache-2.0
"""A throwaway systemd host: a real service manager over a copy-on-write view of this machine.

Owns the namespaces, their cgroup and their processes, from `with` to the end of it, also on failure and ^C.
Nothing inside can write to the machine's files. Needs root; `unavailable()` says why it cannot work.
Boots in about a second, and several can run at once. One thread per host.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

INIT = pathlib.Path(__file__).with_name("throwaway_init.sh")
TARGET = "throwaway.target"
UNIT_DIRECTORY = "/etc/systemd/system"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_counter = itertools.count()


def _set_network_namespace(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class HostError(Exception):
    """The host could not be booted or entered."""


def unavailable() -> str | None:
    """Why no throwaway host can run on this machine, or None."""
    if os.geteuid() != 0:
        return "a throwaway systemd host needs root"
    for program in ("/lib/systemd/systemd", "/usr/bin/dbus-daemon", "/usr/bin/nsenter", "/usr/bin/setpriv"):
        if not os.path.exists(program):
            return f"{program} is missing (run ./dev setup)"
    with tempfile.TemporaryDirectory(prefix="allocd-probe-") as base:
        probe = (
            f"mount -t tmpfs probe {base} && cd {base} && mkdir u w r c && mount -t cgroup2 none c && "
            f"mount -t overlay -o lowerdir=/,upperdir=u,workdir=w probe r && mknod u/null c 1 3"
        )
        command = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--net", "--fork", "sh", "-c", probe]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20)
    if done.returncode != 0:
        return f"no namespaces with overlay, tmpfs and cgroup2 here: {done.stderr.strip()}"
    return None


def wait_until(predicate: Callable[[], object], timeout: float, what: str, every: float = 0.05) -> object:
    """The first true value of `predicate`; TimeoutError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        time.sleep(every)


class ThrowawayHost:
    """Context manager. `run` and its relatives act inside; the paths they take are the host's own."""

    def __init__(self, name: str = "throwaway") -> None:
        self.name = name
        self.cgroup = f"allocd-host-{os.getpid()}-{next(_counter)}"
        self.pid = 0  # of the host's systemd, as this machine counts
        self._base = ""
        self._holder: subprocess.Popen | None = None
        self._units: set[str] = set()

    def __enter__(self) -> ThrowawayHost:
        reason = unavailable()
        if reason:
            raise HostError(reason)
        try:
            self._boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _boot(self) -> None:
        self._base = tempfile.mkdtemp(prefix=self.cgroup + "-")
        # The chain of death signals ends the host with this process, however it ends.
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork",
             "--kill-child", "bash", str(INIT), self._base, self.cgroup, self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        os.set_blocking(self._holder.stdout.fileno(), False)
        try:
            wait_until(self._find_init, 20, "first process of the host")
            wait_until(self._is_up, 60, f"{TARGET} is active")
        except TimeoutError as error:
            raise HostError(f"{error}\n{self._boot_report()}") from None

    def _find_init(self) -> bool:
        if self._holder.poll() is not None:
            raise HostError(f"the host did not start:\n{self._said()}")
        children = pathlib.Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text().split()
        if not children or pathlib.Path(f"/proc/{children[0]}/comm").read_text() != "systemd\n":
            return False
        self.pid = int(children[0])
        return True

    def _is_up(self) -> bool:
        if self._holder.poll() is not None:
            raise HostError(f"the host ended while it booted:\n{self._said()}")
        return self.run("systemctl", "is-active", TARGET, check=False).stdout.strip() == "active"

    def _said(self) -> str:
        return (self._holder.stdout.read() or b"").decode(errors="replace")

    def _boot_report(self) -> str:
        if not self.pid:
            return self._said()
        parts = [self._said()]
        for command in (["systemctl", "list-jobs"], ["systemctl", "--failed"], ["journalctl", "-b", "-n", "40"]):
            parts.append(self.run(*command, check=False, timeout=5).stdout)
        return "\n".join(parts)

    def close(self) -> None:
        """Kills every process of the host; mounts and namespaces go with the last of them."""
        if self._holder is not None:
            if self.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            else:
                self._holder.kill()
            self._holder.wait(timeout=30)
            self._holder.stdout.close()
            self._holder = None
        self.pid = 0
        if self._base:
            self._remove_cgroup()
            os.rmdir(self._base)
            self._base = ""

    def _remove_cgroup(self) -> None:
        # The machine may have cgroup2 mounted anywhere or nowhere: look at it through a mount of our own.
        script = (f"mount -t cgroup2 none {self._base} && cd {self._base} && if [ -d {self.cgroup} ]; then "
                  f"find {self.cgroup} -depth -type d -exec rmdir {{}} +; fi")

        def removed() -> bool:
            return subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True).returncode == 0

        wait_until(removed, 20, f"cgroup {self.cgroup} is empty")

    # Commands ---------------------------------------------------------------------------------------------

    def entering(self, *command: str, user: str | None = None, env: dict[str, str] | None = None) -> list[str]:
        """The argument list that runs `command` inside."""
        variables = [f"{key}={value}" for key, value in {**ENVIRONMENT, **(env or {})}.items()]
        identity = ["setpriv", f"--reuid={user}", f"--regid={self._group(user)}", "--init-groups", "--"] if user else []
        return ["nsenter", "-t", str(self.pid), "-m", "-p", "-u", "-i", "-n", "-C", "--",
                "env", "-i", "-C", "/", *variables, *identity, *command]

    def _group(self, user: str) -> str:
        return self.run("id", "-g", user).stdout.strip()

    def run(self, *command: str, user: str | None = None, env: dict[str, str] | None = None, check: bool = True,
            timeout: float = 30, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs to the end. `check`: a non-zero exit is an AssertionError that shows both streams."""
        done = subprocess.run(self.entering(*command, user=user, env=env), input=stdin, capture_output=True, text=True,
                              errors="surrogateescape", timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"{shlex.join(command)} exited {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def popen(self, *command: str, user: str | None = None, env: dict[str, str] | None = None,
              **options: object) -> subprocess.Popen:
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.entering(*command, user=user, env=env), **options)

    def connect(self, address: str, port: int) -> socket.socket:
        """A TCP connection to a listener inside. The calling thread visits the host's network namespace."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with open("/proc/thread-self/ns/net") as home, open(f"/proc/{self.pid}/ns/net") as there:
            _set_network_namespace(there.fileno())
            try:
                connection = socket.socket(family, socket.SOCK_STREAM)
            finally:
                _set_network_namespace(home.fileno())
        connection.settimeout(30)
        try:
            connection.connect((address, port))
        except OSError:
            connection.close()
            raise
        return connection

    # Files ------------------------------------------------------------------------------------------------

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> None:
        """Replaces a file. Parents are made. Goes through the host's own root, so links resolve inside."""
        data = text.encode() if isinstance(text, str) else text
        script = 'mkdir -p "$(dirname "$1")" && rm -f "$1" && cat >"$1" && chmod "$2" "$1"'
        done = subprocess.run(self.entering("sh", "-c", script, "sh", path, f"{mode:o}"), input=data,
                              capture_output=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"cannot write {path}: {done.stderr.decode(errors='replace')}")

    def copy(self, source: str | os.PathLike[str], path: str) -> None:
        """A file of this machine, with its permission bits, to `path` inside."""
        source = pathlib.Path(source)
        self.write(path, source.read_bytes(), source.stat().st_mode & 0o777)

    def read(self, path: str) -> str:
        return self.run("cat", "--", path).stdout

    def remove(self, *paths: str) -> None:
        self.run("rm", "-rf", "--", *paths)

    # systemd ----------------------------------------------------------------------------------------------

    def systemctl(self, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return self.run("systemctl", *arguments, **options)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        out = self.systemctl("show", f"--property={','.join(properties)}", "--", unit).stdout
        return dict(line.split("=", 1) for line in out.splitlines())

    def unit(self, name: str, text: str) -> None:
        """Writes a unit file and has it loaded. `forget_units` takes it away again."""
        self.write(f"{UNIT_DIRECTORY}/{name}", text)
        self._units.add(name)
        self.systemctl("daemon-reload")

    def mask(self, name: str) -> None:
        """As an operator does it. `forget_units` takes it away again."""
        self.run("ln", "-sfn", "/dev/null", f"{UNIT_DIRECTORY}/{name}")
        self._units.add(name)
        self.systemctl("daemon-reload")

    def forget_units(self) -> None:
        """Stops and removes what `unit` made, with drop-ins and masks."""
        if not self._units:
            return
        names = sorted(self._units)
        templates = [name.replace("@.", "@*.") for name in names]
        self.systemctl("kill", "--signal=KILL", *templates, check=False)
        self.systemctl("stop", *templates, check=False, timeout=60)
        self.remove(*[f"{UNIT_DIRECTORY}/{name}" for name in names], *[f"{UNIT_DIRECTORY}/{name}.d" for name in names])
        self.systemctl("daemon-reload")
        self.systemctl("reset-failed", check=False)
        self._units.clear()

    def journal(self, unit: str | None = None, *arguments: str) -> str:
        selection = ["-u", unit] if unit else []
        return self.run("journalctl", "--no-pager", "-o", "short-monotonic", *selection, *arguments).stdout

    def journal_entries(self, unit: str, *arguments: str) -> list[dict]:
        out = self.run("journalctl", "--no-pager", "-o", "json", "-u", unit, *arguments).stdout
        return [json.loads(line) for line in out.splitlines()]

    def poll(self, predicate: Callable[[], object], timeout: float, describe: str, *units: str,
             every: float = 0.1) -> object:
        """wait_until; on failure the assertion carries status and journal of `units`."""
        try:
            return wait_until(predicate, timeout, describe, every)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.report(*units)}") from None

    def report(self, *units: str) -> str:
        parts = []
        for unit in units:
            parts.append(self.systemctl("status", "--no-pager", "-l", unit, check=False).stdout)
            parts.append(self.journal(unit, "-n", "40"))
        return "\n".join(parts)
