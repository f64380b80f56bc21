# SPDX-License-Identifier: Apache-2.0
"""The memory of inference services over weeks, made up: the same arguments give the same bytes everywhere.

    shapes.series("leak", 4 * shapes.GIB, seed=7, rate_per_hour=20 * shapes.MIB) -> Series

Only random.Random.random() is drawn from, the one source whose sequence Python promises to keep; values are whole
pages, so that the last bit of a platform's exp() does not matter. The level, the noise and the season scale with
`base_bytes`; only a leak is in bytes of its own. `start` moves the times and changes no value: where in the
week a run begins is drawn from the seed. One rate, base and seed are one run; `missing` takes hours out of it and
leaves the others as they were.

What every run has: loading, then warm-up over its first hours; noise from minute to minute; a level that wanders
over half a day; bursts of minutes to an hour that come back down. What a shape adds stands at its function.
"""

from __future__ import annotations

import math
import random
from typing import Callable, NamedTuple

MIB = 2**20
GIB = 2**30
PAGE = 4096
HOUR = 3600
DAY = 24 * HOUR
WEEK = 7 * DAY
START = 1_767_571_200  # 2026-01-05 00:00 UTC


class Series(NamedTuple):
    times: list[int]  # seconds since the epoch, rising; not every step where hours are missing
    values: list[int]  # RssAnon + VmSwap, bytes
    lives: list[int]  # when each life of the process began, the first at the first time
    file_values: list[int]  # RssFile, bytes; belongs to no verdict


class Run:
    """One run while it is made: its dice, its clock and its load."""

    def __init__(self, dice: random.Random, days: float, step: int, base: int, rate_per_hour: float,
                 begins: float | None) -> None:
        self.dice = dice
        self.random = dice.random
        self.step = step
        self.count = int(days * DAY) // step
        self.base = base
        self.rate_per_hour = rate_per_hour
        anywhere = self.random() * WEEK
        self.phase = int(anywhere if begins is None else begins)  # seconds since Monday's midnight, where it runs
        self.load = _load(self)
        self.life_starts = [0]  # as steps

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.random()

    def spread(self, low: float, high: float) -> float:
        """As between, with as much below the geometric middle as above it."""
        return low * (high / low) ** self.random()

    def steps(self, seconds: float) -> float:
        return seconds / self.step

    def clock(self, index: int) -> int:
        """Seconds since a Monday's midnight where it runs."""
        return self.phase + index * self.step


