# SPDX-License-Identifier: Apache-2.0
"""The metrics there are: what allocd exports (docs/metrics.md is made from its code), what engines export
(engine_metrics.txt), what the recording rules make of both, and what Prometheus adds."""

from __future__ import annotations

import functools
import pathlib
import re

from prometheus import SOURCE, recording_rules

# Recorded of engines, whose jobs are not allocd's.
OF_ENGINES = "unit:inference_"


@functools.lru_cache
def exported() -> frozenset[str]:
    text = (SOURCE / "docs" / "metrics.md").read_text()
    return frozenset(re.findall(r"^\| `(allocd_\w+)` \|", text, re.M))


@functools.lru_cache
def of_engines() -> frozenset[str]:
    lines = (pathlib.Path(__file__).parent / "engine_metrics.txt").read_text().splitlines()
    return frozenset(name for line in lines if line and not line.startswith("#") for name in _series(*line.split()[:2]))


def _series(name: str, kind: str) -> list[str]:
    return [f"{name}_bucket", f"{name}_sum", f"{name}_count"] if kind == "histogram" else [name]


@functools.lru_cache
def known_metrics() -> frozenset[str]:
    return exported() | of_engines() | {rule["record"] for rule in recording_rules()} | {"up"}
