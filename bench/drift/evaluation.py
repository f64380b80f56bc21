# SPDX-License-Identifier: Apache-2.0
"""./dev bench drift: how often the drift alerts are false and how soon they find a leak, beside the usual one-liners.

Two sets of the same runs: on the seeds of the one, thresholds were and may be tuned; the seeds of the other were
never looked at while anything was chosen. Everything shipped is run as shipped: the C++ rules by drift-replay, the
alert rules of config/prometheus by a Prometheus. Docs: docs/benchmarks.md, "Drift".
"""

from __future__ import annotations

import concurrent.futures
import functools
import pathlib
import shutil
from typing import Callable, Iterable, NamedTuple, Optional

import detectors
import prepare
import rules
import runs
import score
from database import BEGIN, Database
from prepare import Facts
from shapes import DAY, HEALTHY

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TOOLS = SOURCE / "build/tools/prometheus/usr/bin"
ALERTS = (SOURCE / "config/prometheus/allocd-alerts.rules.yaml",)
FALLBACK = tuple(SOURCE / f"config/prometheus/allocd-{name}.rules.yaml" for name in ("recording", "drift-fallback"))
HELD_OUT = "held-out"
SEEDS = {"tuning": range(0, 20), HELD_OUT: range(2000, 2020)}
QUICK = 4  # seeds
BATCH = 20  # runs
SHORT = {"MemoryExhaustionSoon": "exhaustion", "MemoryDriftFast": "fast", "MemoryDriftSlow": "slow",
         "MemoryGrowthHiddenByRestarts": "hidden", "C++ rules without an alert": "C++ alone"}
WORKERS = 2
OURS = "allocd: any drift alert"
FALLBACK_TITLE = "allocd's fallback in PromQL"


class Set(NamedTuple):
    name: str
    facts: list[Facts]
    database: Database
    shipped: dict[str, detectors.Answers]  # by alert, and OURS
    whole_only: set[str]  # titles of those that were not tried where hours are missing


def measure(replay: pathlib.Path, work: pathlib.Path, out, quick: bool = False) -> None:  # noqa: ANN001
    """`out` is a report.Report. Leaves nothing but what that writes."""
    shutil.rmtree(work, ignore_errors=True)
    try:
        with concurrent.futures.ProcessPoolExecutor(WORKERS) as makers:
            sets = [_begin(name, seeds[:QUICK] if quick else seeds, replay, work, makers)
                    for name, seeds in SEEDS.items()]
            with concurrent.futures.ThreadPoolExecutor(len(sets)) as threads:
                judged = list(threads.map(_judge, sets))
            _compare(judged, out)
    finally:
        for one in _open:
            one.stop()
        _open.clear()
        shutil.rmtree(work, ignore_errors=True)


_open: list[Database] = []


def _begin(name: str, seeds: range, replay: pathlib.Path, work: pathlib.Path,
           makers: concurrent.futures.Executor) -> tuple[str, list[Facts], Database]:
    folder = work / name
    database = Database(TOOLS, folder, BEGIN + runs.DAYS * DAY)
    _open.append(database)
    chosen = runs.all_runs(seeds)
    batches = [chosen[first:first + BATCH] for first in range(0, len(chosen), BATCH)]
    parts = [folder / f"{index}.part" for index in range(len(batches))]
    work_of = functools.partial(prepare.batch, replay=replay, metrics=_metrics(), fallback=name == HELD_OUT)
    facts = [one for found in makers.map(_prepared, [work_of] * len(batches), batches, parts) for one in found]
    page = folder / "page.om"
    with page.open("wb") as whole:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)
            part.unlink()
        whole.write(b"# EOF\n")
    return name, facts, database


def _prepared(work: Callable[..., list[Facts]], chosen: list[runs.Run], part: pathlib.Path) -> list[Facts]:
    return work(chosen, path=part)


