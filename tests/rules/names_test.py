# SPDX-License-Identifier: Apache-2.0
"""Every metric, label and label value in the rules and the runbooks is one that something exports."""

import re

import pytest

import rule_files
from rule_files import SOURCE

REFERENCE = (SOURCE / "docs" / "metrics.md").read_text()
TARGET_LABELS = {"job", "instance", "cluster"}


def documented_metrics():
    rows = re.findall(r"^\| `(allocd_\w+)` \| \w+ \| ([^|]*) \|", REFERENCE, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def engine_metrics():
    table = (SOURCE / "docs" / "prometheus.md").read_text().split("## Names across engines")[1].split("\n## ")[0]
    names = set(re.findall(r"`((?:vllm:|sglang:|llamacpp:|tgi_|nv_)\w+)`", table))
    return {name + suffix for name in names for suffix in ("", "_bucket", "_sum", "_count")}


def documented_values():
    """(metric or None, label) to its closed set."""
    found = {}
    for subject, words in re.findall(r"^\| (`.+?) \| ((?:`\w+`(?:, )?)+) \|$", REFERENCE, re.MULTILINE):
        label, *of = re.findall(r"`(\w+)`", subject)
        for metric in of or [None]:
            found[(metric, label)] = set(re.findall(r"`(\w+)`", words))
    return found


def source_words(pattern):
    return {word for path in (SOURCE / "daemon").rglob("*.[ch]pp") for word in re.findall(pattern, path.read_text())}


def enum_names(name):
    (body,) = source_words(rf"{name}\{{\{{([^}}]*)\}}\}}")
    return set(re.findall(r'"(\w+)"', body))


def closed_values(metric, label):
    """The values a label may have; None where the set is open."""
    documented = documented_values()
    if label == "collector":
        return source_words(r'(?:note_collector\(|collector_\.name = )"(\w+)"')
    if label == "verb":
        return enum_names("kVerbNames")
    return documented.get((metric, label)) or documented.get((None, label))


def every_expression():
    return [(rule.get("alert") or rule["record"], text) for _, rule in rule_files.rules() for text in rule_files.expressions(rule)]


def test_every_metric_is_exported_or_recorded():
    known = set(documented_metrics()) | engine_metrics() | rule_files.recorded() | {"up"}
    unknown = {name: rule_files.metrics(text) - known for name, text in every_expression()}
    assert {name: found for name, found in unknown.items() if found} == {}


def test_the_reading_of_expressions_finds_names():
    """Or the test above would hold for any file."""
    text = 'sum without (le) (rate(vllm:x_bucket{unit!="", a=~"b{c}"}[5m] offset 1d)) > bool 3e6 and ignoring (q) max(job:y:z or up)'
    assert rule_files.metrics(text) == {"vllm:x_bucket", "job:y:z", "up"}
    assert len({name for _, text in every_expression() for name in rule_files.metrics(text)}) > 60


def test_every_selector_of_allocd_names_the_job():
    for name, text in every_expression():
        bare = set(re.findall(r"(?<![\w:])(allocd_\w+|up)\b(?!\{|[\w:]|\()", re.sub(r"\([^()]*\)(?= \()", "", text)))
        assert not bare & (set(documented_metrics()) | {"up"}), name
        for metric, matchers in rule_files.selectors(text):
            if metric.startswith("allocd_") or metric == "up":
                assert ("job", "=", "allocd") in matchers, (name, metric)


def test_every_label_is_one_of_its_metric():
    documented = documented_metrics()
    for name, text in every_expression():
        for metric, matchers in rule_files.selectors(text):
            if metric in documented:
                assert {label for label, _, _ in matchers} <= documented[metric] | TARGET_LABELS, (name, metric)


def test_every_label_value_is_a_real_one():
    checked = set()
    for name, text in every_expression():
        for metric, matchers in rule_files.selectors(text):
            for label, _, value in matchers:
                allowed = closed_values(metric, label)
                if allowed is None or value == "word" or not metric.startswith("allocd_"):
                    continue
                assert set(value.split("|")) <= allowed, (name, metric, label)
                checked.add(label)
    assert checked >= {"state", "rule", "reason", "mode", "allocator", "role", "wanted", "limit", "collector", "verb"}


def test_recording_rules_are_named_level_metric_operations():
    for record in rule_files.recorded():
        level, metric, operations = record.split(":")
        assert level in {"unit", "instance", "job"} and metric and operations, record


@pytest.mark.parametrize("path", sorted(rule_files.RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_runbooks_name_real_metrics(path):
    known = set(documented_metrics()) | rule_files.recorded()
    named = set(re.findall(r"(?<![\w:/.-])((?:unit:|instance:|job:)?allocd_[\w:]+)", path.read_text()))
    assert named <= known
