# SPDX-License-Identifier: Apache-2.0
"""Alerts: what each must have, and promtool's verdict on each when it should fire, when not, and when data is missing."""

import re

import pytest
import yaml

import rule_files
from rule_files import ALERT_FILE, FALLBACK_FILE, PROMTOOL, RULES, SOURCE

HERE = SOURCE / "tests" / "rules"
BOARDS = {"allocd-fleet", "allocd-node", "allocd-service", "allocd-self"}
CASES = {ALERT_FILE: HERE / "alerts", FALLBACK_FILE: HERE / "fallback"}


def case_files():
    return sorted(HERE.glob("*/*.yaml"))


def label(value):
    return value[1]["alert"] + "-" + value[1]["labels"].get("severity", "") if isinstance(value, tuple) else None


@pytest.mark.parametrize("found", rule_files.alerts(), ids=label)
def test_an_alert_has_all_that_whoever_is_told_needs(found):
    _, rule = found
    assert re.fullmatch(r"Allocd([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule_files.minutes(rule["for"]) > 0 and rule_files.minutes(rule["keep_firing_for"]) > 0
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "dashboard"}
    assert rule["annotations"]["runbook_url"] == f"{rule_files.RUNBOOK_BASE}{rule['alert']}.md"


@pytest.mark.parametrize("found", rule_files.alerts(), ids=label)
def test_an_alert_leads_to_its_dashboard(found):
    _, rule = found
    uid, _, variables = rule["annotations"]["dashboard"].removeprefix(rule_files.DASHBOARD_BASE).partition("?")
    assert uid in BOARDS
    named = set(re.findall(r"var-(\w+)=\{\{ \$labels\.\1 \| urlquery \}\}", variables))
    wanted = {"allocd-service": {"instance", "unit"}}.get(uid, {"instance"})
    # Nothing is left that could say which host.
    assert named == (set() if rule["alert"] == "AllocdAbsent" else wanted)


@pytest.mark.parametrize("found", rule_files.alerts(), ids=label)
def test_labels_hold_no_values(found):
    """A value in a label makes a new alert of each change, and starts `for` anew."""
    assert all("{{" not in value for value in found[1]["labels"].values())


@pytest.mark.parametrize("found", rule_files.alerts(RULES / ALERT_FILE), ids=label)
def test_one_bad_sample_is_never_enough(found):
    """What is looked for in a window is seen until the window has passed: `for` must be longer."""
    _, rule = found
    windows = re.findall(r"max_over_time\([^\[]*\[(\w+)\]\)\)? (?:==|>) [01]\b", rule["expr"])
    # 0 found by a maximum says that every sample was 0.
    if "== 0" in rule["expr"] and "== 1" not in rule["expr"]:
        windows = []
    assert all(rule_files.minutes(window) < rule_files.minutes(rule["for"]) for window in windows)


def test_severities_of_one_name_are_told_apart():
    seen = set()
    for name, rule in rule_files.alerts():
        key = (name, rule["alert"], rule["labels"]["severity"])
        assert key not in seen
        seen.add(key)


def test_the_addresses_are_set_by_the_commands_of_the_document(tmp_path):
    text = (SOURCE / "docs" / "prometheus.md").read_text()
    command = re.search(r"^ +(sed -i .*)$", text, re.MULTILINE).group(1)
    for path in rule_files.files():
        (tmp_path / path.name).write_text(path.read_text())
    ended = rule_files.run("bash", "-c", command, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for path in tmp_path.iterdir():
        for _, rule in rule_files.alerts(path):
            assert ".example" not in rule["annotations"]["runbook_url"] + rule["annotations"]["dashboard"]


def kinds(path):
    tests = yaml.safe_load(path.read_text())["tests"]
    return {kind: [test for test in tests if test["name"] == kind] for kind in ("fires", "quiet", "gaps")}


def expected(tests):
    return [case["exp_alerts"] for test in tests for case in test.get("alert_rule_test", [])]


@pytest.mark.parametrize("found", rule_files.alerts(), ids=label)
def test_every_alert_is_shown_to_fire_to_be_quiet_and_to_survive_gaps(found):
    name, rule = found
    by_kind = kinds(CASES[name] / f"{rule['alert']}.yaml")
    severity = rule["labels"]["severity"]
    fired = [alert["exp_labels"]["severity"] for alerts in expected(by_kind["fires"]) for alert in alerts]
    assert severity in fired
    assert by_kind["quiet"] and not any(expected(by_kind["quiet"]))
    samples = [case["exp_samples"] for test in by_kind["gaps"] for case in test["promql_expr_test"]]
    assert any(samples) and samples[-1] == []
    assert f'alertname="{rule["alert"]}"' in str(by_kind["gaps"])
    assert re.search(r"stale|_x", str([series for test in by_kind["gaps"] for series in test["input_series"]]))


def test_no_case_is_of_an_alert_that_is_gone():
    for name, folder in CASES.items():
        have = {rule["alert"] for _, rule in rule_files.alerts(RULES / name)}
        assert {path.stem for path in folder.glob("*.yaml")} == have


@pytest.mark.parametrize("path", case_files(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_promtool_agrees(path):
    ended = rule_files.run(PROMTOOL, "test", "rules", path)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_rule_files_are_without_fault():
    ended = rule_files.run(PROMTOOL, "check", "rules", "--lint=all", "--lint-fatal", *rule_files.files())
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_class_of_units_has_its_own_threshold(tmp_path):
    """The example of the document, put in place of the general rule."""
    text = (SOURCE / "docs" / "prometheus.md").read_text()
    block = re.search(r"```yaml\n(- record: unit:allocd_drift_horizon_seconds:threshold\n.*?)```", text, re.DOTALL)
    groups = [{"name": "thresholds", "rules": yaml.safe_load(block.group(1))}]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    series = 'allocd_unit_info{job="allocd",instance="h",unit="%s",engine="vllm",policy="%s",source="unit",wanted="any"}'
    record = "unit:allocd_drift_horizon_seconds:threshold"
    test = {
        "rule_files": ["rules.yaml"],
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series % ("a.service", "chat"), "values": "1x10"},
                    {"series": series % ("b.service", "batch"), "values": "1x10"},
                ],
                "promql_expr_test": [
                    {
                        "expr": record,
                        "eval_time": "5m",
                        "exp_samples": [
                            {"labels": record + '{job="allocd",instance="h",unit="a.service"}', "value": 90 * 86400},
                            {"labels": record + '{job="allocd",instance="h",unit="b.service"}', "value": 30 * 86400},
                        ],
                    }
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    ended = rule_files.run(PROMTOOL, "test", "rules", tmp_path / "test.yaml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
