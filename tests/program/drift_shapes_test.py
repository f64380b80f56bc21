# SPDX-License-Identifier: Apache-2.0
"""The made-up memory of bench/drift/shapes.py: always the same bytes, and each shape what its name says."""

from __future__ import annotations

import hashlib
import os
import pathlib
import statistics
import struct
import sys

import pytest

SOURCE = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).parents[2]))
sys.path.insert(0, str(SOURCE / "bench/drift"))

import shapes  # noqa: E402
from shapes import DAY, GIB, HOUR, MIB  # noqa: E402

BASE = 4 * GIB
SEEDS = range(900, 903)


def rate_of(shape):
    return 20 * MIB if shape == "leak" else 0


def made(shape, seed=1, base=BASE, **more):
    return shapes.series(shape, base, seed, rate_per_hour=rate_of(shape), **more)


def floors(one):
    """The lowest of each whole day but the first, in which every run loads."""
    days = {}
    for time, value in zip(one.times, one.values):
        days.setdefault((time - one.times[0]) // DAY, []).append(value)
    return [min(values) for day, values in sorted(days.items()) if day > 0]


def checksum():
    every = hashlib.sha256()
    for shape in shapes.SHAPES:
        one = made(shape, seed=5, days=3, missing=0.2)
        for numbers in one:
            every.update(struct.pack(f"<{len(numbers)}q", *numbers))
    return every.hexdigest()


def test_the_same_bytes_in_every_run_and_on_every_machine():
    assert checksum() == "02dbeeb6ac353a93c0a8857d345ec4cfae45416d3a41d64b28409cd1dc5b9a2f"


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_what_holds_for_every_shape(shape):
    one = made(shape, base=60 * GIB)
    assert one.times == list(range(shapes.START, shapes.START + 14 * DAY, 60))
    assert len(one.values) == len(one.file_values) == len(one.times)
    assert all(value > 0 and value % shapes.PAGE == 0 for value in one.values + one.file_values)
    assert one.lives[0] == one.times[0] and sorted(set(one.lives)) == one.lives
    assert 0.7 < statistics.median(one.values) / (60 * GIB) < 1.7
    assert made(shape, base=60 * GIB) == one
    assert made(shape, seed=2, base=60 * GIB).values != one.values
    moved = made(shape, base=60 * GIB, start=0)
    assert moved.values == one.values and moved.times[0] == 0


def test_missing_hours_are_missing_and_change_nothing_else():
    whole, part = made("diurnal"), made("diurnal", missing=0.2)
    hours = {(time - whole.times[0]) // HOUR for time in part.times}
    assert 0.75 < len(hours) / (14 * 24) < 0.85 and 0 in hours
    values = dict(zip(whole.times, whole.values))
    assert all(values[time] == value for time, value in zip(part.times, part.values))
    assert len(part.times) == 60 * len(hours)
    assert made("diurnal", missing=0.2) == part


def test_a_run_may_be_told_when_in_the_week_it_starts():
    monday, saturday = (made("diurnal", begins=day * DAY + 12 * HOUR) for day in (0, 5))
    assert monday.values != saturday.values
    assert monday == made("diurnal", begins=12 * HOUR)


def test_only_restarts_have_more_than_one_life():
    for shape in shapes.SHAPES:
        lives = [len(made(shape, seed).lives) for seed in SEEDS]
        assert min(lives) > 2 if shape == "restarts" else max(lives) == 1, shape


@pytest.mark.parametrize("seed", SEEDS)
def test_the_floor_of_what_is_flat_stays(seed):
    for shape in ("flat", "diurnal", "batch", "mmap"):
        lows = floors(made(shape, seed))
        assert (max(lows) - min(lows)) / BASE < 0.06, shape


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_adds_its_rate_and_steps_no_more_than_they_may(seed):
    for base in (4 * GIB, 60 * GIB):
        for rate in (0, 5, 500):
            lows = floors(shapes.series("leak", base, seed, rate_per_hour=rate * MIB))
            grown = (lows[-1] - lows[0]) / MIB / (24 * (len(lows) - 1))
            assert abs(grown - rate) < 0.1 * rate + 0.0006 * base / MIB, (base, rate)


@pytest.mark.parametrize("seed", SEEDS)
def test_creep_slows_and_mapped_pages_are_not_memory_of_its_own(seed):
    lows = floors(made("creep", seed))
    assert lows[6] - lows[0] > lows[-1] - lows[6] > 0
    mapped = made("mmap", seed)
    assert max(mapped.file_values) > 2 * mapped.file_values[0]


def test_warm_up_overshoots_and_goes_on_growing():
    for seed in SEEDS:
        one = made("warm_up", seed)
        lows = floors(one)
        assert lows[-1] > lows[0]
        assert one.values[0] < 0.6 * statistics.median(one.values)


def test_a_run_is_cut_where_it_meets_its_limit():
    one = made("leak")
    cut = shapes.cut_at(one, 1.5 * BASE)
    assert cut.values[-1] >= 1.5 * BASE > max(cut.values[:-1])
    assert cut.values == one.values[:len(cut.values)]
    assert shapes.cut_at(made("flat"), 8 * GIB) == made("flat")
