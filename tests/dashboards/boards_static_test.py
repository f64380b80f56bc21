# SPDX-License-Identifier: Apache-2.0
"""The boards without any data: equal to a fresh generation, of Grafana's own types, and as lint.py asks for."""

from __future__ import annotations

import copy
import json
import pathlib
import subprocess
import sys

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from boards import FOLDER, all_boards, board, panel, panels
from known import known_metrics
from lint import complaints
from promql import metrics, selectors
from prometheus import SOURCE, all_rules
from typecheck import type_errors

BOARDS = all_boards()


def test_the_committed_boards_are_what_the_source_makes(tmp_path):
    subprocess.run([SOURCE / "grafana" / "generate", tmp_path], check=True)
    made = {path.name: path.read_text() for path in tmp_path.glob("*.json")}
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert made == committed, "run ./dev dashboards and commit what it writes"
    assert set(committed) == {f"allocd-{name}.json" for name in ("fleet", "node", "service", "compare", "self")}


def test_the_boards_are_of_the_types_of_grafana_schema():
    assert type_errors(BOARDS) == []


def test_a_board_of_a_wrong_type_is_found():
    broken = copy.deepcopy(board("allocd-fleet"))
    panel(broken, "Verdict")["options"]["colorMode"] = "rainbow"
    assert any("rainbow" in line for line in type_errors([broken]))


@pytest.mark.parametrize("uid", [one["uid"] for one in BOARDS])
def test_lint(uid):
    assert complaints(board(uid)) == []


def broken_board(change):
    one = copy.deepcopy(board("allocd-service"))
    change(one, panel(one, "Waiting for memory"))
    return one


def changed_query(old, new):
    def change(_, of):
        assert old in of["targets"][0]["expr"]
        of["targets"][0]["expr"] = of["targets"][0]["expr"].replace(old, new)

    return change


@pytest.mark.parametrize("change, complaint", [
    (lambda one, of: one.update(editable=True), "is editable"),
    (lambda one, of: one.update(id=7), "id is 7"),
    (lambda one, of: one["templating"]["list"].pop(1), "no variable job"),
    (lambda one, of: one["templating"]["list"][2].update(multi=False), "variable instance is not for several"),
    (lambda one, of: one["links"].clear(), "no links to its siblings"),
    (lambda one, of: of.update(description=""), "has no description"),
    (lambda one, of: of.update(datasource={"type": "prometheus", "uid": "abc"}), "chosen data source"),
    (lambda one, of: of["fieldConfig"]["defaults"].update(unit="furlongs"), "has the unit furlongs"),
    (lambda one, of: of["fieldConfig"]["defaults"].update(noValue=""), "says nothing"),
    (lambda one, of: of["fieldConfig"]["defaults"].update(min=None), "does not begin at 0"),
    (lambda one, of: of["fieldConfig"]["defaults"]["thresholds"]["steps"].append({"value": 80, "color": "red"}), "thresholds"),
    (lambda one, of: of["gridPos"].update(x=20), "sticks out"),
    (lambda one, of: of["gridPos"].update(y=1), "lies on"),
    (changed_query("[$__rate_interval]", "[5m]"), "the window is 5m"),
    (changed_query("rate(", "sum("), "stands outside of rate()"),
    (changed_query("rate(", "sum by (unit) (rate("), "units of one name"),
    (changed_query(', instance=~"$instance"', ""), "not bound to the instance"),
    (changed_query('job=~"$job", ', ""), "not bound to the job"),
    (changed_query("allocd_unit_memory_pressure", "allocd_unit_memory_worry"), "nothing exports"),
])
def test_lint_finds(change, complaint):
    found = complaints(broken_board(change))
    assert any(complaint in line for line in found), found


def test_bare_names_are_metrics_and_other_words_are_not():
    expr = 'sum by (unit) (rate(a_total{x="sum by (b) {c}"}[5m] offset 1h)) / on (unit) group_left (kind) b > bool 0 or vector(1) and c'
    assert metrics(expr) == {"a_total", "b", "c"}
    assert [one.function for one in selectors(expr) if one.metric == "a_total"] == ["rate"]


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_ask_for_metrics_that_there_are(rule):
    assert metrics(rule["expr"]) <= known_metrics()


def test_the_page_that_pictures_are_taken_of_is_javascript():
    subprocess.run(["node", "--check", SOURCE / "tests" / "dashboards" / "page" / "page.js"], check=True)


def test_the_provider_is_for_reading_and_names_the_folder():
    text = (SOURCE / "grafana" / "provisioning" / "allocd.yaml").read_text()
    (provider,) = yaml.safe_load(text)["providers"]
    assert provider["type"] == "file" and provider["allowUiUpdates"] is False
    assert provider["options"]["path"] == "/usr/share/allocd/dashboards"


def test_the_lock_file_says_what_and_not_from_where():
    lock = json.loads((SOURCE / "grafana" / "package-lock.json").read_text())
    fetched = [one for name, one in lock["packages"].items() if name]
    assert fetched and all("resolved" not in one and one["integrity"] for one in fetched)


def test_no_two_boards_share_a_title_and_no_panel_is_empty():
    assert len({one["title"] for one in BOARDS}) == len(BOARDS)
    assert all(target["expr"].strip() for one in BOARDS for of in panels(one) for target in of["targets"])
