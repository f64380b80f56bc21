# SPDX-License-Identifier: Apache-2.0
"""Figures of a unit as the kernel keeps them: CPU of its cgroup to the microsecond, memory of its main process."""

from __future__ import annotations

import pathlib
import statistics
import time

from throwaway_host import ThrowawayHost


class Meter:
    """Of one unit that is running; found once, then read from outside at no cost to the host."""

    def __init__(self, host: ThrowawayHost, unit: str) -> None:
        shown = host.show(unit, "ControlGroup", "MainPID")
        root = pathlib.Path(f"/proc/{host.pid}/root")
        self._cpu = root / f"sys/fs/cgroup{shown['ControlGroup']}/cpu.stat"
        self._process = root / f"proc/{shown['MainPID']}"

    def cpu_ms(self) -> float:
        """User and system time of all its processes and threads since the unit was started."""
        words = self._cpu.read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1000

    def memory_mib(self) -> dict[str, float]:
        lines = (line.split() for line in (self._process / "status").read_text().splitlines())
        wanted = ("VmRSS:", "RssAnon:", "RssFile:", "VmHWM:")
        return {words[0][:-1]: int(words[1]) / 1024 for words in lines if words and words[0] in wanted}


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "rounds": len(values)}


def wait_between_samples(allocd) -> dict:
    """The newest snapshot, at a time when neither a sample nor the reading of a snapshot is under way."""
    last = allocd.snapshot()["sequence"]
    while (seen := allocd.snapshot())["sequence"] == last:
        time.sleep(0.02)
    time.sleep(0.4)
    return seen
