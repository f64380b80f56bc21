# SPDX-License-Identifier: Apache-2.0
"""The boards as Grafana would ask for them: variables put in, ranges and steps chosen, queries sent to Prometheus.

Only what the boards use of Grafana: label_values, query_result and custom variables; All as its allValue; $__range,
$__interval, $__rate_interval; merge, filterFieldsByName and organize of tables.
"""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any, Optional, Union

from prometheus import SOURCE, Prometheus

FOLDER = SOURCE / "grafana" / "dashboards"
SCRAPE = 600  # the interval the data source is told
WIDTH = 600  # points of a panel
Chosen = dict[str, Union[str, list[str]]]


def all_boards(folder: pathlib.Path = FOLDER) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def board(uid: str) -> dict:
    return json.loads((FOLDER / f"{uid}.json").read_text())


def panels(of: dict) -> list[dict]:
    return [panel for panel in of["panels"] if panel["type"] != "row"]


def panel(of: dict, title: str) -> dict:
    (found,) = [one for one in panels(of) if one["title"] == title]
    return found


def escaped(value: str) -> str:
    """As Grafana's Prometheus data source escapes values of variables with several."""
    return re.sub(r"[\\$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value)


class View:
    """A board that is looked at: with choices for its variables, at a moment, over a range."""

    def __init__(self, of: dict, server: Prometheus, now: int, days: float = 7, chosen: Optional[Chosen] = None) -> None:
        self.board = of
        self.server = server
        self.now = now
        self.start = now - int(days * 86400)
        step = (self.now - self.start) / WIDTH
        self.step = max(60, int(step / 60 + 0.999) * 60)
        self.values: dict[str, str] = {
            "__range": f"{now - self.start}s", "__interval": f"{self.step}s",
            "__rate_interval": f"{max(self.step + SCRAPE, 4 * SCRAPE)}s",
        }
        self.options: dict[str, list[str]] = {}
        for variable in of["templating"]["list"]:
            self._resolve(variable, (chosen or {}).get(variable["name"]))

    def put_in(self, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            name = match.group(1) or match.group(2)
            return self.values.get(name, match.group(0))

        return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, text)

    def _resolve(self, variable: dict, chosen: Union[str, list[str], None]) -> None:
        name, several = variable["name"], variable.get("multi", False)
        if variable["type"] == "datasource":
            self.values[name] = "prometheus"
            return
        options = self.options[name] = self._options_of(variable)
        if chosen is None and variable.get("includeAll"):
            self.values[name] = variable.get("allValue") or f"({'|'.join(map(escaped, options))})"
        elif chosen is None:
            current = variable.get("current", {}).get("value")
            self.values[name] = current if current in options else (options or [""])[0]
        else:
            picked = [chosen] if isinstance(chosen, str) else chosen
            assert set(picked) <= set(options), f"{name}: {picked} not in {options}"
            texts = [escaped(one) for one in picked] if several else picked
            self.values[name] = texts[0] if len(texts) == 1 else f"({'|'.join(texts)})"

    def _options_of(self, variable: dict) -> list[str]:
        if variable["type"] == "custom":
            return variable["query"].split(",")
        query = self.put_in(variable["query"]["query"])
        if found := re.fullmatch(r"label_values\((.*), (\w+)\)", query, re.S):
            return self.server.label_values(found.group(2), found.group(1), self.start, self.now)
        (expr,) = re.fullmatch(r"query_result\((.*)\)", query, re.S).groups()
        lines = []
        for one in self.server.instant(expr, self.now):
            labels = ",".join(f'{key}="{value}"' for key, value in one["metric"].items())
            lines.append(f"{{{labels}}} {one['value'][1]} {int(one['value'][0] * 1000)}")
        pattern = re.compile(variable["regex"].strip("/"))
        return [found.group(1) for found in map(pattern.search, lines) if found]

    def expressions(self, of: dict) -> list[str]:
        return [self.put_in(target["expr"]) for target in of["targets"]]

    def answers(self, of: dict) -> list[list[dict]]:
        """For each query of a panel its series, named as the legend says."""
        return [self._answer(target) for target in of["targets"]]

    def _answer(self, target: dict) -> list[dict]:
        expr = self.put_in(target["expr"])
        if target.get("instant"):
            series = self.server.instant(expr, self.now)
        else:
            series = self.server.range(expr, self.start, self.now, self.step)
        for one in series:
            one["name"] = self._legend(target.get("legendFormat", ""), one["metric"])
        return series

    def _legend(self, text: str, labels: dict[str, str]) -> str:
        return self.put_in(re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match.group(1), ""), text))

    def numbers(self, of: dict) -> list[float]:
        """The values that a tile shows."""
        return [float(one["value"][1]) for series in self.answers(of) for one in series]

    def rows(self, of: dict) -> list[dict[str, Any]]:
        """A table: lines whose labels are the same become one; columns in their order, under the names they show."""
        several = len(of["targets"]) > 1
        answers = self.answers(of)
        rows: list[dict[str, Any]] = []
        for target, series in zip(of["targets"], answers):
            field = f"Value #{target['refId']}" if several else "Value"
            for one in series:
                labels = {key: value for key, value in one["metric"].items() if key != "__name__"}
                _merge(rows, {**labels, field: float(one["value"][1])}, labels)
        organize = next(one["options"] for one in of["transformations"] if one["id"] == "organize")
        shown = sorted(organize["indexByName"], key=organize["indexByName"].get)
        out = [{organize["renameByName"][field]: row.get(field) for field in shown} for row in rows]
        for key in of["options"].get("sortBy", []):
            out.sort(key=lambda row: _sortable(row[key["displayName"]], key["desc"]), reverse=key["desc"])
        return out

    def events(self) -> list[tuple[str, int, str]]:
        """Annotations in the range: name, moment, text."""
        out = []
        for one in self.board["annotations"]["list"]:
            if "expr" not in one:
                continue
            for series in self.server.range(self.put_in(one["expr"]), self.start, self.now, 300):
                for moment in sorted({int(float(value)) for _, value in series["values"]}):
                    if self.start * 1000 <= moment <= self.now * 1000:
                        out.append((one["name"], moment // 1000, self._legend(one["textFormat"], series["metric"])))
        return out


def _merge(rows: list[dict[str, Any]], row: dict[str, Any], labels: dict[str, str]) -> None:
    """As Grafana's merge: a line joins those that it contradicts in no field they share, and adds itself else."""
    joined = False
    for other in rows:
        if all(other.get(key, value) == value for key, value in row.items()) and set(labels) & set(other):
            other.update(row)
            joined = True
    if not joined:
        rows.append(dict(row))


def _sortable(value: Any, descending: bool) -> tuple:
    missing = value is None
    return (not missing if descending else missing, value if not missing else 0)
