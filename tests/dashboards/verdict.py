# SPDX-License-Identifier: Apache-2.0
"""From a memory series to what the observer would export of its drift, hour by hour.

A short telling of the rules for data to draw, not their definition: that is daemon/drift, and its tests are there.
"""

from __future__ import annotations

import statistics
from typing import NamedTuple, Optional, Sequence

HOUR = 3600
DAY = 24 * HOUR


class Hour(NamedTuple):
    state: str = "warming"
    slow: bool = False
    fast: bool = False
    exhaustion: bool = False
    floor: Optional[float] = None
    ceiling: Optional[float] = None
    warm_floor: Optional[float] = None
    slope: Optional[float] = None
    rising: Optional[float] = None
    time_to_limit: Optional[float] = None
    age: float = 0


def verdicts(values: Sequence[int], step: int, limit: float) -> list[Hour]:
    """For each hour of one life: what is known at its end."""
    each = HOUR // step
    full = [values[at:at + each] for at in range(0, len(values), each)]
    lows, highs = [float(min(one)) for one in full], [float(max(one)) for one in full]
    return [_hour(lows, highs, hour, limit) for hour in range(len(full))]


def _hour(lows: list[float], highs: list[float], hour: int, limit: float) -> Hour:
    age = (hour + 1) * HOUR
    floor, ceiling = min(lows[max(0, hour - 23):hour + 1]), max(highs[max(0, hour - 23):hour + 1])
    rises = [lows[at] - lows[at - 24] for at in range(max(30, hour - 47), hour + 1)]
    slope = statistics.median(rises) / DAY if rises else None
    rising = sum(one > 0 for one in rises) / len(rises) if rises else None
    bound = max(96 * 2**20, 0.0075 * floor)
    today, before = rises[-24:], rises[:-24]
    up_today = len(today) >= 12 and statistics.median(today) > bound
    slow = up_today and len(before) >= 12 and statistics.median(before) > bound and rising >= 0.9
    fast = hour >= 17 and lows[hour - 2] < lows[hour - 1] < lows[hour] and lows[hour - 2] > max(highs[max(2, hour - 26):hour - 2]) * 1.02
    hours_rise = (lows[hour] - lows[hour - 6]) / 6 if hour >= 6 else 0.0
    near = hour >= 3 and highs[hour] > 0.8 * limit and highs[hour] + 12 * hours_rise > limit
    state = "exhaustion" if near else "drift" if slow or fast else "watch" if up_today else "normal"
    return Hour(state="warming" if age < 30 * HOUR and state == "normal" else state, slow=slow, fast=fast, exhaustion=near,
                floor=floor, ceiling=ceiling, warm_floor=min(lows[6:30]) if hour >= 30 else None, slope=slope, rising=rising,
                time_to_limit=(limit - ceiling) / slope if slope and slope > 0 and limit > ceiling else None, age=age)
