# SPDX-License-Identifier: Apache-2.0
"""The runs that rules of drift are judged by, and what allocd says of each: made, and replayed through its C++ rules."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Iterator, NamedTuple, Optional

import shapes
from database import BEGIN
from shapes import GIB, HOUR, MIB

DAYS = 14
BASES = (4, 60)  # GiB
LIMITS = {4: 8, 60: 96}
RATES = (5, 20, 100, 500)  # MiB an hour
MISSING = 0.2
LATEST_EARLY = 40 * HOUR  # after Monday's midnight
STATES = ("warming", "normal", "watch", "drift", "exhaustion")
RULES = ("slow", "fast", "exhaustion")


class Run(NamedTuple):
    shape: str
    base: int
    seed: int
    rate: int = 0
    missing: bool = False
    early: bool = False  # it starts so early in the week that its first 80 hours are of working days

    @property
    def name(self) -> str:
        gaps, early = "gaps" if self.missing else "whole", "-early" if self.early else ""
        return f"{self.shape}-{self.base}g-{self.rate}-{self.seed}-{gaps}{early}"

    @property
    def is_plain(self) -> bool:
        """One of those that the detectors other than allocd's are tried on: without gaps, and leaks from early on."""
        return not self.missing and (self.is_healthy or self.early)

    @property
    def limit(self) -> int:
        return LIMITS[self.base] * GIB

    @property
    def is_healthy(self) -> bool:
        return self.shape in shapes.HEALTHY

    def make(self) -> shapes.Series:
        begins = self.seed * 7919 % (LATEST_EARLY // HOUR) * HOUR if self.early else None
        whole = shapes.series(self.shape, self.base * GIB, self.seed, days=DAYS, rate_per_hour=self.rate * MIB,
                              missing=MISSING if self.missing else 0.0, start=BEGIN, begins=begins)
        return shapes.cut_at(whole, self.limit)


def all_runs(seeds: range) -> list[Run]:
    """Healthy shapes with and without gaps, and leaks; what is neither (creep, mapped pages) once."""
    runs = [Run(shape, base, seed, missing=missing) for shape in shapes.HEALTHY for base in BASES for seed in seeds
            for missing in (False, True)]
    runs += [Run(shape, base, seed) for shape in ("creep", "mmap") for base in BASES for seed in seeds]
    return runs + [Run("leak", base, seed, rate, early=early) for base in BASES for rate in RATES for seed in seeds
                   for early in (True, False)]


class Record(NamedTuple):
    """A line of drift-replay."""

    time: float
    state: str
    slow: bool
    fast: bool
    exhaustion: bool
    slope: Optional[float]
    rising: Optional[float]
    time_to_limit: Optional[float]
    floor: Optional[float]
    ceiling: Optional[float]
    kind: str
    window: float
    needed: float
    lives: int
    lives_growth: Optional[float]


def replay(program: pathlib.Path, made: shapes.Series, limit: int) -> list[Record]:
    done = subprocess.run([program], input="".join(_replayed(made, limit)), capture_output=True, text=True, check=True)
    return [_record(line) for line in done.stdout.splitlines()]


def _replayed(made: shapes.Series, limit: int) -> Iterator[str]:
    """A life begins before its first sample, which the hours that are missing may have taken."""
    waiting = list(made.lives)
    for time, value in zip(made.times, made.values):
        while waiting and waiting[0] <= time:
            yield f"life {waiting.pop(0)} {limit}\n"
        yield f"{time} {value}\n"


def _record(line: str) -> Record:
    time, state, slow, fast, exhaustion, slope, rising, to_limit, floor, ceiling, kind, window, needed, lives, growth = \
        line.split("\t")
    return Record(float(time), state, slow == "1", fast == "1", exhaustion == "1",
                  *map(_figure, (slope, rising, to_limit, floor, ceiling)), kind, float(window), float(needed), int(lives),
                  _figure(growth))


def _figure(text: str) -> Optional[float]:
    return None if text in ("", "-") else float(text)
