# SPDX-License-Identifier: Apache-2.0
"""From 50 to 2,000 processes: what a sample, its snapshot and a scrape cost. allocd is new at each size."""

from __future__ import annotations

import pathlib
import statistics
import time

import load
import meters
from allocd_on_host import PORT
from report import Report

SIZES = (50, 100, 200, 500, 1000, 2000)
WINDOW = 8  # samples
BUSY = 500
SCRAPES = 20
PEER_SCRAPES = 5


def measure(programs: pathlib.Path, out: Report) -> None:
    with load.booted(programs) as bench:
        rows = [_measure_size(bench, size) for size in SIZES]
    with load.booted(programs, busy=True) as bench:
        busy = _measure_size(bench, BUSY)
    out.table("Growth",
              ["processes", "units", "CPU ms", "us per", "evidence", "RSS", "snapshot", "scrape", "peer CPU"],
              [[row["processes"], row["units"], row["sample_ms"], row["sample_us_each"], row["evidence_us_each"],
                row["rss_mib"], row["snapshot_kib"], row["scrape_ms"], row["peer_ms"]]
               for row in [*rows, busy | {"processes": f"{BUSY} busy"}]],
              f"CPU ms: one sample, over {WINDOW} without evidence. us per: that per process. evidence:\n"
              "us of CPU per process from start to READY, each read once. RSS in MiB, snapshot\n"
              "in KiB, scrape: median in ms. peer CPU: ms of one scrape. busy: each process\n"
              "maps and unmaps memory all the time; the others sleep.")
    out.save("growth", {"idle": rows, "busy": busy})
    each = [row["sample_us_each"] for row in rows]
    worst = max(each) / each[0]
    out.target("Growth: us per process, worst / at 50", "<= 1.25", f"{worst:.2f}", worst <= 1.25)


def _measure_size(bench: load.Load, size: int) -> dict[str, float]:
    bench.grow_to(size)
    bench.start_allocd()
    observer = meters.Meter(bench.host, "allocd.service")
    first = observer.cpu_ms()
    bench.wait_until_known(size)
    time.sleep(3)  # past the first early look; the second comes at 30 s
    before = meters.wait_between_samples(bench.allocd)
    begun = observer.cpu_ms()
    time.sleep(WINDOW)
    spent = observer.cpu_ms() - begun
    document = _document(bench)
    samples = bench.allocd.snapshot()["sequence"] - before["sequence"]
    scraped = bench.scrape([PORT], SCRAPES, 0.1)[PORT]
    return {"processes": size, "units": size // load.PER_UNIT, "sample_ms": spent / samples,
            "sample_us_each": 1000 * spent / samples / size, "evidence_us_each": 1000 * first / size,
            "rss_mib": observer.memory_mib()["VmRSS"], "snapshot_kib": len(document) / 1024,
            "scrape_ms": 1000 * statistics.median(scraped["seconds"]), "peer_ms": _peer_scrape_ms(bench)}


def _document(bench: load.Load) -> bytes:
    with bench.allocd.connect() as reader, reader.makefile("rb") as stream:
        return stream.read()


def _peer_scrape_ms(bench: load.Load) -> float:
    bench.start_peer()
    bench.scrape([load.PEER_PORT], 1, 0)
    peer = meters.Meter(bench.host, load.PEER_UNIT)
    before = peer.cpu_ms()
    bench.scrape([load.PEER_PORT], PEER_SCRAPES, 0)
    spent = peer.cpu_ms() - before
    bench.host.systemctl("stop", load.PEER_UNIT)
    return spent / PEER_SCRAPES
