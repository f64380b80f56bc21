# SPDX-License-Identifier: Apache-2.0
"""The series of one run as OpenMetrics, at the steps at which allocd was there to be scraped."""

from __future__ import annotations

import bisect
from typing import Callable, Iterator, Optional

import runs
import shapes
from database import BEGIN, STEP

# A host whose allocd tells of no drift: what the fallback is for.
WITHOUT_DRIFT = "old:"
OF_EVERY_HOST = frozenset(("allocd_unit_info",))
# Asked for by a shipped expression that has an `or` or an `unless` for their absence.
NOT_MADE = frozenset(("allocd_collector_success", "allocd_node_memory_available_bytes"))


class Page:
    """A state or a rule that never held is left out: rules ask for `== 1`, and it would be a line of zeros a step."""

    def __init__(self, run: runs.Run, made: shapes.Series, records: list[runs.Record]) -> None:
        self._run = run
        at = [record.time for record in records]
        self._times: list[int] = []
        self._memory: list[Optional[float]] = []
        self._began: list[Optional[float]] = []
        self._records: list[Optional[runs.Record]] = []
        for time, value in zip(made.times, made.values):
            if (time - BEGIN) % STEP == 0:
                last = bisect.bisect_right(at, time) - 1
                self._times.append(time)
                self._memory.append(value)
                self._began.append(made.lives[bisect.bisect_right(made.lives, time) - 1])
                self._records.append(records[last] if last >= 0 else None)

    def flags(self) -> list[int]:
        """When a rule of the agent held, before any alert's `for`."""
        return [time for time, record in zip(self._times, self._records)
                if record and (record.slow or record.fast or record.exhaustion)]

    def lines(self, metrics: set[str], without_drift: bool) -> Iterator[str]:
        """`without_drift`: a second host with the same memory, whose allocd is too old to judge it."""
        for metric in sorted(metrics - NOT_MADE):
            is_drift = metric.startswith("allocd_unit_drift_")
            if is_drift or metric in OF_EVERY_HOST:
                yield from self._lines_of(metric, self._run.name)
            if without_drift and not is_drift:
                yield from self._lines_of(metric, WITHOUT_DRIFT + self._run.name)

    def _lines_of(self, metric: str, host: str) -> Iterator[str]:
        for labels, figures in self._series(metric):
            head = f'{metric}{{instance="{host}",job="allocd",unit="run.service"{labels}}} '
            for time, figure in zip(self._times, figures):
                if figure is not None:
                    yield f"{head}{figure:.10g} {time}\n"

    def _series(self, metric: str) -> Iterator[tuple[str, list[Optional[float]]]]:
        """Labels beside those of every series, and a figure for each step."""
        if metric == "allocd_unit_drift_state":
            yield from self._held(metric, "state", runs.STATES, lambda record, state: record.state == state)
        elif metric == "allocd_unit_drift_rule_active":
            yield from self._held(metric, "rule", runs.RULES, lambda record, rule: getattr(record, rule))
        elif metric in _FIELDS:
            yield "", [record and getattr(record, _FIELDS[metric]) for record in self._records]
        else:
            yield self._of_memory()[metric]

    def _held(self, metric: str, label: str, names: tuple[str, ...],
              holds: Callable[[runs.Record, str], bool]) -> Iterator[tuple[str, list[Optional[float]]]]:
        for name in names:
            figures = [None if record is None else float(holds(record, name)) for record in self._records]
            if any(figures):
                yield f',{label}="{name}"', figures

    def _of_memory(self) -> dict[str, tuple[str, list[Optional[float]]]]:
        steps = len(self._times)
        limit: list[Optional[float]] = [self._run.limit] * steps
        return {
            "allocd_unit_info": (',engine="vllm",policy="declared",source="file",wanted="jemalloc"', [1] * steps),
            "allocd_unit_drift_memory_bytes": ("", self._memory),
            "allocd_unit_drift_limit_bytes": (',kind="cgroup"', limit),
            "allocd_unit_drift_life_start_timestamp_seconds": ("", self._began),
            "allocd_unit_memory_anonymous_bytes": (',role="server"', self._memory),
            "allocd_unit_memory_swap_bytes": (',role="server"', [0] * steps),
            "allocd_unit_start_time_seconds": ("", self._began),
            "allocd_unit_cgroup_memory_effective_limit_bytes": (',limit="max"', limit)}


_FIELDS = {
    "allocd_unit_drift_slope_bytes_per_second": "slope", "allocd_unit_drift_rising_ratio": "rising",
    "allocd_unit_drift_time_to_limit_seconds": "time_to_limit", "allocd_unit_drift_floor_bytes": "floor",
    "allocd_unit_drift_ceiling_bytes": "ceiling", "allocd_unit_drift_window_seconds": "window",
    "allocd_unit_drift_needed_seconds": "needed", "allocd_unit_drift_lives": "lives",
    "allocd_unit_drift_lives_growth_bytes_per_second": "lives_growth"}
