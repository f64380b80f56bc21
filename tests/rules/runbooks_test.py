# SPDX-License-Identifier: Apache-2.0
"""Runbooks: one for each alert, of one shape, with commands that exist and queries that parse."""

import re

import pytest
import yaml

import rule_files
from rule_files import PROMTOOL, RUNBOOKS, SOURCE

HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.stem != "README")
# Of the allocctl that shows drift; command_line.cpp takes over from this list.
PENDING_VERBS = {"drift"}


def named(path):
    return path.stem


def severities(alert):
    return {rule["labels"]["severity"] for _, rule in rule_files.alerts() if rule["alert"] == alert}


def verbs():
    source = (SOURCE / "daemon" / "ctl" / "command_line.cpp").read_text()
    return set(re.findall(r'\badd\("([\w-]+)", Command::', source)) | PENDING_VERBS


def test_each_alert_has_its_page_and_each_page_its_alert():
    assert {path.stem for path in PAGES} == {rule["alert"] for _, rule in rule_files.alerts()}


def test_the_index_has_them_all_with_their_severity():
    index = (RUNBOOKS / "README.md").read_text()
    rows = dict(re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| ([\w, ]+) \|", index, re.MULTILINE))
    assert {name: set(words.split(", ")) for name, words in rows.items()} == {
        path.stem: severities(path.stem) for path in PAGES
    }


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_a_page_has_its_four_parts_and_none_is_empty(path):
    text = path.read_text()
    assert text.startswith(f"# {path.stem}\n\nSeverity: ")
    stated = text.split("Severity: ")[1].split("\n")[0]
    assert {word for word in ("critical", "warning", "info") if word in stated} == severities(path.stem)
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    assert parts[::2] == HEADINGS
    assert all(len(part.split()) >= 8 for part in parts[1::2])
    assert not re.search(r"TODO|TBD|FIXME", text)


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_diagnosis_has_commands_to_paste_and_changes_nothing(path):
    diagnosis = path.read_text().split("## Diagnosis\n")[1].split("\n## ")[0]
    commands = re.findall(r"^    (\S.*)$", diagnosis, re.MULTILINE)
    assert len(commands) >= 2 and any(command.startswith("allocctl ") for command in commands)
    for command in commands:
        assert not re.match(r"allocctl (apply|revert|reload)\b|systemctl (?!status|show|cat|list-)|sysctl \S+=", command)


@pytest.mark.parametrize("path", [*PAGES, RUNBOOKS / "README.md"], ids=named)
def test_every_verb_of_allocctl_is_one(path):
    used = set(re.findall(r"allocctl ([a-z][\w-]*)", path.read_text()))
    assert used <= verbs()


def test_the_verbs_are_read_from_the_program():
    assert {"show", "explain", "node", "verify", "plan", "apply", "status"} <= verbs()


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target
    for target in re.findall(r"\bdocs/[\w./-]+\.md|\bconfig/[\w./-]+\.(?:yaml\.example|yaml)\b", path.read_text()):
        assert (SOURCE / target).exists(), target


def test_promtool_reads_every_query(tmp_path):
    queries = [query for path in [*PAGES, SOURCE / "docs/prometheus.md"] for query in re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL)]
    assert len(queries) > 15
    found = [{"record": f"x:query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": found}]}))
    ended = rule_files.run(PROMTOOL, "check", "rules", tmp_path / "rules.yaml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
