# SPDX-License-Identifier: Apache-2.0
"""What the drift benchmark does with a Prometheus's answers: `for`, `keep_firing_for`, episodes, detection."""

from __future__ import annotations

import os
import pathlib
import sys

SOURCE = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).parents[2]))
sys.path.insert(0, str(SOURCE / "bench/drift"))

import rules  # noqa: E402
import runs  # noqa: E402
import score  # noqa: E402
from prepare import Facts  # noqa: E402
from shapes import DAY, HOUR  # noqa: E402


def facts(begin=0, end=3 * DAY, shape="leak", seed=1):
    return Facts(runs.Run(shape, 4, seed), begin, end, [begin], [], [])


def test_an_alert_waits_for_its_time_and_starts_anew_after_a_gap():
    assert rules.held([0, 300, 600, 900], hold=600, keep=0) == [600, 900]
    assert rules.held([0, 300, 900, 1200, 1500], hold=600, keep=0) == [1500]
    assert rules.held([0, 300, 900], hold=0, keep=0) == [0, 300, 900]
    assert rules.held([], hold=0, keep=600) == []


def test_an_alert_that_is_kept_does_not_wait_again():
    assert rules.held([0, 300], hold=300, keep=900) == [300, 600, 900, 1200]
    assert rules.held([0, 300, 900], hold=300, keep=900) == [300, 600, 900, 1200, 1500, 1800]
    assert rules.held([0, 300, 3000, 3300], hold=300, keep=600) == [300, 600, 900, 3300, 3600, 3900]
    assert rules.held([0], hold=300, keep=900) == []  # it never fired, so there is nothing to keep


def test_durations_and_metrics_are_read_from_rules():
    assert rules.seconds("1h30m") == 5400 and rules.seconds("0s") == 0 and rules.seconds("500ms") == 0.5
    assert rules.metrics_of(['max_over_time(allocd_a_bytes{x="1"}[5m]) > allocd_b']) == {"allocd_a_bytes", "allocd_b"}


def test_only_the_records_that_an_alert_stands_on_are_needed():
    records = [rules.Rule(name, expression, 0, 0, {}) for name, expression in
               (("a:b", "metric"), ("a:b:c", "a:b + 1"), ("other", "metric"))]
    assert [one.name for one in rules.needed(records, ["a:b:c > 1"])] == ["a:b:c", "a:b"]
    assert rules.needed(records, ["xa:b"]) == []


def test_what_fires_again_within_six_hours_is_one_alert():
    assert score.episodes([]) == 0
    assert score.episodes([0, 6 * HOUR]) == 1
    assert score.episodes([0, 6 * HOUR + 1]) == 2
    one = facts()
    times = [-300, 0, 7 * HOUR, 3 * DAY + 300]  # the first and the last are of no sample of this run
    assert score.false_alerts([one, facts(seed=2)], {one.run.name: times}) == 2 * 30 / 6


def test_a_leak_is_found_by_the_first_alert_of_its_run():
    killed, whole, missed = facts(end=DAY), facts(end=14 * DAY, seed=2), facts(end=14 * DAY, seed=3)
    found = score.found([killed, whole, missed], {killed.run.name: [9 * HOUR, 10 * HOUR], whole.run.name: [DAY],
                                                  missed.run.name: [15 * DAY]})
    assert found.hours == [9, 24] and found.lead == [15] and found.runs == 3
    assert found.last is None and str(found) == "67% 16h"
