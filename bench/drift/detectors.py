# SPDX-License-Identifier: Apache-2.0
"""Everything that is judged: allocd's shipped alerts, their fallback, and the one-liners that people write instead.

A detector is asked of one base at a time and answers when it fires, by run. The plain ones come twice: with the
threshold that people give them, and with the one at which they fire falsely no more often than allocd's alerts do.
"""

from __future__ import annotations

import pathlib
from typing import Callable, NamedTuple

import rules
import runs
import score
from database import Database
from prepare import Facts
from shapes import GIB, HOUR, MIB

# Those of config/prometheus that say that a service's memory grows; the others of its memory are about pressure.
DRIFT_ALERTS = ("AllocdMemoryDrift", "AllocdMemoryExhaustion", "AllocdMemoryGrowth")
MEMORY = "allocd_unit_drift_memory_bytes"
Answers = dict[str, list[float]]


class Plain(NamedTuple):
    title: str
    fires: Callable[[Database, list[Facts], int, float], Answers]  # (database, facts, base, threshold)
    customary: float
    span: tuple[float, float]  # in which a threshold may lie
    gate: float = 0  # of uptime, seconds


def deriv(database: Database, _: list[Facts], base: int, threshold: float) -> Answers:
    return _asked(database, f"{_deriv(base)} > {threshold}")


def _deriv(base: int) -> str:
    return f'deriv({MEMORY}{{instance=~".+-{base}g-.+"}}[6h]) * {HOUR} / {MIB}'


def predict_linear(database: Database, _: list[Facts], base: int, threshold: float) -> Answers:
    limit = runs.LIMITS[base] * GIB
    return _asked(database, f'predict_linear({MEMORY}{{instance=~".+-{base}g-.+"}}[1d], 3 * 86400) > {threshold} * {limit}')


def theil_sen(_: Database, facts: list[Facts], base: int, threshold: float) -> Answers:
    return {one.run.name: [at for at, slope in one.theil_sen if slope / MIB > threshold]
            for one in facts if one.run.base == base}


PLAIN = (
    Plain("deriv[6h] > {:.0f} MiB/h", deriv, 20, (20, 4000)),
    Plain("deriv[6h] > {:.0f} MiB/h, up 12 h", deriv, 20, (20, 4000), 12 * HOUR),
    Plain("predict_linear[1d] 3d > {:.2f} limit", predict_linear, 1, (0.3, 5)),
    Plain("predict_linear[1d] 3d > {:.2f}, up 30 h", predict_linear, 1, (0.3, 5), 30 * HOUR),
    Plain("Theil-Sen 72 h > {:.1f} MiB/h", theil_sen, 2, (0.1, 400)),
)
# Those for which a threshold is looked for: with a gate, without which none would do.
FITTED = PLAIN[1], PLAIN[3], PLAIN[4]


def ask(plain: Plain, database: Database, facts: list[Facts], base: int, threshold: float) -> Answers:
    known = {one.run.name: one for one in facts}
    return {name: [at for at in times if known[name].uptime(at) >= plain.gate]
            for name, times in plain.fires(database, facts, base, threshold).items()}


def fit(plain: Plain, database: Database, facts: list[Facts], base: int, budget: float) -> float:
    """The least threshold at which the healthy runs of a base cost no more than `budget`, to 2 %."""
    healthy = [one for one in facts if one.run.base == base and one.run.is_healthy and not one.run.missing]
    low, high = plain.span
    while high / low > 1.02:
        middle = (low * high) ** 0.5
        if score.false_alerts(healthy, ask(plain, database, facts, base, middle)) <= budget:
            high = middle
        else:
            low = middle
    return high


def drift_alerts(*paths: pathlib.Path) -> tuple[list[rules.Rule], list[rules.Rule]]:
    """The recording rules of shipped files, and those of their alerts that are about drift."""
    records, alerts = map(lambda many: sum(many, []), zip(*map(rules.read, paths)))
    return records, [one for one in alerts if one.name.startswith(DRIFT_ALERTS)]


def shipped(database: Database, records: list[rules.Rule], alerts: list[rules.Rule]) -> dict[str, Answers]:
    """When each alert fires; those of one name, which differ in severity, are one."""
    rules.record(database, records, alerts)
    found: dict[str, list[Answers]] = {}
    for alert in alerts:
        found.setdefault(alert.name, []).append(rules.firing(database, alert))
    return {name: score.union(answers) for name, answers in found.items()}


def _asked(database: Database, expression: str) -> Answers:
    return {labels["instance"]: [at for at, _ in points] for labels, points in database.query(expression)}
