# SPDX-License-Identifier: Apache-2.0
"""The C++ rules of drift against a second implementation of theirs, which sees the whole series at once."""

from __future__ import annotations

import itertools
import os
import pathlib
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).parents[2]))
REPLAY = pathlib.Path(os.environ["ALLOCD_BIN"]) / "drift-replay"
sys.path.insert(0, str(SOURCE / "bench/drift"))

import oracle  # noqa: E402
import runs  # noqa: E402
import shapes  # noqa: E402
from shapes import DAY, GIB, HOUR, MIB  # noqa: E402

# Every shape on both bases, with hours missing in half of them, and leaks that set each of the rules off.
SERIES = [(shape, base, 0, seed % 2 == 1) for seed, shape in enumerate(shapes.SHAPES) for base in (4, 60)]
SERIES += [("steps", base, 0, missing) for base in (4, 60) for missing in (False, True)]
SERIES += [("leak", base, rate, missing) for base in (4, 60) for rate in (5, 20, 100, 500) for missing in (False, True)]
DAYS = 7
SEED = 300


def lives_of(made):
    for start, until in zip(made.lives, [*made.lives[1:], made.times[-1] + 1]):
        samples = [(time, value) for time, value in zip(made.times, made.values) if start <= time < until]
        if samples:
            yield (start, *map(list, zip(*samples)))


def full_hours(start, times):
    """Of a life: (time of the first sample of an hour, full hours before it), as a replay tells of them."""
    for _, of_hour in itertools.groupby(times, key=lambda time: (time - start) // HOUR):
        first = next(of_hour)
        if (first - start) // HOUR > 0:
            yield first, (first - start) // HOUR


def close(left, right):
    if left is None or right is None:
        return left is right
    return left == pytest.approx(right, rel=1e-9, abs=1e-9)


@pytest.fixture(scope="module", params=SERIES, ids=lambda one: "-".join(map(str, one)))
def replayed(request):
    shape, base, rate, missing = request.param
    limit = runs.LIMITS[base] * GIB
    made = shapes.cut_at(shapes.series(shape, base * GIB, SEED, days=DAYS, rate_per_hour=rate * MIB,
                                       missing=0.2 if missing else 0), limit)
    return made, limit, runs.replay(REPLAY, made, limit)


def test_the_hours_say_the_same(replayed):
    made, _, records = replayed
    at = {record.time: record for record in records}
    compared = 0
    for start, times, values in lives_of(made):
        hours = oracle.hours_of(start, times, values)
        for time, count in full_hours(start, times):
            found, wanted = at[time], oracle.answer(hours, count)
            where = f"hour {count} of the life of {start}: {found} against {wanted}"
            assert (found.slow, found.fast) == (wanted.slow, wanted.fast), where
            assert all(close(getattr(found, name), getattr(wanted, name))
                       for name in ("slope", "rising", "floor", "ceiling")), where
            compared += 1
    assert compared > 0.7 * (made.times[-1] - made.times[0]) / HOUR - 3


def test_exhaustion_is_the_same_at_every_sample(replayed):
    made, limit, records = replayed
    waiting = iter([*records, None])
    following = next(waiting)
    for start, times, values in lives_of(made):
        holds = False
        for time, wanted in zip(times, oracle.exhausting(start, times, values, limit)):
            while following and following.time <= time:
                holds, following = following.exhaustion, next(waiting)
            assert holds == wanted, f"{(time - start) / HOUR:.2f} h into the life of {start}"


def test_these_series_set_off_each_rule():
    """Or the comparison would be one of silence with silence."""
    seen = {rule: False for rule in runs.RULES}
    for base, rate in ((4, 20), (4, 100), (4, 500), (60, 500)):
        limit = runs.LIMITS[base] * GIB
        made = shapes.cut_at(shapes.series("leak", base * GIB, SEED, days=DAYS, rate_per_hour=rate * MIB), limit)
        records = runs.replay(REPLAY, made, limit)
        seen = {rule: before or any(getattr(record, rule) for record in records) for rule, before in seen.items()}
    assert all(seen.values()), seen


def test_what_is_neither_a_life_nor_a_sample_ends_it():
    done = subprocess.run([REPLAY], input="life 0 0\n60 1\nabc\n", capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "abc" in done.stderr
