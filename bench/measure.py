# SPDX-License-Identifier: Apache-2.0
"""./dev bench: what allocd costs, beside Debian's prometheus-process-exporter, on a throwaway systemd host.

And, without a host, how its drift alerts fare beside the usual ones. Prints tables and writes the same figures as
JSON under build/bench. Nothing here passes or fails: a target that was missed is shown as missed. All but `drift`
needs root. Docs: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(SOURCE / "tests/host"), str(SOURCE / "bench/drift")]

import evaluation  # noqa: E402
import growth  # noqa: E402
import load  # noqa: E402
import report  # noqa: E402
import side_by_side  # noqa: E402
import stall  # noqa: E402
import throwaway_host  # noqa: E402

PARTS = ("cpu", "collectors", "memory", "scrape", "stall", "growth", "drift")
DRIFT = "drift"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of them by default")
    parser.add_argument("--programs", type=pathlib.Path, default=SOURCE / "build/release/bin")
    parser.add_argument("--output", type=pathlib.Path, default=SOURCE / "build/bench")
    parser.add_argument("--quick", action="store_true", help="drift: 4 seeds of each set, not 20")
    found = parser.parse_args()
    if unknown := set(found.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    found.parts = found.parts or list(PARTS)
    return found


def check(programs: pathlib.Path, parts: list[str]) -> str | None:
    """Why this cannot run, or None."""
    on_host = parts != [DRIFT]
    needs = [programs / "allocd", programs / "host-programs/stall_meter", load.PEER_PROGRAM] if on_host else []
    needs += [programs / "drift-replay", evaluation.TOOLS / "promtool"] if DRIFT in parts else []
    for needed in needs:
        if not needed.exists():
            return f"{needed} is missing: start this with ./dev bench"
    return throwaway_host.unavailable() if on_host else None


def run(options: argparse.Namespace) -> None:
    begun = time.monotonic()
    out = report.Report(options.output)
    out.machine(options.programs / "allocd")
    beside = [part for part in options.parts if part in side_by_side.PARTS]
    if beside:
        side_by_side.measure(options.programs, beside, out)
    if "growth" in options.parts:
        growth.measure(options.programs, out)
    if "stall" in options.parts:
        stall.measure(options.programs, out)
    if DRIFT in options.parts:
        evaluation.measure(options.programs / "drift-replay", options.output / "drift", out, options.quick)
    out.finish(time.monotonic() - begun)


def main() -> int:
    options = arguments()
    if reason := check(options.programs, options.parts):
        print(f"bench: {reason}", file=sys.stderr)
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the host is taken down
    try:
        run(options)
    except KeyboardInterrupt:
        print("\nbench: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
