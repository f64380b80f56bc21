# SPDX-License-Identifier: Apache-2.0
"""What a board must have. The first half are the rules of Grafana's dashboard-linter in our words, for machines on which
it cannot be had; the second half is what we ask for besides."""

from __future__ import annotations

import re
from typing import Callable, Iterator

from boards import panels
from known import OF_ENGINES, known_metrics
from promql import selectors

UNITS = {"none", "short", "bytes", "s", "percentunit", "ops", "string"}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
ONE_UNIT = {"allocd-compare"}  # several units at once mean nothing there
NO_UNIT = {"allocd-self"}
# Acquired less released is what is pinned: of these the level counts, not the rate.
LEVELS = {"allocd_node_pinned_pages_acquired_total", "allocd_node_pinned_pages_released_total"}
# Tells two lives apart on the board of comparisons, and is named at its variables.
CONDITIONS = {("allocd-compare", "allocd_unit_processes_by_allocator")}
WINDOWS = {"$__rate_interval", "$__range"}


def complaints(board: dict) -> list[str]:
    out = [f"{board['uid']}: {text}" for rule in BOARD_RULES for text in rule(board)]
    for panel in panels(board):
        out += [f"{board['uid']}: {panel.get('title')}: {text}" for rule in PANEL_RULES for text in rule(panel, board)]
    return out


# Rules of dashboard-linter ------------------------------------------------------------------------------------


def _datasource_variable(board: dict) -> Iterator[str]:
    of = {one["name"]: one for one in board["templating"]["list"]}
    source = of.get("datasource")
    if not source or source["type"] != "datasource" or source["query"] != "prometheus" or not source.get("label"):
        yield "no variable for the data source"
    wanted = ["job", "instance"] + ([] if board["uid"] in NO_UNIT else ["unit"])
    for name in wanted:
        one = of.get(name)
        if not one or one["type"] != "query" or one["datasource"] != DATASOURCE or not one.get("label"):
            yield f"no variable {name}"
            continue
        several = name != "unit" or board["uid"] not in ONE_UNIT
        any_value = None if name == "job" else ".+"  # `up` and engines have jobs of their own
        if several and not (one.get("multi") and one.get("includeAll") and one.get("allValue") == any_value):
            yield f"variable {name} is not for several values and All"
    for one in of.values():
        if one["type"] == "query" and one.get("refresh") != 2:
            yield f"variable {one['name']} is not read anew with the time range"
        if one["type"] == "query" and not re.fullmatch(r"(label_values|query_result)\(.*\)", one["query"]["query"], re.S):
            yield f"variable {one['name']} is no query"


def _not_editable(board: dict) -> Iterator[str]:
    if board.get("editable") is not False:
        yield "is editable"


def _panel_text(panel: dict, _: dict) -> Iterator[str]:
    if not panel.get("title"):
        yield "has no title"
    if len(panel.get("description") or "") < 60:
        yield "has no description to speak of"


def _panel_datasource(panel: dict, _: dict) -> Iterator[str]:
    if panel.get("datasource") != DATASOURCE or any(target.get("datasource") != DATASOURCE for target in panel["targets"]):
        yield "does not ask the chosen data source"
    if not panel["targets"]:
        yield "asks nothing"


def _panel_unit(panel: dict, _: dict) -> Iterator[str]:
    named = [panel["fieldConfig"]["defaults"].get("unit")]
    named += [one["value"] for override in panel["fieldConfig"]["overrides"] for one in override["properties"] if one["id"] == "unit"]
    for unit in named:
        if unit not in UNITS:
            yield f"has the unit {unit}"


def _target_scope(panel: dict, board: dict) -> Iterator[str]:
    for target in panel["targets"]:
        for one in selectors(target["expr"]):
            if board["uid"] in ONE_UNIT and 'unit=~' in one.matchers:
                yield f"{one.metric} takes the unit for a pattern, which is not escaped where one alone is chosen"
            if 'instance=~"$instance"' not in one.matchers:
                yield f"{one.metric} is not bound to the instance"
            if 'job=~"$job"' not in one.matchers and not one.metric.startswith(OF_ENGINES):
                yield f"{one.metric} is not bound to the job"


def _target_rates(panel: dict, _: dict) -> Iterator[str]:
    for target in panel["targets"]:
        for one in selectors(target["expr"]):
            counter = one.metric.endswith("_total") and one.metric not in LEVELS
            if counter and one.function not in {"rate", "increase", "irate"}:
                yield f"{one.metric} is a counter and stands outside of rate()"
            if one.function in {"rate", "increase", "irate"} and one.window not in WINDOWS:
                yield f"{one.metric}: the window is {one.window}"


# Ours ---------------------------------------------------------------------------------------------------------