def series(shape: str, base_bytes: int, seed: int, *, days: float = 14, step: int = 60, rate_per_hour: float = 0,
           missing: float = 0.0, start: int = START, begins: float | None = None) -> Series:
    """`rate_per_hour` in bytes: what a leak loses on average. `missing`: the share of hours without a sample.

    `begins`: seconds after Monday's midnight, where it runs, at which it starts; drawn when not given.
    """
    dice = random.Random(f"{shape} {base_bytes} {seed} {rate_per_hour:.0f}")
    run = Run(dice, days, step, base_bytes, rate_per_hour, begins)
    level = SHAPES[shape](run)
    files = _mapped_files(run) if shape == "mmap" else [int(0.1 * base_bytes) // PAGE * PAGE] * run.count
    scale = base_bytes / PAGE
    values = [max(1, int(share * scale)) * PAGE for share in map(sum, zip(level, *_common(run)))]
    kept = range(run.count) if not missing else _kept(run, seed, missing)
    return Series([start + index * step for index in kept], [values[index] for index in kept],
                  [start + index * step for index in run.life_starts], [files[index] for index in kept])


def cut_at(made: Series, limit: float) -> Series:
    """Up to the moment at which the kernel would have killed it: the first sample at the limit is the last."""
    end = next((index + 1 for index, value in enumerate(made.values) if value >= limit), len(made.values))
    if end == len(made.values):
        return made
    last = made.times[end - 1]
    return Series(made.times[:end], made.values[:end], [one for one in made.lives if one <= last],
                  made.file_values[:end])


# What every run has ------------------------------------------------------------------------------------------


def _bell(rand: Callable[[], float]) -> float:
    """Mean 0, deviation 1, never beyond 3: three uniform numbers are near enough to a normal one."""
    return 2 * (rand() + rand() + rand()) - 3


def _wander(run: Run, deviation: float, seconds: float) -> list[float]:
    """Noise that forgets itself in `seconds`."""
    keep = math.exp(-run.step / seconds)
    kick = 2 * deviation * math.sqrt(1 - keep * keep)
    rand = run.random
    value = deviation * _bell(rand)
    out = []
    for _ in range(run.count):
        value = keep * value + kick * (rand() + rand() + rand() - 1.5)
        out.append(value)
    return out


def _bursts(run: Run, a_day: float = 3.0, mean: float = 0.02) -> list[float]:
    """Up within a step, held for minutes to an hour, back within about ten minutes."""
    out = [0.0] * run.count
    at = 0.0
    while True:
        at += -math.log(1 - run.random()) * run.steps(DAY) / a_day
        if at >= run.count:
            return out
        height = -math.log(1 - run.random()) * mean
        _add_bump(run, out, int(at), height, rise=run.step, hold=run.spread(3 * 60, HOUR), fall=600)


def _add_bump(run: Run, out: list[float], first: int, height: float, rise: float, hold: float, fall: float) -> None:
    """Adds a straight rise, a plateau and an exponential fall."""
    rise_steps = max(1.0, run.steps(rise))
    held = rise_steps + run.steps(hold)
    end = held + 6 * run.steps(fall)
    for index in range(first, min(run.count, first + int(end) + 1)):
        age = index - first
        if age < held:
            out[index] += height * min(1.0, (age + 1) / rise_steps)
        else:
            out[index] += height * math.exp((held - age) / max(1e-9, run.steps(fall)))


def _common(run: Run) -> tuple[list[float], ...]:
    return (_wander(run, 0.0015, 120), _wander(run, run.spread(0.0005, 0.002), 12 * HOUR), _bursts(run))


def _load(run: Run) -> list[float]:
    """Requests, 1 at the height of a usual working day: up in the morning within two hours, down over the evening.

    Days differ by some percent, and the weekend has three fifths to all of it.
    """
    night, noon, morning = run.between(0.1, 0.4), run.between(0.85, 1.0), run.between(6.5, 9.0)
    weekend = run.between(0.6, 1.0)
    knots = [(0.0, night), (morning, night), (morning + 2, 1.0), (12.5, noon), (14.0, 1.0), (18.0, 0.9),
             (22.0, (0.9 + night) / 2), (24.0, night)]
    profile = [_between_knots(knots, minute / 60) for minute in range(24 * 60)]
    last_day = (run.phase + run.count * run.step) // DAY
    scale = [run.between(0.95, 1.05) * (weekend if day % 7 >= 5 else 1.0) for day in range(last_day + 1)]
    clocks = range(run.phase, run.phase + run.count * run.step, run.step)
    return [profile[clock % DAY // 60] * scale[clock // DAY] for clock in clocks]


def _between_knots(knots: list[tuple[float, float]], at: float) -> float:
    for (left, low), (right, high) in zip(knots, knots[1:]):
        if at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return knots[-1][1]


def _follow_load(run: Run, height: float) -> list[float]:
    """Memory that load takes: there within a quarter of an hour, given back over hours."""
    up = 1 - math.exp(-run.step / 900)
    down = 1 - math.exp(-run.step / (run.between(2, 6) * HOUR))
    value = height * run.load[0]
    out = []
    for load in run.load:
        wanted = height * load
        value += (wanted - value) * (up if wanted > value else down)
        out.append(value)
    return out


def _life(run: Run, count: int, *, settle: float, overshoot: float = 0.0, growth: float = 0.0) -> list[float]:
    """The level of one life: weights are read in minutes, then the rest is touched over `settle` seconds.

    `overshoot`: held by staging buffers while it loads and given back. `growth`: what the two weeks after that add,
    as the logarithm of the age.
    """
    loading = max(1, int(run.steps(run.between(2, 15) * 60)))
    staged = loading + int(run.steps(run.between(2, 20) * 60)) if overshoot else loading
    untouched = run.between(0.1, 0.35)
    out = []
    for age in range(count):
        if age < staged:
            out.append((0.05 + (0.95 - untouched + overshoot) * min(1.0, age / loading)))
            continue
        seconds = (age - staged) * run.step
        slow = growth * math.log1p(seconds / HOUR) / math.log1p(14 * 24) if growth else 0.0
        out.append(1 - untouched * math.exp(-seconds / settle) + slow)
    return out


def _usual_life(run: Run) -> list[float]:
    return _life(run, run.count, settle=run.between(20, 90) * 60)


def _plus(*parts: list[float]) -> list[float]:
    return [sum(each) for each in zip(*parts)]


def _kept(run: Run, seed: int, missing: float) -> list[int]:
    """The steps of the hours that were sampled. The first hour is always there: a run is seen to begin."""
    dice = random.Random(f"missing {seed} {missing}")
    hours = run.count * run.step // HOUR + 1
    there = [True] + [dice.random() >= missing for _ in range(hours)]
    return [index for index in range(run.count) if there[index * run.step // HOUR]]


# The shapes --------------------------------------------------------------------------------------------------


def _flat(run: Run) -> list[float]:
    return _usual_life(run)


def _diurnal(run: Run) -> list[float]:
    return _plus(_usual_life(run), _follow_load(run, run.between(0.05, 0.25)))


def _batch(run: Run) -> list[float]:
    """A job each night, in a third of the runs not at weekends; one night in ten without it."""
    jobs = [0.0] * run.count
    hour, size = run.between(0, 5), run.between(0.1, 0.3)
    weekends = run.random() < 2 / 3
    for day in range((run.phase + run.count * run.step) // DAY + 1):
        begins = day * DAY + (hour + run.between(-0.5, 0.5)) * HOUR
        height, hold = size * run.between(0.8, 1.2), run.between(1, 3) * HOUR
        rise, fall = run.between(5, 30) * 60, run.spread(5, 60) * 60
        skipped = run.random() < 0.1 or (day % 7 >= 5 and not weekends)
        first = int(run.steps(begins - run.phase))
        if first >= 0 and not skipped:
            _add_bump(run, jobs, first, height, rise, hold, fall)
    return _plus(_usual_life(run), _follow_load(run, run.between(0.02, 0.08)), jobs)


def _warm_up(run: Run) -> list[float]:
    """Loading overshoots by up to all of the base; then hours of warm-up, and growth by its logarithm for ever."""
    life = _life(run, run.count, settle=run.between(1, 5) * HOUR, overshoot=run.spread(0.1, 1.0),
                 growth=run.between(0.01, 0.05))
    return _plus(life, _follow_load(run, run.between(0.02, 0.1)))


def _step_levels(run: Run, mean_days: float) -> list[float]:
    """A model, an adapter or a graph more, for good; one in four takes an earlier one away."""
    out = []
    levels = [0.0]
    left = 0.0
    for _ in range(run.count):
        left -= 1
        if left < 0:
            if out and run.random() < 0.25 and len(levels) > 1:
                levels.pop()
            elif out:
                levels.append(levels[-1] + run.spread(0.005, 0.05))
            left = -math.log(1 - run.random()) * run.steps(mean_days * DAY)
        out.append(levels[-1])
    return out


def _steps(run: Run) -> list[float]:
    return _plus(_usual_life(run), _follow_load(run, run.between(0.02, 0.1)), _step_levels(run, 3))


def _sawtooth(run: Run) -> list[float]:
    """Garbage that is collected when there is enough of it: every half hour in one run, twice a day in another."""
    height, period = run.between(0.04, 0.2), run.spread(0.5, 16) * HOUR
    teeth: list[float] = []
    while len(teeth) < run.count:
        length = max(1, int(run.steps(period * run.between(0.8, 1.2))))
        top = height * run.between(0.85, 1.15)
        teeth += [top * age / length for age in range(length)]
    return _plus(_usual_life(run), _follow_load(run, run.between(0.02, 0.1)), teeth[:run.count])


def _restarts(run: Run) -> list[float]:
    """A deployment every few days: each life loads and warms up anew, at a level of its own."""
    mean = run.spread(1, 4) * DAY
    level: list[float] = []
    while len(level) < run.count:
        length = int(run.steps(max(2 * HOUR, mean * run.between(0.4, 1.6))))
        if level:
            run.life_starts.append(len(level))
        own = run.between(0.96, 1.04)
        level += [own * one for one in _life(run, length, settle=run.between(20, 90) * 60, overshoot=0.1)]
    return _plus(level[:run.count], _follow_load(run, run.between(0.02, 0.2)))


def _ramp(run: Run) -> list[float]:
    """Traffic that grows by a fifth to four fifths within the run, and takes the quiet hours' memory with it."""
    more = run.between(0.2, 0.8)
    run.load = [load * (1 + more * index / run.count) for index, load in enumerate(run.load)]
    return _plus(_usual_life(run), _follow_load(run, run.between(0.04, 0.12)))


def _mmap(run: Run) -> list[float]:
    """Only its file pages grow: weights that are read as they are needed."""
    return _plus(_usual_life(run), _follow_load(run, run.between(0.02, 0.1)))


def _mapped_files(run: Run) -> list[int]:
    """Pages of the weights come in over days and are dropped, a share at a time, when the machine wants memory."""
    share, size = 0.1, run.between(0.8, 1.5)
    speed = run.step / run.spread(0.5 * DAY, 4 * DAY)
    dropped = run.step / (1.5 * DAY)
    out = []
    for load in run.load:
        share += (1 - share) * speed * load
        if run.random() < dropped:
            share *= run.between(0.3, 0.9)
        out.append(int(share * size * run.base) // PAGE * PAGE)
    return out


def _creep(run: Run) -> list[float]:
    """Fragmentation: as the root of the age. Memory is held that was not held before, and nothing leaks."""
    total = run.between(0.05, 0.2)
    end = 14 * DAY
    grown = [total * math.sqrt(index * run.step / end) for index in range(run.count)]
    return _plus(_usual_life(run), _follow_load(run, run.between(0.02, 0.15)), grown)


def _leak(run: Run) -> list[float]:
    """`rate_per_hour` on average and more under load, on a service that has a season and a step a week."""
    each = run.rate_per_hour * run.step / HOUR / run.base / (sum(run.load) / run.count)
    lost, total = [], 0.0
    for load in run.load:
        total += each * load
        lost.append(total)
    return _plus(_usual_life(run), _follow_load(run, run.between(0.01, 0.06)), _step_levels(run, 7), lost)


SHAPES: dict[str, Callable[[Run], list[float]]] = {
    "flat": _flat, "diurnal": _diurnal, "batch": _batch, "warm_up": _warm_up, "steps": _steps, "sawtooth": _sawtooth,
    "restarts": _restarts, "ramp": _ramp, "mmap": _mmap, "creep": _creep, "leak": _leak}
# What a service may do for ever without harm.
HEALTHY = ("flat", "diurnal", "batch", "warm_up", "steps", "sawtooth", "restarts", "ramp")
