# SPDX-License-Identifier: Apache-2.0
"""Tables of at most 80 columns on stdout, the same figures as JSON in a folder."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import subprocess
import time


def _cpu_model() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0]


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


class Report:
    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._targets: list[tuple[str, str, str, bool]] = []
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.json"):
            old.unlink()

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def machine(self, allocd: pathlib.Path) -> None:
        facts = {"date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "kernel": platform.release(),
                 "cpu": f"{os.cpu_count()} x {_cpu_model()}", "memory": f"{_memory_gib():.0f} GiB",
                 "load": _load(),
                 "allocd": _first_line(str(allocd), "--version") if allocd.exists() else "not built", "peer": _peer_version()}
        self.table("The machine", ["", ""], [[key, value] for key, value in facts.items()])
        self.save("machine", facts)

    def table(self, title: str, header: list[str], rows: list[list[object]], note: str = "") -> None:
        """The first column stands left, figures right. `note` is printed below, wrapped by the caller."""
        cells = [[_cell(value) for value in row] for row in rows]
        lines = ([header] if any(header) else []) + cells
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        left = {0} if any(header) else {0, 1}
        self.say(f"\n{title}")
        for number, line in enumerate(lines):
            text = "  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                             for i, (cell, width) in enumerate(zip(line, widths)))
            self.say(f"  {text}".rstrip())
            if number == 0 and any(header):
                self.say("  " + "  ".join("-" * width for width in widths))
        if any(header):
            note += f"\nLoad of the machine when it ended: {_load()}." if note else f"Load: {_load()}."
        if note:
            self.say("\n".join(f"  {line}" for line in note.splitlines()))

    def target(self, what: str, wanted: str, measured: str, met: bool) -> None:
        self._targets.append((what, wanted, measured, met))

    def save(self, name: str, figures: object) -> None:
        (self._folder / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")

    def finish(self, seconds: float) -> None:
        rows = [[what, wanted, measured, "yes" if met else "NO"] for what, wanted, measured, met in self._targets]
        if rows:
            self.table("Targets", ["", "wanted", "measured", "met"], rows)
        self.save("targets", [dict(zip(("what", "wanted", "measured", "met"), one)) for one in self._targets])
        self.say(f"\nTook {seconds:.0f} s. The same figures as JSON: {self._folder}")


def _load() -> str:
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


def _peer_version() -> str:
    program = pathlib.Path(__file__).resolve().parents[1] / (
        "build/tools/prometheus-process-exporter/usr/bin/prometheus-process-exporter")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    revision = next((line.partition("revision: ")[2].rstrip(")") for line in lines if "revision" in line), "unknown")
    return f"prometheus-process-exporter {revision}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return str(value)
