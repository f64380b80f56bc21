# SPDX-License-Identifier: Apache-2.0
"""500 processes in 50 units, watched by allocd and by the peer: CPU, memory, and how long a scrape takes.

Rounds alternate, so that what else the machine does falls on all alike. CPU is that of the unit's cgroup.
"""

from __future__ import annotations

import pathlib
import statistics
import threading
import time

import collectors
import load
import meters
from allocd_on_host import PORT
from report import Report

PARTS = ("cpu", "collectors", "memory", "scrape")
PROCESSES = 500
ROUNDS = 3
WINDOW = 30  # seconds, samples, and the time in which all evidence is read once
PEER_SCRAPES = 15
OWN_SAMPLES = 7  # of which allocd's own account is read
SCRAPES = 300
LEAST_SAMPLES = 90  # before memory is looked at
READERS = 4


def measure(programs: pathlib.Path, parts: list[str], out: Report) -> None:
    with load.booted(programs) as bench:
        bench.grow_to(PROCESSES)
        bench.start_peer()
        bench.start_allocd()
        bench.wait_until_known(PROCESSES)
        bench.scrape([PORT, load.PEER_PORT], 3, 0)  # starts the exporter; the first of the peer is its dearest
        if "cpu" in parts:
            time.sleep(31)  # past the second early look at each process, which a running service has once
            _show_cpu([_cpu_round(bench) for _ in range(ROUNDS)], out)
        if "collectors" in parts:
            collectors.measure(bench, out)
        if "scrape" in parts:
            _show_scrapes(bench.scrape([PORT, load.PEER_PORT], SCRAPES, 0.1), out)
        if "memory" in parts:
            _show_memory(*_read_for_long(bench), out)


# CPU ------------------------------------------------------------------------------------------------------


def _cpu_round(bench: load.Load) -> dict[str, float]:
    observer = meters.Meter(bench.host, "allocd.service")
    exporter = meters.Meter(bench.host, "allocd-exporter.service")
    peer = meters.Meter(bench.host, load.PEER_UNIT)

    def window(meanwhile) -> tuple[float, float, float]:
        first = meters.wait_between_samples(bench.allocd)
        begun = observer.cpu_ms(), exporter.cpu_ms()
        meanwhile()
        spent = observer.cpu_ms() - begun[0], exporter.cpu_ms() - begun[1]
        last = bench.allocd.snapshot()
        samples = last["sequence"] - first["sequence"]
        reads = last["own"]["evidence_reads"] - first["own"]["evidence_reads"]
        return reads / samples, *(one / samples for one in spent)

    reads, quiet, _ = window(lambda: time.sleep(WINDOW))
    _, read, served = window(lambda: (bench.scrape([PORT], WINDOW - 1, 1), time.sleep(1)))
    before = peer.cpu_ms()
    bench.scrape([load.PEER_PORT], PEER_SCRAPES, 0.1)
    per_scrape = (peer.cpu_ms() - before) / PEER_SCRAPES
    own = statistics.median(1000 * meters.wait_between_samples(bench.allocd)["own"]["sample_cpu"]
                            for _ in range(OWN_SAMPLES))
    return {"own_sample": own, "reads_per_sample": reads, "observer_quiet": quiet,
            "observer_read": read, "exporter": served, "peer": per_scrape, "ratio_sample": per_scrape / own,
            "ratio": per_scrape / quiet, "ratio_with_scrape": per_scrape / (read + served)}


_CPU_ROWS = (("allocd: one sample, as it says itself", "own_sample"),
             ("allocd: one sample and its evidence", "observer_quiet"),
             ("allocd: the same, with a scrape a second", "observer_read"),
             ("allocd-exporter: one scrape", "exporter"),
             ("peer: one scrape", "peer"),
             ("peer / one sample", "ratio_sample"),
             ("peer / sample and evidence", "ratio"),
             ("peer / all of allocd with a scrape", "ratio_with_scrape"))


def _show_cpu(rounds: list[dict[str, float]], out: Report) -> None:
    figures = {key: meters.spread([one[key] for one in rounds]) for key in rounds[0]}
    rows = [[title, *(figures[key][part] for part in ("median", "least", "most"))] for title, key in _CPU_ROWS]
    reads = figures["reads_per_sample"]["median"]
    out.table(f"CPU, {PROCESSES} processes in {PROCESSES // load.PER_UNIT} units: ms, and ratios",
              ["", "median", "least", "most"], rows,
              f"{ROUNDS} rounds of {WINDOW} samples; with each sample the evidence of {reads:.0f} processes was\n"
              f"read again, as with the default intervals.")
    out.save("cpu", {"rounds": rounds, "figures": figures})
    for what, key in (("our sample", "ratio_sample"), ("sample and evidence", "ratio")):
        ratio = figures[key]["median"]
        out.target(f"CPU: peer's scrape / {what}", ">= 20", f"{ratio:.1f}", ratio >= 20)


# Scrapes --------------------------------------------------------------------------------------------------


def _show_scrapes(found: dict[int, dict[str, list]], out: Report) -> None:
    figures = {}
    for name, port in (("allocd-exporter", PORT), ("peer", load.PEER_PORT)):
        took = [1000 * one for one in found[port]["seconds"]]
        figures[name] = {"p50": statistics.median(took), "p90": meters.percentile(took, 0.9),
                         "p99": meters.percentile(took, 0.99), "worst": max(took),
                         "kib": statistics.median(found[port]["bytes"]) / 1024}
    out.table(f"Scrape of /metrics: ms over {SCRAPES} scrapes each, in turn",
              ["", "p50", "p90", "p99", "worst", "KiB"], [[name, *one.values()] for name, one in figures.items()])
    out.save("scrape", {"count": SCRAPES, "figures_ms": figures, "all": found})
    p99 = figures["allocd-exporter"]["p99"]
    out.target("Scrape of allocd-exporter, p99", "< 10 ms", f"{p99:.1f} ms", p99 < 10)


# Memory ---------------------------------------------------------------------------------------------------


def _read_for_long(bench: load.Load) -> tuple[int, dict[str, dict[str, float]]]:
    """Keeps readers and a scraper on it until enough samples were taken."""
    done = threading.Event()

    def read() -> None:
        while not done.wait(0.5):
            bench.allocd.snapshot()

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        while (samples := bench.allocd.snapshot()["sequence"]) < LEAST_SAMPLES:
            bench.scrape([PORT, load.PEER_PORT], 5, 1)
        bench.scrape([PORT, load.PEER_PORT], 10, 1)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    names = {"allocd": "allocd.service", "allocd-exporter": "allocd-exporter.service", "peer": load.PEER_UNIT}
    return samples, {name: meters.Meter(bench.host, unit).memory_mib() for name, unit in names.items()}


def _show_memory(samples: int, memory: dict[str, dict[str, float]], out: Report) -> None:
    columns = ("VmRSS", "RssAnon", "RssFile", "VmHWM")
    out.table(f"Memory after {samples} samples, {READERS} readers and a scraper: MiB", ["", *columns],
              [[name, *(one[column] for column in columns)] for name, one in memory.items()])
    out.save("memory", {"samples": samples, "mib": memory})
    for name, limit in (("allocd", 12), ("allocd-exporter", 10)):
        resident = memory[name]["VmRSS"]
        out.target(f"Memory of {name}", f"< {limit} MiB", f"{resident:.1f} MiB", resident < limit)
