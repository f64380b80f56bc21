# SPDX-License-Identifier: Apache-2.0
"""What was found inside the machine, with both sides of each comparison within reach."""

from __future__ import annotations

import allocd_on_host
import readings

MIB = 1 << 20


class Observed:
    def __init__(self, found: dict) -> None:
        self.found = found
        self.release: str = found["release"]
        self.snapshot: dict = found["snapshot"]
        self.metrics = allocd_on_host.parse_exposition(found["metrics"])

    # allocd's side ----------------------------------------------------------------------------------------

    def unit(self, name: str) -> dict:
        return next(unit for unit in self.snapshot["units"] if unit["name"] == name)

    def process(self, unit: str) -> dict:
        (process,) = self.unit(unit)["processes"]
        return process

    def metric(self, name: str, **labels: str) -> float:
        """The one sample with these labels."""
        values = allocd_on_host.pick(self.metrics, name, **labels)
        assert len(values) == 1, (name, labels, values)
        return values[0]

    def allocctl(self, question: str) -> dict:
        return self.found["allocctl"][question]

    # The other side, before and after allocd looked -------------------------------------------------------

    def processes(self, unit: str) -> list[dict[str, str]]:
        """Files of the unit's one process, as read before and after."""
        return [next(iter(self.found[when]["units"][unit]["processes"].values())) for when in ("before", "after")]

    def cgroups(self, unit: str) -> list[dict[str, str]]:
        return [self.found[when]["units"][unit]["cgroup"] for when in ("before", "after")]

    def nodes(self) -> list[dict]:
        return [self.found[when]["node"] for when in ("before", "after")]

    def node_files(self, path: str) -> list[str | None]:
        return [node["files"].get(path) for node in self.nodes()]

    def statuses(self, unit: str) -> list[dict[str, int]]:
        return [readings.sizes(process["status"]) for process in self.processes(unit)]


def assert_between(found: float | None, readings_of_others: list[float], slack: float = 0, what: str = "") -> None:
    """`found` was read between the readings of others; a figure that stood still is therefore equal to them."""
    assert found is not None, f"{what}: allocd has no figure, others read {readings_of_others}"
    low, high = min(readings_of_others) - slack, max(readings_of_others) + slack
    assert low <= found <= high, f"{what}: allocd says {found}, others read {readings_of_others} (slack {slack})"
