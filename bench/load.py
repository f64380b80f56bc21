# SPDX-License-Identifier: Apache-2.0
"""What is watched and who watches: idle units of ten processes each, allocd, and the peer, on one host.

Every ten processes are one engine as vLLM shows itself: an API server, an engine core, eight workers. Half of
the units run under jemalloc. Idle ones sleep, which flatters the peer: it pays for resident pages, allocd does
not. Busy ones map and unmap memory twice a second, so that no two samples of them are alike.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator

import allocd_on_host
from throwaway_host import ThrowawayHost

SOURCE = pathlib.Path(__file__).resolve().parents[1]
PEER_PROGRAM = SOURCE / "build/tools/prometheus-process-exporter/usr/bin/prometheus-process-exporter"
PEER_PORT = 9256
PEER_UNIT = "peer.service"
HOME = "/opt/bench"
PER_UNIT = 10

_IDLE = "sleep infinity"
_BUSY = f"{allocd_on_host.HOST_PROGRAMS}/breathes 500"
_ENGINE = """#!/bin/bash
(exec -a VLLM::EngineCore PROGRAM) &
for rank in 0 1 2 3 4 5 6 7; do (exec -a "VLLM::Worker_TP$rank" PROGRAM) & done
exec -a vllm PROGRAM
"""
# Debian's example configuration: every process, by its name. Without any it watches nothing.
_PEER_CONFIG = 'process_names:\n  - name: "{{.Comm}}"\n    cmdline:\n    - ".+"\n'
# As root, as upstream's own package has it: Debian's user may not read what the peer reports by default.
_PEER = f"[Service]\nExecStart={HOME}/peer -config.path={HOME}/peer.yaml\n"


def _engine_unit(environment: str) -> str:
    return f"[Service]\n{environment}ExecStart={HOME}/engine\nTasksMax=infinity\nKillMode=control-group\n"


class Load:
    """One booted host with everything in place and nothing started."""

    def __init__(self, host: ThrowawayHost, programs: pathlib.Path, busy: bool) -> None:
        self.host = host
        self.allocd = allocd_on_host.Allocd(host)
        allocd_on_host.install(host, programs, SOURCE)
        allocd_on_host.install_host_programs(host, programs)
        host.write(f"{HOME}/engine", _ENGINE.replace("PROGRAM", _BUSY if busy else _IDLE), 0o755)
        host.copy(PEER_PROGRAM, f"{HOME}/peer")
        host.copy(pathlib.Path(__file__).with_name("scraper.py"), f"{HOME}/scraper.py")
        host.write(f"{HOME}/peer.yaml", _PEER_CONFIG)
        host.unit("bench-glibc@.service", _engine_unit(""))
        host.unit("bench-jemalloc@.service", _engine_unit("Environment=LD_PRELOAD=libjemalloc.so.2\n"))
        host.unit(PEER_UNIT, _PEER)
        self._units = 0

    def grow_to(self, processes: int) -> None:
        wanted = processes // PER_UNIT
        names = [f"bench-{'glibc' if number % 2 else 'jemalloc'}@{number}.service"
                 for number in range(self._units, wanted)]
        self.host.systemctl("start", *names, timeout=120)
        self._units = wanted

    def start_allocd(self) -> None:
        """A sample a second, all evidence read again every 30 s: the defaults, ten times as fast; the machine every 10 s."""
        services = {kind: {"unit": f"bench-{kind}@*.service", "allocator": kind} for kind in ("glibc", "jemalloc")}
        self.allocd.start(allocd_on_host.config("1s", {"recheck_interval": "30s", "node_interval": "10s"}, **services))

    def wait_until_known(self, processes: int) -> None:
        def known() -> bool:
            units = self.allocd.snapshot()["units"]
            return (sum(len(unit["processes"]) for unit in units) == processes and
                    all(process["evidence"]["active"] == ("jemalloc" if "jemalloc" in unit["name"] else "glibc")
                        for unit in units for process in unit["processes"]))
        self.allocd.poll(known, f"{processes} processes with their allocator", timeout=60)

    def start_peer(self) -> None:
        self.host.systemctl("restart", PEER_UNIT)
        self.host.poll(self._peer_answers, 20, "an answer of the peer", PEER_UNIT)

    def _peer_answers(self) -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            self.host.connect("127.0.0.1", PEER_PORT).close()
            return True
        return False

    def scrape(self, ports: list[int], count: int, every: float) -> dict[int, dict[str, list]]:
        """Scrapes by a process inside, in turn: seconds and bytes of each answer, by port."""
        done = self.host.run("/usr/bin/python3", f"{HOME}/scraper.py", str(count), str(every), *map(str, ports),
                             timeout=60 + 10 * count)
        return {int(port): found for port, found in json.loads(done.stdout).items()}


@contextlib.contextmanager
def booted(programs: pathlib.Path, busy: bool = False) -> Iterator[Load]:
    with ThrowawayHost("bench") as host:
        yield Load(host, programs, busy)
