# SPDX-License-Identifier: Apache-2.0
"""allocd as installed on a throwaway host: configure it, start it, read its snapshot and its metrics."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import re
import socket

from throwaway_host import ThrowawayHost

PROGRAMS = ("allocd", "allocd-exporter", "allocctl")
INTERNAL_PROGRAMS = ("allocd-enforcer", "allocd-canary")
PORT = 10977
CONFIG = "/etc/allocd/allocd.yaml"
SOCKET = "run/allocd/snapshot.sock"
HOST_PROGRAMS = "/opt/host-programs"
_SERIES = re.compile(r"^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_UNIT_SUFFIXES = {".service", ".socket", ".path", ".timer", ".target", ".slice"}

Labels = dict[str, str]
Exposition = dict[str, list[tuple[Labels, float]]]


def install(host: ThrowawayHost, programs: pathlib.Path, source: pathlib.Path) -> None:
    """What a package would put in place, from a build folder and the source tree."""
    for name in PROGRAMS:
        host.copy(programs / name, f"/usr/bin/{name}")
    for name in INTERNAL_PROGRAMS:
        host.copy(programs / name, f"/usr/libexec/allocd/{name}")
    for file in sorted((source / "systemd").iterdir()):
        if file.suffix in _UNIT_SUFFIXES:
            host.copy(file, f"/usr/lib/systemd/system/{file.name}")
        elif "sysusers" in file.name:
            host.copy(file, "/usr/lib/sysusers.d/allocd.conf")
        elif "tmpfiles" in file.name:
            host.copy(file, "/usr/lib/tmpfiles.d/allocd.conf")
        elif file.suffix == ".catalog":
            host.copy(file, f"/usr/lib/systemd/catalog/{file.name}")
    host.run("systemd-sysusers")
    host.run("systemd-tmpfiles", "--create", check=False)
    host.run("journalctl", "--update-catalog")
    host.systemctl("daemon-reload")


def install_host_programs(host: ThrowawayHost, programs: pathlib.Path) -> None:
    for file in sorted((programs / "host-programs").iterdir()):
        host.copy(file, f"{HOST_PROGRAMS}/{file.name}")


def config(interval: str = "1s", observe: dict | None = None, **services: dict) -> str:
    """A configuration file: one entry under `services:` per argument, of which `unit` and `cgroup` become
    selectors. YAML, in its JSON form."""
    def service(entry: dict) -> dict:
        select = [{kind: entry[kind]} for kind in ("unit", "cgroup") if kind in entry]
        return {"select": select} | {key: value for key, value in entry.items() if key not in ("unit", "cgroup")}
    settings = {"interval": interval, "recheck_interval": "10s"} | (observe or {})
    return json.dumps({"observe": settings, "services": {name: service(entry) for name, entry in services.items()}},
                      indent=2) + "\n"


def parse_exposition(text: str) -> Exposition:
    series: Exposition = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        found = _SERIES.match(line)
        assert found, f"not a sample: {line!r}"
        labels = dict(_LABEL.findall(found["labels"] or ""))
        series.setdefault(found["name"], []).append((labels, float(found["value"])))
    return series


def pick(series: Exposition, name: str, **labels: str) -> list[float]:
    """Values of the series of `name` that carry all of `labels`."""
    return [value for found, value in series.get(name, []) if labels.items() <= found.items()]


class Allocd:
    """The observer and the exporter of one host."""

    def __init__(self, host: ThrowawayHost) -> None:
        self.host = host

    def configure(self, text: str) -> None:
        self.host.write(CONFIG, text)

    def start(self, config: str | None = None) -> Allocd:
        """(Re)starts the observer with this configuration, None for no file at all; returns when it is READY."""
        if config is None:
            self.host.remove(CONFIG)
        else:
            self.configure(config)
        self.host.systemctl("reset-failed", "allocd.service", check=False)
        done = self.host.systemctl("restart", "allocd.service", check=False, timeout=60)
        assert done.returncode == 0, f"{done.stderr}\n{self.report()}"
        self.host.systemctl("start", "allocd-exporter.socket")
        return self

    def stop(self) -> None:
        self.host.systemctl("stop", "allocd-exporter.socket", "allocd-exporter.service", "allocd.service", timeout=120)

    def report(self) -> str:
        return self.host.report("allocd.service", "allocd-exporter.service")

    # Snapshot ---------------------------------------------------------------------------------------------

    def connect(self) -> socket.socket:
        """A reader of the snapshot socket that has not read yet."""
        reader = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        reader.settimeout(10)
        reader.connect(f"/proc/{self.host.pid}/root/{SOCKET}")
        return reader

    def snapshot(self) -> dict:
        with self.connect() as reader, reader.makefile("rb") as stream:
            return json.load(stream)

    def unit(self, name: str) -> dict | None:
        return next((unit for unit in self.snapshot()["units"] if unit["name"] == name), None)

    def processes(self, unit: str, **wanted: object) -> list[dict]:
        """Processes of a unit, those whose members equal `wanted`."""
        found = self.unit(unit) or {"processes": []}
        return [process for process in found["processes"] if wanted.items() <= process.items()]

    def next_sample(self) -> dict:
        """The first snapshot of which every part was taken after this call."""
        after = self.snapshot()["sequence"] + 1
        return self.poll(lambda: (seen := self.snapshot())["sequence"] > after and seen, "two more samples")

    def poll(self, predicate, describe: str, *units: str, timeout: float = 30):
        """ThrowawayHost.poll; a failure also shows the units of the last snapshot."""
        try:
            return self.host.poll(predicate, timeout, describe, "allocd.service", *units)
        except AssertionError as error:
            try:
                seen = json.dumps(self.snapshot()["units"], indent=1)[:12000]
            except (OSError, ValueError) as problem:
                seen = f"no snapshot: {problem}"
            raise AssertionError(f"{error}\nlast snapshot: {seen}") from None

    # HTTP -------------------------------------------------------------------------------------------------

    def http(self, path: str = "/metrics", method: str = "GET", port: int = PORT,
             headers: dict[str, str] | None = None) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("localhost", port, timeout=30)
        connection.sock = self.host.connect("127.0.0.1", port)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def exposition(self) -> Exposition:
        status, _, body = self.http()
        assert status == 200, body
        return parse_exposition(body.decode())


def locations() -> tuple[pathlib.Path, pathlib.Path]:
    """Folder of the built programs and source tree, from the environment that ctest sets."""
    source = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
    return pathlib.Path(os.environ.get("ALLOCD_BIN", source / "build/dev/bin")), source
