# SPDX-License-Identifier: Apache-2.0
"""Writes series as OpenMetrics text, for promtool to make blocks of. Millions of lines: each is built once."""

from __future__ import annotations

from typing import Sequence, TextIO, Union

Values = Union[float, Sequence[Union[float, None]]]


class Page:
    """Series of one length of step each, from `start` on; `holes`: for a node, the times at which it said nothing."""

    def __init__(self, out: TextIO, start: int, end: int) -> None:
        self.out = out
        self.start = start
        self.end = end
        self.holes: dict[str, tuple[float, float]] = {}
        self.lines = 0
        self._stamps: dict[int, list[str]] = {}

    def stamps(self, step: int) -> list[str]:
        if step not in self._stamps:
            self._stamps[step] = [f" {at}\n" for at in range(self.start, self.end + 1, step)]
        return self._stamps[step]

    def add(self, name: str, labels: dict[str, str], values: Values, step: int, first: float = 0, last: float = 1e12) -> None:
        """`values`: one for all times, or one for each; None is no sample. `first`, `last`: seconds from the start."""
        inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
        head = f"{name}{{{inside}}} "
        for begin, end in self._pieces(labels, step, first, last):
            stamps = self.stamps(step)[begin:end]
            if not stamps:
                continue
            self.lines += len(stamps)
            if isinstance(values, (int, float)):
                constant = f"{head}{values!r}"
                self.out.write(constant + constant.join(stamps))
            else:
                self.out.write("".join([f"{head}{value!r}{stamp}" for value, stamp in zip(values[begin:end], stamps)
                                        if value is not None]))

    def _pieces(self, labels: dict[str, str], step: int, first: float, last: float) -> list[tuple[int, int]]:
        begin, end = -int(-first // step), int(min(last, self.end - self.start) // step) + 1
        hole = self.holes.get(labels.get("instance", "")) if labels.get("job") == "allocd" else None
        if hole is None:
            return [(begin, end)]
        return [(begin, min(end, int(hole[0] // step))), (max(begin, int(hole[1] // step) + 1), end)]