def _frame(board: dict) -> Iterator[str]:
    wanted = {"id": None, "refresh": "1m", "graphTooltip": 1, "time": {"from": "now-7d", "to": "now"}, "tags": ["allocd"]}
    for key, value in wanted.items():
        if board.get(key, "absent") != value:
            yield f"{key} is {board.get(key)}"
    if not re.fullmatch(r"allocd-[a-z]+", board["uid"]) or not board.get("description"):
        yield "uid or description"
    if board["schemaVersion"] < 36:
        yield "an old schema"
    links = board["links"]
    if not any(one["type"] == "dashboards" and one["tags"] == ["allocd"] and one["keepTime"] and one["includeVars"] for one in links):
        yield "no links to its siblings"


def _layout(board: dict) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    ids = [panel["id"] for panel in board["panels"]]
    if len(set(ids)) != len(ids):
        yield "two panels have one id"
    titles = [panel["title"] for panel in panels(board)]
    for title in {one for one in titles if titles.count(one) > 1}:
        yield f"two panels are called {title}"
    for panel in board["panels"]:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            yield f"{panel['title']} sticks out"
        for place in [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]:
            if place in taken:
                yield f"{panel['title']} lies on {taken[place]}"
                break
            taken[place] = panel["title"]


def _panel_values(panel: dict, _: dict) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    if not defaults.get("noValue"):
        yield "says nothing where there is no value"
    if panel["type"] == "timeseries" and defaults.get("min") != 0:
        yield "does not begin at 0"
    steps = defaults.get("thresholds", {}).get("steps", [])
    if not steps or any(step["value"] == 80 for step in steps) or steps[0]["value"] is not None:
        yield "has no thresholds of its own"


def _panel_names_metrics(panel: dict, board: dict) -> Iterator[str]:
    """A description names its metrics; after the first of a family by their ends alone."""
    if panel["title"] in {"Verdict", "What to do"}:  # of everything
        return
    for target in panel["targets"]:
        for one in selectors(target["expr"]):
            ends = [one.metric[at:] for at, letter in enumerate(one.metric) if letter in "_:"] + [one.metric]
            named = any(end in panel["description"] for end in ends if len(end) > 3 or end == one.metric)
            if not named and (board["uid"], one.metric) not in CONDITIONS:
                yield f"the description does not name {one.metric}"


def _panel_metrics(panel: dict, _: dict) -> Iterator[str]:
    for target in panel["targets"]:
        for one in selectors(target["expr"]):
            if one.metric not in known_metrics():
                yield f"nothing exports {one.metric}"


def _panel_nodes(panel: dict, _: dict) -> Iterator[str]:
    for target in panel["targets"]:
        for labels in re.findall(r"\bby \(([^)]*)\)", target["expr"]):
            if "unit" in labels.split(", ") and "instance" not in labels.split(", "):
                yield "adds up units of one name on several nodes"


def _panel_columns(panel: dict, _: dict) -> Iterator[str]:
    if panel["type"] != "table":
        return
    transformations = {one["id"]: one["options"] for one in panel["transformations"]}
    fields = transformations["filterFieldsByName"]["include"]["names"]
    organize = transformations["organize"]
    if set(fields) != set(organize["renameByName"]) or set(fields) != set(organize["indexByName"]):
        yield "columns that are kept, placed and named differ"
    values = {f"Value #{target['refId']}" for target in panel["targets"]} if len(panel["targets"]) > 1 else {"Value"}
    for field in fields:
        if field.startswith("Value") and field not in values:
            yield f"no query makes {field}"
    names = set(organize["renameByName"].values())
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] not in names:
            yield f"no column {override['matcher']['options']}"
    for one in panel["options"].get("sortBy", []):
        if one["displayName"] not in names:
            yield f"sorted by no column: {one['displayName']}"


def _links_lead_somewhere(panel: dict, _: dict) -> Iterator[str]:
    urls = [one["url"] for one in panel.get("links", [])]
    for override in panel["fieldConfig"]["overrides"]:
        urls += [link["url"] for one in override["properties"] if one["id"] == "links" for link in one["value"]]
    for url in urls:
        found = re.match(r"/d/([\w-]+)\?", url)
        if not found or found.group(1) not in {"allocd-fleet", "allocd-node", "allocd-service", "allocd-compare", "allocd-self"}:
            yield f"leads nowhere: {url}"


BOARD_RULES: list[Callable[[dict], Iterator[str]]] = [_datasource_variable, _not_editable, _frame, _layout]
PANEL_RULES: list[Callable[[dict, dict], Iterator[str]]] = [
    _panel_text, _panel_datasource, _panel_unit, _target_scope, _target_rates, _panel_values, _panel_names_metrics,
    _panel_metrics, _panel_nodes, _panel_columns, _links_lead_somewhere]