def _metrics() -> set[str]:
    """What the shipped rules and the one-liners ask for."""
    wanted = {detectors.MEMORY}
    for paths in (ALERTS, FALLBACK):
        records, alerts = detectors.drift_alerts(*paths)
        needed = rules.needed(records, [one.expression for one in alerts])
        wanted |= rules.metrics_of(one.expression for one in [*needed, *alerts])
    return wanted


def _judge(one: tuple[str, list[Facts], Database]) -> Set:
    name, facts, database = one
    page = database.folder / "page.om"
    database.fill(page)
    page.unlink()
    database.start()
    found = detectors.shipped(database, *detectors.drift_alerts(*ALERTS))
    ours = {OURS: score.union(found.values())}
    core = {"  C++ rules without an alert": {facts.run.name: facts.flags for facts in one[1]}}
    parts = {f"  {alert.removeprefix('Allocd')}": answers for alert, answers in found.items()}
    answers = ours | parts | core
    if name == HELD_OUT:
        answers[FALLBACK_TITLE] = score.union(
            detectors.shipped(database, *detectors.drift_alerts(*FALLBACK)).values())
    return Set(name, facts, database, answers, {FALLBACK_TITLE})


def _compare(sets: list[Set], out) -> None:  # noqa: ANN001
    tuning = sets[0]
    plain: dict[str, dict[str, detectors.Answers]] = {one.name: {} for one in sets}
    for detector in detectors.PLAIN:
        tried = [[detector.customary] * len(runs.BASES)]
        if detector in detectors.FITTED:
            tried.append([detectors.fit(detector, tuning.database, tuning.facts, base,
                                        _false(tuning, base, False, OURS, tuning.shipped[OURS])) for base in runs.BASES])
        for one in sets:
            for number, thresholds in enumerate(tried):
                title = _title(detector, thresholds[:1] if number == 0 else thresholds)
                plain[one.name][title] = _both_bases(detector, one, thresholds)
                if detector.fires is detectors.theil_sen:
                    one.whole_only.add(title)
    figures = {}
    for one in sets:
        answers = one.shipped | plain[one.name]
        _print_false(one, answers, out)
        _print_found(one, answers, out)
        _print_shapes(one, out)
        figures[one.name] = _figures(one, answers)
    out.save("drift", figures)
    _targets(sets[-1], out)


def _title(detector: detectors.Plain, thresholds: Iterable[float]) -> str:
    texts = [detector.title.format(one) for one in thresholds]
    return texts[0] if len(texts) == 1 else "  raised to " + " | ".join(f"{one:.3g}" for one in thresholds)


def _both_bases(detector: detectors.Plain, one: Set, thresholds: list[float]) -> detectors.Answers:
    out: detectors.Answers = {}
    for base, threshold in zip(runs.BASES, thresholds):
        out |= detectors.ask(detector, one.database, one.facts, base, threshold)
    return out


def _healthy(one: Set, base: int, missing: bool) -> list[Facts]:
    return [facts for facts in one.facts
            if facts.run.is_healthy and facts.run.base == base and facts.run.missing == missing]


def _leaks(one: Set, base: int, rate: int, early: bool = True) -> list[Facts]:
    return [facts for facts in one.facts if facts.run.shape == "leak" and facts.run.early == early
            and (facts.run.base, facts.run.rate) == (base, rate)]


def _false(one: Set, base: int, missing: bool, title: str, answers: detectors.Answers) -> Optional[float]:
    """None where it was not tried: what costs the most is tried on whole runs only."""
    if missing and title in one.whole_only:
        return None
    return score.false_alerts(_healthy(one, base, missing), answers)


def _text(figure: Optional[float]) -> str:
    return "-" if figure is None else f"{figure:.2f}"


