# SPDX-License-Identifier: Apache-2.0
"""What each collector of a sample costs, as allocd says itself: 500 processes in 50 units, one sample a second."""

from __future__ import annotations

import load
import meters
from report import Report

SAMPLES = 60


def measure(bench: load.Load, out: Report) -> None:
    seen: dict[str, list[dict]] = {}
    for _ in range(SAMPLES):
        for collector in meters.wait_between_samples(bench.allocd)["collectors"]:
            seen.setdefault(collector["name"], []).append(collector)
    figures = {name: {kind: meters.spread([1000 * one[kind] for one in runs]) for kind in ("cpu", "duration")}
               for name, runs in sorted(seen.items())}
    out.table("Cost of each collector: ms a run",
              ["", "CPU", "most", "elapsed", "most"],
              [[name, one["cpu"]["median"] or "-", one["cpu"]["most"] or "-", one["duration"]["median"],
                one["duration"]["most"]]
               for name, one in figures.items()],
              f"Medians of {SAMPLES} samples. node, page_cache and costly run apart from the sample,\n"
              "each on a thread and a timer of its own; theirs is the last run. The others run\non the loop, which never waits: CPU is what has elapsed.")
    out.save("collectors", {"samples": SAMPLES, "ms": figures})

