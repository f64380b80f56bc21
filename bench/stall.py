# SPDX-License-Identifier: Apache-2.0
"""How long a watched process waits for its own memory map: not observed, by allocd, by the peer.

The process holds 4 GiB in 4 KiB pages and maps, touches and unmaps 64 KiB without a pause. allocd is started
for each of its windows, so that each holds a read of the evidence (at +2 s) besides the samples: more than the
shortest recheck interval would give. The peer is scraped once a second. The three alternate.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import threading
from collections.abc import Iterator

import allocd_on_host
import load
import meters
from report import Report

RESIDENT_MIB = 4096
WINDOW = 5  # seconds
ROUNDS = 7
FIGURES = ("p50_ns", "p99_ns", "p999_ns", "max_ns")
UNIT = "stall.service"


class Meter:
    """stall_meter as a unit, driven through a pair of named pipes."""

    def __init__(self, bench: load.Load) -> None:
        host = bench.host
        host.run("mkfifo", f"{load.HOME}/in", f"{load.HOME}/out")
        host.unit(UNIT, f"[Service]\nExecStart=/bin/sh -c 'exec {allocd_on_host.HOST_PROGRAMS}/stall_meter "
                        f"{RESIDENT_MIB} {WINDOW} <{load.HOME}/in >{load.HOME}/out'\n")
        host.systemctl("start", UNIT)
        root = pathlib.Path(f"/proc/{host.pid}/root{load.HOME}")
        self._in = open(root / "in", "w", buffering=1)
        self._out = open(root / "out")
        self._line()  # "ready"

    def _line(self) -> str:
        line = self._out.readline()
        if not line:
            raise AssertionError("stall_meter has ended")
        return line

    def measure(self) -> dict[str, float]:
        self._in.write("\n")
        return json.loads(self._line())

    def close(self) -> None:
        self._in.close()
        self._out.close()


@contextlib.contextmanager
def _unobserved(_: load.Load) -> Iterator[None]:
    yield


@contextlib.contextmanager
def _by_allocd(bench: load.Load) -> Iterator[None]:
    bench.allocd.start(allocd_on_host.config(interval="1s", stall={"unit": UNIT}))
    yield
    seen = bench.allocd.snapshot()
    read = seen["own"]["evidence_reads"]
    assert seen["units"][0]["processes"] and read >= 2, f"evidence was read {read} times, not twice"
    bench.allocd.stop()


@contextlib.contextmanager
def _by_peer(bench: load.Load) -> Iterator[None]:
    bench.start_peer()
    bench.scrape([load.PEER_PORT], 1, 0)
    scraper = threading.Thread(target=bench.scrape, args=([load.PEER_PORT], WINDOW, 1))
    scraper.start()
    yield
    scraper.join()
    bench.host.systemctl("stop", load.PEER_UNIT)


CONDITIONS = {"unobserved": _unobserved, "allocd": _by_allocd, "peer": _by_peer}


def measure(programs: pathlib.Path, out: Report) -> None:
    rounds: dict[str, list[dict]] = {name: [] for name in CONDITIONS}
    with load.booted(programs) as bench, contextlib.closing(Meter(bench)) as meter:
        meter.measure()  # the first touches its own buffers
        for number in range(ROUNDS):
            names = list(CONDITIONS)
            for name in names[number % 3:] + names[:number % 3]:
                with CONDITIONS[name](bench):
                    rounds[name].append(meter.measure())
    _show(rounds, out)


def _show(rounds: dict[str, list[dict]], out: Report) -> None:
    figures = {name: {key: meters.spread([one[key] / 1000 for one in found]) for key in FIGURES}
               for name, found in rounds.items()}
    base = figures["unobserved"]["max_ns"]["median"]
    rows = []
    for name, one in figures.items():
        worst = one["max_ns"]
        rows.append([name, *(one[key]["median"] for key in FIGURES), worst["least"], worst["most"],
                     worst["median"] / base])
    out.table(f"Stall of mmap+touch+munmap, {RESIDENT_MIB} MiB in 4 KiB pages: us, medians of rounds",
              ["observed by", "p50", "p99", "p99.9", "worst", "least", "most", "ratio"], rows,
              f"{ROUNDS} rounds of {WINDOW} s each, in turn. least, most: of the worst of each round.\n"
              "ratio: worst to worst unobserved. Where least and most lie far apart, the\n"
              "worst is the scheduler's more than the observer's.")
    out.save("stall", {"rounds": rounds, "figures_us": figures})
    ratio = figures["allocd"]["max_ns"]["median"] / base
    out.target("Stall: worst observed / unobserved", "<= 1.2", f"{ratio:.2f}", ratio <= 1.2)
