#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the layer rule: a file of daemon/ includes only its own layer and those daemon/CMakeLists.txt links it to.

All layers share one include directory, so that the compiler takes an upward include without a word. A layer may
include what its LINKS name, directly or through them. Prints `file:line: message`; exit 1 when there is one.
"""
import re
import sys
from pathlib import Path

DAEMON = Path(__file__).resolve().parents[2] / "daemon"
LAYER = re.compile(r"allocd_layer\(\s*(\w+)\s*(.*?)\)", re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"/]+)/')


def read_links() -> dict[str, set[str]]:
    """Layer -> the layers it is linked to; the order of the file is the order of the layers."""
    links: dict[str, set[str]] = {}
    text = re.sub(r"#.*", "", (DAEMON / "CMakeLists.txt").read_text())
    for name, rest in LAYER.findall(text):
        if name == "name":
            continue
        links[name] = {word.removeprefix("allocd-") for word in rest.split() if word.startswith("allocd-")} & links.keys()
    return links


def close_over(links: dict[str, set[str]]) -> dict[str, set[str]]:
    closed: dict[str, set[str]] = {}
    for name, direct in links.items():  # a layer comes after those it links to
        closed[name] = direct.union(*(closed[below] for below in direct))
    return closed


def main() -> int:
    allowed = close_over(read_links())
    folders = {path.name for path in DAEMON.iterdir() if path.is_dir()}
    found = [f"daemon/CMakeLists.txt:1: no layer is called {name}" for name in sorted(folders - allowed.keys())]
    for path in sorted(p for p in DAEMON.rglob("*") if p.suffix in (".cpp", ".hpp")):
        layer = path.relative_to(DAEMON).parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match or match[1] == layer or match[1] not in folders:
                continue
            if match[1] not in allowed.get(layer, set()):
                found.append(f"daemon/{path.relative_to(DAEMON)}:{number}: {layer} may not include {match[1]}")
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
