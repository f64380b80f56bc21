# SPDX-License-Identifier: Apache-2.0
"""Alert and recording rules as they are shipped: read from config/prometheus, evaluated by a real Prometheus.

What Prometheus does with an expression's answers over time (`for`, `keep_firing_for`) is done here, because a server
evaluates alerts only now, never over the weeks that have been.
"""

from __future__ import annotations

import pathlib
import re
from typing import Iterable, NamedTuple

import yaml
from database import STEP, Database
from page import WITHOUT_DRIFT

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Rule(NamedTuple):
    name: str  # of the alert, or of the recorded series
    expression: str
    hold: float  # seconds
    keep: float
    labels: dict[str, str]


def read(path: pathlib.Path) -> tuple[list[Rule], list[Rule]]:
    """The recording rules and the alert rules of a file, in its order."""
    records, alerts = [], []
    for group in yaml.safe_load(path.read_text())["groups"]:
        for one in group["rules"]:
            rule = Rule(one.get("alert") or one["record"], one["expr"], seconds(one.get("for", "0s")),
                        seconds(one.get("keep_firing_for", "0s")), one.get("labels", {}))
            (alerts if "alert" in one else records).append(rule)
    return records, alerts


def seconds(duration: str) -> float:
    return sum(int(amount) * UNITS[unit] for amount, unit in re.findall(r"(\d+)(ms|[smhdw])", duration))


def metrics_of(expressions: Iterable[str]) -> set[str]:
    return {name for one in expressions for name in re.findall(r"(?<![\w:])allocd_\w+(?![\w:])", one)}


def record(database: Database, records: list[Rule], alerts: list[Rule]) -> None:
    """Backfills the recorded series that the alerts need, those that need others after these."""
    wanted = needed(records, [one.expression for one in alerts])
    done: set[str] = set()
    while wanted:
        ready = [one for one in wanted if not any(_uses(one.expression, other.name) for other in wanted)]
        if not ready:
            raise ValueError(f"recording rules in a circle: {[one.name for one in wanted]}")
        database.record([{"name": "these", "rules": [{"record": one.name, "expr": one.expression, "labels": one.labels}
                                                     for one in ready]}])
        done |= {one.name for one in ready}
        wanted = [one for one in wanted if one.name not in done]


def firing(database: Database, alert: Rule) -> dict[str, list[float]]:
    """When it fires, by the name of the run."""
    out: dict[str, list[float]] = {}
    for labels, points in database.query(alert.expression):
        times = held([at for at, _ in points], alert.hold, alert.keep)
        name = labels["instance"].removeprefix(WITHOUT_DRIFT)
        out[name] = sorted({*out.get(name, []), *times})
    return out


def held(active: list[float], hold: float, keep: float, step: float = STEP) -> list[float]:
    """The evaluations at which an alert fires whose expression has an answer at the times `active`."""
    out: list[float] = []
    since = before = None
    for at in active:
        if before is not None and at - before > step:
            out += _kept(out, before, at, keep, step)
            # One that is still kept goes on firing: it does not wait for `for` again.
            since = since if out and at - step <= out[-1] else None
        since = at if since is None else since
        if at - since >= hold:
            out.append(at)
        before = at
    if before is not None:
        out += _kept(out, before, float("inf"), keep, step)
    return out


def _kept(fired: list[float], last: float, until: float, keep: float, step: float) -> list[float]:
    """The steps after `last`, at which it fired, for which it is kept although nothing answers."""
    if not keep or not fired or fired[-1] != last:
        return []
    count = int(min(keep, until - step - last) // step)
    return [last + step * (one + 1) for one in range(count)]


def _uses(expression: str, name: str) -> bool:
    return re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", expression) is not None


def needed(records: list[Rule], expressions: list[str]) -> list[Rule]:
    found: list[Rule] = []
    while more := [one for one in records
                   if one not in found and any(_uses(text, one.name) for text in expressions)]:
        found += more
        expressions = expressions + [one.expression for one in more]
    return found
