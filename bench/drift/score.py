# SPDX-License-Identifier: Apache-2.0
"""From the moments at which something fires to false alerts per service-month, and how late leaks are found."""

from __future__ import annotations

import statistics
from typing import Iterable, Mapping, NamedTuple, Optional, Sequence

import runs
from prepare import Facts
from shapes import DAY, HOUR

REARM = 6 * HOUR  # what fires again within this is the same alert
MONTH = 30 * DAY

Fires = Mapping[str, Sequence[float]]  # by the name of the run


class Found(NamedTuple):
    """Of the leaks of one base and rate."""

    runs: int
    hours: list[float]  # from the start of each that was found before it was killed
    lead: list[float]  # hours from there to the kill, of those that were killed

    @property
    def share(self) -> float:
        return len(self.hours) / self.runs

    @property
    def median(self) -> Optional[float]:
        return statistics.median(self.hours) if self.hours else None

    @property
    def last(self) -> Optional[float]:
        """None as well when a run was missed: then there is no time by which all were found."""
        return max(self.hours) if self.hours and len(self.hours) == self.runs else None

    def __str__(self) -> str:
        if not self.hours:
            return "-"
        return f"{100 * self.share:.0f}% {statistics.median(self.hours):.{0 if self.median >= 10 else 1}f}h"


def within(facts: Facts, times: Iterable[float]) -> list[float]:
    """Those of a run's own time: a range goes on answering for its length after the last sample."""
    return sorted(at for at in times if facts.begin <= at <= facts.end)


def episodes(times: Sequence[float]) -> int:
    return sum(1 for index, at in enumerate(times) if index == 0 or at - times[index - 1] > REARM)


def false_alerts(all_facts: Iterable[Facts], fires: Fires) -> Optional[float]:
    """Per service-month; None without a service."""
    count, time = 0, 0.0
    for facts in all_facts:
        count += episodes(within(facts, fires.get(facts.run.name, ())))
        time += facts.end - facts.begin
    return count * MONTH / time if time else None


def found(all_facts: Iterable[Facts], fires: Fires) -> Found:
    count, hours, lead = 0, [], []
    for facts in all_facts:
        count += 1
        times = within(facts, fires.get(facts.run.name, ()))
        if times:
            hours.append((times[0] - facts.begin) / HOUR)
            if facts.end - facts.begin < runs.DAYS * DAY - HOUR:
                lead.append((facts.end - times[0]) / HOUR)
    return Found(count, hours, lead)


def union(many: Iterable[Fires]) -> dict[str, list[float]]:
    out: dict[str, list[float]] = {}
    for one in many:
        for name, times in one.items():
            out.setdefault(name, []).extend(times)
    return {name: sorted(set(times)) for name, times in out.items()}
