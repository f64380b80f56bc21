# SPDX-License-Identifier: Apache-2.0
"""The shipped rule files as values, what their expressions name, and the tools of Prometheus that judge them."""

import functools
import os
import pathlib
import re
import subprocess

import yaml

SOURCE = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).parents[2]))
RULES = SOURCE / "config" / "prometheus"
RUNBOOKS = SOURCE / "docs" / "runbooks"
TOOLS = SOURCE / "build" / "tools"
PROMETHEUS = TOOLS / "prometheus/usr/bin/prometheus"
PROMTOOL = TOOLS / "prometheus/usr/bin/promtool"
AMTOOL = TOOLS / "prometheus-alertmanager/usr/bin/amtool"
ALERTMANAGER = TOOLS / "prometheus-alertmanager/usr/bin/prometheus-alertmanager"

# The one place of these two: a rule file has no variables, so each alert repeats them and a test compares.
RUNBOOK_BASE = "https://allocd.example/runbooks/"
DASHBOARD_BASE = "https://grafana.example/d/"

ALERT_FILE = "allocd-alerts.rules.yaml"
FALLBACK_FILE = "allocd-drift-fallback.rules.yaml"

_WORDS = set(
    "and or unless on ignoring group_left group_right by without bool offset inf nan sum min max avg group count "
    "quantile topk bottomk stddev stdvar count_values".split()
)
_TEMPLATE_QUERY = re.compile(r'\{\{ (?:with|range) printf "((?:[^"\\]|\\.)*)"')
_AT = re.compile(r'\{\{ \$at := printf "((?:[^"\\]|\\.)*)"')


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=500, **options)


def files():
    return sorted(RULES.glob("*.rules.yaml"))


@functools.cache
def load(path):
    return yaml.safe_load(path.read_text())["groups"]


def rules(path=None):
    """Every rule as (file name, rule)."""
    paths = files() if path is None else [path]
    return [(path.name, rule) for path in paths for group in load(path) for rule in group["rules"]]


def alerts(path=None):
    return [(name, rule) for name, rule in rules(path) if "alert" in rule]


def recorded():
    return {rule["record"] for _, rule in rules() if "record" in rule}


def minutes(duration):
    return int(duration[:-1]) * {"m": 1, "h": 60, "d": 1440}[duration[-1]]


def template_queries(rule):
    """What the annotations of an alert ask, with the labels of the alert left as words."""
    for text in rule.get("annotations", {}).values():
        at = _AT.search(text)
        for match in _TEMPLATE_QUERY.finditer(text):
            query = match.group(1)
            if "%s" in query:
                assert at, query
                query = query.replace("%s", at.group(1))
            yield query.replace('\\"', '"').replace("%q", '"word"')


def expressions(rule):
    return [rule["expr"], *template_queries(rule)]


def _without_strings(expression):
    return re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', '""', expression)


def metrics(expression):
    """Names of metrics in an expression: words that are no function, keyword, label or duration."""
    text = _without_strings(expression)
    text = re.sub(r"\{[^}]*\}", "", text)
    text = re.sub(r"\[[^\]]*\]", "", text)
    text = re.sub(r"\boffset\s+\w+", "", text)
    text = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", text)
    names = re.findall(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])", text)
    return {name for name in names if name.lower() not in _WORDS}


def selectors(expression):
    """Every `name{matchers}` as (name, [(label, operator, value)])."""
    found = []
    for name, body in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression):
        found.append((name, re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"', body)))
    return found
