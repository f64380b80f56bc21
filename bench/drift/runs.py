# SPDX-License-Identifier: Apache-2.0
"""The runs that rules of drift are judged by, and what allocd says of each: made, replayed, written as metrics."""

from __future__ import annotations

import bisect
import functools
import pathlib
import subprocess
from typing import Iterator, NamedTuple, Optional

import shapes
from database import BEGIN, STEP
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
        return f"{self.shape}-{self.base}g-{self.rate}-{self.seed}-{'gaps' if self.missing else 'whole'}" + ("-early" if self.early else "")

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
    time, state, slow, fast, exhaustion, *figures, kind = line.split("\t")
    return Record(float(time), state, slow == "1", fast == "1", exhaustion == "1", *map(_figure, figures), kind)


def _figure(text: str) -> Optional[float]:
    return None if text in ("", "-") else float(text)


class Page:
    """The series of one run as OpenMetrics, at the steps at which allocd was there to be scraped.

    A state or a rule that never held is left out where an expression asks for `== 1`: it would be a line of zeros for
    each step.
    """

    def __init__(self, run: Run, made: shapes.Series, records: list[Record]) -> None:
        self._labels = f'instance="{run.name}",job="allocd",unit="run.service"'
        self._run = run
        at = [record.time for record in records]
        self._points: list[tuple[int, int, float, Optional[Record]]] = []
        for time, value in zip(made.times, made.values):
            if (time - BEGIN) % STEP == 0:
                last = bisect.bisect_right(at, time) - 1
                began = made.lives[bisect.bisect_right(made.lives, time) - 1]
                self._points.append((time, value, began, records[last] if last >= 0 else None))

    def lines(self, metrics: set[str]) -> Iterator[str]:
        for metric in sorted(metrics):
            yield from getattr(self, "_" + metric.removeprefix("allocd_unit_"))(metric)

    def _series(self, metric: str, more: str, figures: list[Optional[float]]) -> Iterator[str]:
        head = f"{metric}{{{self._labels}{more}}} "
        for (time, *_), figure in zip(self._points, figures):
            if figure is not None:
                yield f"{head}{figure:.10g} {time}\n"

    def _of_records(self, metric: str, field: str) -> Iterator[str]:
        return self._series(metric, "", [record and getattr(record, field) for *_, record in self._points])

    def _drift_state(self, metric: str) -> Iterator[str]:
        for state in STATES:
            held = [record is not None and record.state == state for *_, record in self._points]
            if any(held):
                yield from self._series(metric, f',state="{state}"', held)

    def _drift_rule_active(self, metric: str) -> Iterator[str]:
        for rule in RULES:
            held = [record is not None and getattr(record, rule) for *_, record in self._points]
            if any(held):
                yield from self._series(metric, f',rule="{rule}"', held)

    def _info(self, metric: str) -> Iterator[str]:
        return self._series(metric, ',engine="vllm",policy="declared",source="file",wanted="jemalloc"',
                            [1] * len(self._points))

    def _drift_memory_bytes(self, metric: str) -> Iterator[str]:
        return self._series(metric, "", [value for _, value, *_ in self._points])

    def _drift_limit_bytes(self, metric: str) -> Iterator[str]:
        return self._series(metric, ',kind="cgroup"', [self._run.limit] * len(self._points))

    def _drift_life_start_timestamp_seconds(self, metric: str) -> Iterator[str]:
        return self._series(metric, "", [began for _, _, began, _ in self._points])

    _drift_slope_bytes_per_second = functools.partialmethod(_of_records, field="slope")
    _drift_rising_ratio = functools.partialmethod(_of_records, field="rising")
    _drift_time_to_limit_seconds = functools.partialmethod(_of_records, field="time_to_limit")
    _drift_floor_bytes = functools.partialmethod(_of_records, field="floor")
    _drift_ceiling_bytes = functools.partialmethod(_of_records, field="ceiling")

    def flags(self) -> list[int]:
        return [time for time, _, _, record in self._points if record and (record.slow or record.fast or record.exhaustion)]
