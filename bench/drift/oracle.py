# SPDX-License-Identifier: Apache-2.0
"""The rules of drift a second time: straight from their definition, over the whole series at once, in no hurry.

Held against the C++ rules, which see one sample at a time and forget. Nothing is shared with them but what they are
to do:

  m5     the median of five samples that follow each other, those before a gap of over 30 minutes forgotten
  L, H   the lowest and highest m5 of an hour of the life, of which four of its twelve parts were seen, as float32
  d      L less L of 24 hours before, both 6 hours old or more
  slow   the medians of d over each of the last two days (12 values or more) are above max(96 MiB, 0.75 % of the median L
         of the day before them), nine in ten d are above 0, and their median is above 1.5 of their deviation
  fast   three rising L, the first above the highest H of the 24 (12 or more) hours before, from the third hour of life,
         by 0.25 % of the lowest L of these
  exhaustion  from 2.75 h: m5 above 80 % of the limit, the last L above the one before it, and the least-squares line
         through the means of m5 over the 24 five minutes before these (8 or more) rises past the limit in four hours
"""

from __future__ import annotations

import statistics
import struct
from typing import NamedTuple, Optional, Sequence

HOUR = 3600
PART = 300
MIB = 2**20
SLOW_FROM = 78  # hours of life


class Hours(NamedTuple):
    """By the hour of the life; None where it was not seen."""

    lows: list[Optional[float]]
    highs: list[Optional[float]]


class Answer(NamedTuple):
    """What holds at the end of an hour."""

    slow: bool
    fast: bool
    slope: Optional[float]  # bytes per second
    rising: Optional[float]
    floor: Optional[float]
    ceiling: Optional[float]


def hours_of(start: float, times: Sequence[float], values: Sequence[float]) -> Hours:
    """Of one life, up to the last hour that is full."""
    count = int((times[-1] - start) // HOUR)
    found: list[list[float]] = [[] for _ in range(count + 1)]
    parts: list[set[int]] = [set() for _ in range(count + 1)]
    for time, middle in zip(times, smoothed(times, values)):
        hour, within = divmod(time - start, HOUR)
        if middle is not None:
            found[int(hour)].append(middle)
            parts[int(hour)].add(int(within // PART))
    counts = [len(parts[hour]) >= 4 for hour in range(count)]
    return Hours([_float32(min(found[hour])) if counts[hour] else None for hour in range(count)],
                 [_float32(max(found[hour])) if counts[hour] else None for hour in range(count)])


def smoothed(times: Sequence[float], values: Sequence[float]) -> list[Optional[float]]:
    """m5 of each sample."""
    out: list[Optional[float]] = []
    since = 0  # the first sample after the last gap
    for index, time in enumerate(times):
        if index and time - times[index - 1] > 1800:
            since = index
        out.append(sorted(values[index - 4:index + 1])[2] if index - since >= 4 else None)
    return out


def exhausting(start: float, times: Sequence[float], values: Sequence[float], limit: float) -> list[bool]:
    """The exhaustion rule at each sample of one life."""
    lows = hours_of(start, times, values).lows
    middles = smoothed(times, values)
    means: dict[int, list[float]] = {}
    for time, middle in zip(times, middles):
        if middle is not None:
            means.setdefault(int((time - start) // PART), []).append(middle)
    return [_is_exhausting(time - start, middle, limit, lows, means) for time, middle in zip(times, middles)]


def _is_exhausting(uptime: float, now: Optional[float], limit: float, lows: list[Optional[float]],
                   means: dict[int, list[float]]) -> bool:
    count, part = int(uptime // HOUR), int(uptime // PART)
    if now is None or uptime < 2.75 * HOUR or now <= 0.8 * limit:
        return False
    if lows[count - 2] is None or lows[count - 1] is None or not lows[count - 1] > lows[count - 2]:
        return False
    points = [((one + 0.5) * PART, statistics.fmean(means[one])) for one in range(part - 24, part) if one in means]
    if len(points) < 8:
        return False
    slope, intercept = statistics.linear_regression(*zip(*points))
    return slope > 0 and intercept + slope * (uptime + 4 * HOUR) > limit


def answer(hours: Hours, count: int) -> Answer:
    """After `count` full hours."""
    lows, highs = hours
    day = _present(lows, count - 24, count)
    both = _differences(lows, count - 48, count)
    enough = len(both) >= 12
    return Answer(_is_slow(lows, count), _is_fast(lows, highs, count),
                  statistics.median(both) / (24 * HOUR) if enough else None,
                  sum(one > 0 for one in both) / len(both) if enough else None,
                  min(day) if day else None, max(_present(highs, count - 24, count)) if day else None)


def _is_slow(lows: list[Optional[float]], count: int) -> bool:
    base = _present(lows, count - 72, count - 48)
    first, second = _differences(lows, count - 48, count - 24), _differences(lows, count - 24, count)
    if count < SLOW_FROM or not base or len(first) < 12 or len(second) < 12:
        return False
    least = max(96 * MIB, 0.0075 * statistics.median(base))
    middle = statistics.median(first + second)
    deviation = statistics.median([abs(one - middle) for one in first + second])
    return (statistics.median(first) > least and statistics.median(second) > least
            and sum(one > 0 for one in first + second) >= 0.9 * len(first + second) and middle > 1.5 * deviation)


def _is_fast(lows: list[Optional[float]], highs: list[Optional[float]], count: int) -> bool:
    if count < 3 or None in lows[count - 3:count]:
        return False
    third, second, last = lows[count - 3:count]
    before = _present(highs, max(2, count - 27), count - 3)
    if len(before) < 12 or not third < second < last:
        return False
    return third - max(before) > 0.0025 * min(_present(lows, max(2, count - 27), count - 3))


def _differences(lows: list[Optional[float]], first: int, end: int) -> list[float]:
    return [lows[hour] - lows[hour - 24] for hour in range(max(first, 30), end)
            if lows[hour] is not None and lows[hour - 24] is not None]


def _present(hours: list[Optional[float]], first: int, end: int) -> list[float]:
    return [one for one in hours[max(0, first):max(0, end)] if one is not None]


def _float32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]
