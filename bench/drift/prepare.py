# SPDX-License-Identifier: Apache-2.0
"""A batch of runs in a process of its own: made, replayed through the C++ rules, written as OpenMetrics."""

from __future__ import annotations

import pathlib
import statistics
from typing import NamedTuple

import oracle
import runs
from page import Page
from shapes import HOUR, Series

WINDOW = 72  # hours of lows that the Theil-Sen line is drawn through
EVERY = 6  # hours from one such line to the next


class Facts(NamedTuple):
    """What is known of a run without Prometheus."""

    run: runs.Run
    begin: int
    end: int  # of the last sample: where it was killed, if it was
    lives: list[int]
    flags: list[int]  # steps at which a rule of the C++ core held, before any alert's `for`
    theil_sen: list[tuple[int, float]]  # when, bytes an hour

    def uptime(self, at: float) -> float:
        return at - max((one for one in self.lives if one <= at), default=at)


def batch(chosen: list[runs.Run], replay: pathlib.Path, metrics: set[str], path: pathlib.Path,
          fallback: bool) -> list[Facts]:
    """`fallback`: with a second host for it, which costs as much again as all the rest."""
    found = []
    with path.open("w") as file:
        for run in chosen:
            made = run.make()
            records = runs.replay(replay, made, run.limit)
            page = Page(run, made, records)
            file.writelines(page.lines(metrics, fallback and run.is_plain))
            lines = theil_sen(made) if run.is_plain else []
            found.append(Facts(run, made.times[0], made.times[-1], made.lives, page.flags(), lines))
    return found


def theil_sen(made: Series) -> list[tuple[int, float]]:
    """Of each life, from its 78th hour, the median slope between all pairs of the last 72 hourly lows."""
    out = []
    for start, until in zip(made.lives, [*made.lives[1:], made.times[-1] + 1]):
        samples = [(time, value) for time, value in zip(made.times, made.values) if start <= time < until]
        lows = oracle.hours_of(start, *zip(*samples)).lows if samples else []
        for count in range(WINDOW + 6, len(lows) + 1, EVERY):
            points = [(hour, lows[hour]) for hour in range(count - WINDOW, count) if lows[hour] is not None]
            if len(points) >= WINDOW // 2:
                slopes = [(high - low) / (right - left) for index, (left, low) in enumerate(points)
                          for right, high in points[index + 1:]]
                out.append((start + count * HOUR, statistics.median(slopes)))
    return out
