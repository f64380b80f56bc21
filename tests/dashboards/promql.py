# SPDX-License-Identifier: Apache-2.0
"""What an expression asks for: metrics, their matchers, and what stands around them. Prometheus itself says whether it
is valid; this only takes apart what is."""

from __future__ import annotations

import re
from typing import NamedTuple

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SELECTOR = re.compile(rf"({NAME})\s*\{{([^}}]*)\}}(\s*\[[^\]]*\])?")
# Words of the language that can stand alone; every other bare word is a metric.
WORDS = {"and", "or", "unless", "offset", "bool", "group_left", "group_right", "inf", "nan"}
LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", re.I)


class Selector(NamedTuple):
    metric: str
    matchers: str
    window: str  # of a range, without brackets; empty: none
    function: str  # the innermost function or aggregation it is an argument of


def without_strings(expr: str) -> str:
    """The same length, so that places stay."""
    return re.sub(r'"(?:\\.|[^"\\])*"', lambda match: '"' + "_" * (len(match.group(0)) - 2) + '"', expr)


def selectors(expr: str) -> list[Selector]:
    bare = without_strings(expr)
    out = []
    for match in SELECTOR.finditer(bare):
        window = (match.group(3) or "").strip().strip("[]")
        out.append(Selector(match.group(1), expr[match.start(2):match.end(2)], window, _function(bare[:match.start()])))
    rest = LABEL_LIST.sub(" ", SELECTOR.sub(" ", bare))
    rest = re.sub(r"\[[^\]]*\]|\"_*\"|@\s*(?:start|end)\(\)|\$\{\w+\}\w*|\$\w+|\b[0-9][0-9a-z.]*", " ", rest)
    for match in re.finditer(rf"(?<![\w:])({NAME})\b(?!\s*\()", rest):
        if match.group(1).lower() not in WORDS | {"by", "without", "on", "ignoring"}:
            out.append(Selector(match.group(1), "", "", ""))
    return out


def metrics(expr: str) -> set[str]:
    return {one.metric for one in selectors(expr)}


def _function(before: str) -> str:
    """The name in front of the innermost parenthesis that is still open."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        if before[at] == ")":
            depth += 1
        elif before[at] == "(":
            if depth == 0:
                found = re.search(rf"({NAME})\s*$", before[:at])
                return found.group(1) if found else ""
            depth -= 1
    return ""
