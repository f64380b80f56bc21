# SPDX-License-Identifier: Apache-2.0
"""Draws the boards from a filled Prometheus in headless Chromium, for people to look at.

    picture.py FOLDER [--width PIXELS] [UID]...    # one PNG for each board
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import dataset
from boards import View, all_boards
from prometheus import HERE, SOURCE, make_blocks, serve

UPLOT = SOURCE / "build" / "node" / "node_modules" / "uplot" / "dist"
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"]
ROW, HEADER = 38, 70

# What is looked at: days, and choices for the variables. The rest is All.
VIEWS: dict[str, tuple[float, dict[str, Any]]] = {
    "allocd-node": (14, {"instance": ["gpu-02"]}),
    "allocd-service": (14, {"instance": ["gpu-01"], "unit": ["vllm-chat.service"]}),
    "allocd-compare": (7, {"instance": ["gpu-01"], "unit": "vllm-code.service"}),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("boards", nargs="*", metavar="UID")
    parser.add_argument("--width", type=int, default=1600)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, serve(make_blocks(pathlib.Path(scratch))) as server:
        for board in all_boards():
            if not options.boards or board["uid"] in options.boards:
                days, chosen = VIEWS.get(board["uid"], (14, {}))
                view = View(board, server, dataset.END, days, chosen)
                target = options.folder / f"{board['uid']}.png"
                shoot(page(view, chosen), board, target, options.width)
                print(target)


def page(view: View, chosen: dict[str, Any]) -> str:
    answers = {}
    for panel in view.board["panels"]:
        if panel["type"] == "table":
            answers[panel["id"]] = view.rows(panel)
        elif panel["type"] != "row":
            answers[panel["id"]] = view.answers(panel)
    colors = {one["name"]: one["iconColor"] for one in view.board["annotations"]["list"]}
    data = {
        "title": view.board["title"], "from": view.start, "to": view.now, "step": view.step,
        "panels": [{**panel, "title": view.put_in(panel["title"])} for panel in view.board["panels"]], "answers": answers,
        "variables": [(one["label"], _choice(one, chosen, view)) for one in view.board["templating"]["list"] if one.get("hide", 0) == 0],
        "events": [{"at": at, "color": colors[name]} for name, at, _ in view.events()],
    }
    text = json.dumps(data).replace("</", "<\\/")
    return (f"<!doctype html><meta charset=utf-8><style>{(UPLOT / 'uPlot.min.css').read_text()}{(HERE / 'page/page.css').read_text()}</style>"
            f"<body><script>{(UPLOT / 'uPlot.iife.min.js').read_text()}</script><script>window.BOARD = {text}</script>"
            f"<script>{(HERE / 'page/page.js').read_text()}</script>")


def _choice(variable: dict, chosen: dict[str, Any], view: View) -> str:
    value = chosen.get(variable["name"])
    if value is None:
        return "All" if variable.get("includeAll") else view.values[variable["name"]]
    return value if isinstance(value, str) else ", ".join(value)


def shoot(text: str, board: dict, target: pathlib.Path, width: int) -> None:
    height = HEADER + ROW * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "page.html"
        source.write_text(text, encoding="utf-8")
        subprocess.run([*CHROMIUM, f"--user-data-dir={scratch}/profile", f"--window-size={width},{height}",
                        "--virtual-time-budget=5000", f"--screenshot={target.resolve()}", source.as_uri()],
                       check=True, stderr=subprocess.DEVNULL, timeout=120)


if __name__ == "__main__":
    main()
