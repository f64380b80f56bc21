# SPDX-License-Identifier: Apache-2.0
"""The rules of drift a second time: straight from their definition, over the whole series at once, in no hurry.

Held against the C++ rules, which see one sample at a time and forget. Nothing is shared with them but what they are
to do:

  m5     the median of five samples that follow each other, those before a gap of over 30 minutes forgotten
  L, H   the lowest and highest m5 of an hour of the life, of which four of its twelve parts were seen, as float32
  d      L less L of 24 hours before, both 6 hours old or more
  slow   the medians of d over each of the last two days (12 values or more) are above T = max(96 MiB, 0.4 % of the
         median L of the day before them), nine in ten d are above 0.3 T, and their median is above 2.75 of their deviation
  fast   four L, each above the one before by max(8 MiB, 0.2 % of base) or more, the first above the highest L of the 24
         (12 or more) hours before, from the third hour of life, by 0.5 % of base, which is the lowest L of these
  exhaustion  from 2.75 h: m5 above 80 % of the limit and above every H of the week before the last two hours (from the
         third hour of life), the last L above the one before it by 0.1 %, and the least-squares lines through the means
         of m5 over the 24 and over the 12 five minutes before these (a third or more) rise past the limit in four hours
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
    hours = hours_of(start, times, values)
    middles = smoothed(times, values)
    means: dict[int, list[float]] = {}
    for time, middle in zip(times, middles):
        if middle is not None:
            means.setdefault(int((time - start) // PART), []).append(middle)
    return [_is_exhausting(time - start, middle, limit, hours, means) for time, middle in zip(times, middles)]


def _is_exhausting(uptime: float, now: Optional[float], limit: float, hours: Hours,
                   means: dict[int, list[float]]) -> bool:
    count = int(uptime // HOUR)
    if now is None or uptime < 2.75 * HOUR or now <= 0.8 * limit:
        return False
    before, last = hours.lows[count - 2:count]
    if before is None or last is None or not last > 1.001 * before:
        return False
    if any(high >= now for high in _present(hours.highs, max(2, count - 168), count - 2)):
        return False
    return all(_leads_past(uptime, limit, parts, means) for parts in (24, 12))


def _leads_past(uptime: float, limit: float, parts: int, means: dict[int, list[float]]) -> bool:
    end = int(uptime // PART)
    points = [((one + 0.5) * PART, statistics.fmean(means[one])) for one in range(end - parts, end) if one in means]
    if len(points) < parts / 3:
        return False
    slope, intercept = statistics.linear_regression(*zip(*points))
    return slope > 0 and intercept + slope * (uptime + 4 * HOUR) > limit


def answer(hours: Hours, count: int) -> Answer:
    """After `count` full hours."""
    lows, highs = hours
    day = _present(lows, count - 24, count)
    both = _differences(lows, count - 48, count)
    enough = len(both) >= 12
    return Answer(_is_slow(lows, count), _is_fast(lows, count),
                  statistics.median(both) / (24 * HOUR) if enough else None,
                  sum(one > 0 for one in both) / len(both) if enough else None,
                  min(day) if day else None, max(_present(highs, count - 24, count)) if day else None)


def _is_slow(lows: list[Optional[float]], count: int) -> bool:
    base = _present(lows, count - 72, count - 48)
    first, second = _differences(lows, count - 48, count - 24), _differences(lows, count - 24, count)
    if count < SLOW_FROM or not base or len(first) < 12 or len(second) < 12:
        return False
    least = max(96 * MIB, 0.004 * statistics.median(base))
    middle = statistics.median(first + second)
    deviation = statistics.median([abs(one - middle) for one in first + second])
    return (statistics.median(first) > least and statistics.median(second) > least
            and sum(one > 0.3 * least for one in first + second) >= 0.9 * len(first + second) and middle > 2.75 * deviation)


def _is_fast(lows: list[Optional[float]], count: int) -> bool:
    last = _present(lows, count - 4, count)
    before = _present(lows, max(2, count - 28), count - 4)
    if len(last) < 4 or len(before) < 12:
        return False
    base = min(before)
    return (all(later - earlier >= max(8 * MIB, 0.002 * base) for earlier, later in zip(last, last[1:]))
            and last[0] - max(before) > 0.005 * base)


def _differences(lows: list[Optional[float]], first: int, end: int) -> list[float]:
    return [lows[hour] - lows[hour - 24] for hour in range(max(first, 30), end)
            if lows[hour] is not None and lows[hour - 24] is not None]


def _present(hours: list[Optional[float]], first: int, end: int) -> list[float]:
    return [one for one in hours[max(0, first):max(0, end)] if one is not None]


def _float32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]