def _print_false(one: Set, answers: dict[str, detectors.Answers], out) -> None:  # noqa: ANN001
    rows = [[title, *(_text(_false(one, base, missing, title, fires)) for base in runs.BASES for missing in (False, True))]
            for title, fires in answers.items()]
    months = sum(facts.end - facts.begin for facts in _healthy(one, runs.BASES[0], False)) / score.MONTH
    out.table(f"False alerts per service-month: {one.name} seeds",
              ["", "4 GB", "a 5th missing", "60 GB", "a 5th missing"], rows,
              f"{len(HEALTHY)} healthy shapes, {months:.0f} service-months a column. raised to: the threshold\n"
              "(4 | 60 GB) at which it was as seldom false as allocd on the tuning seeds.")


def _print_found(one: Set, answers: dict[str, detectors.Answers], out) -> None:  # noqa: ANN001
    for base in runs.BASES:
        rows = [[title, *(str(score.found(_leaks(one, base, rate), fires)) for rate in runs.RATES)]
                for title, fires in answers.items()]
        rows.insert(1, ["  started on any day", *(str(score.found(_leaks(one, base, rate, False), one.shipped[OURS]))
                                                  for rate in runs.RATES)])
        out.table(f"Leaks found, {base} GB: {one.name} seeds", ["MiB an hour", *map(str, runs.RATES)], rows,
                  "Share of the runs found before the kill, and the median hours until then. Started\n"
                  "on a Monday or a Tuesday, but where it says so: a weekend hides a slow leak.")


def _print_shapes(one: Set, out) -> None:  # noqa: ANN001
    parts = [title for title in one.shipped if title == OURS or title.startswith("  ")]
    shapes = [*HEALTHY, "creep", "mmap"]
    rows = []
    for shape in shapes:
        chosen = [facts for facts in one.facts if facts.run.shape == shape and not facts.run.missing]
        rows.append([shape, *(f"{score.false_alerts(chosen, one.shipped[title]):.2f}" for title in parts)])
    names = ["any", *(SHORT.get(title.strip(), title.strip()) for title in parts[1:])]
    out.table(f"Alerts of allocd per service-month, by shape: {one.name} seeds", ["", *names], rows,
              "Both bases. creep holds ever more memory, so an alert on it is not false; it is\n"
              "no leak either. On mmap only file pages grow.")


def _figures(one: Set, answers: dict[str, detectors.Answers]) -> dict[str, object]:
    out: dict[str, object] = {}
    for title, fires in answers.items():
        leaks = {f"{base} GB, {rate} MiB/h{'' if early else ', started on any day'}":
                 score.found(_leaks(one, base, rate, early), fires)
                 for base in runs.BASES for rate in runs.RATES for early in (True, False)}
        out[title.strip()] = {
            "false_alerts_per_service_month": {
                f"{base} GB{', a fifth missing' if missing else ''}": _false(one, base, missing, title, fires)
                for base in runs.BASES for missing in (False, True)},
            "leaks": {name: {"runs": each.runs, "found": len(each.hours), "median_hours": each.median,
                             "hours": each.hours, "hours_before_the_kill": each.lead} for name, each in leaks.items()}}
    return out


def _targets(one: Set, out) -> None:  # noqa: ANN001
    ours = one.shipped[OURS]
    for base in runs.BASES:
        for missing in (False, True):
            measured = _false(one, base, missing, OURS, ours)
            out.target(f"False alerts a month, {base} GB{', a 5th missing' if missing else ''}", "<= 0.35", f"{measured:.2f}",
                       measured <= 0.35)
    for base, rate, hours, share in ((4, 20, 80, 1.0), (60, 20, 80, 1.0), (4, 500, 6, 0.5), (60, 500, 30, 0.5)):
        found = score.found(_leaks(one, base, rate), ours)
        in_time = sum(at <= hours for at in found.hours)
        out.target(f"{rate} MiB/h on {base} GB, {'all' if share == 1 else 'half'} found within", f"{hours} h",
                   f"{in_time}/{found.runs}, {found}", in_time >= share * found.runs)
