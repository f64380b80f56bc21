# SPDX-License-Identifier: Apache-2.0
"""What a page of metrics is held against: promtool, and the names and labels that docs/metrics.md promises."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

SOURCE = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).parents[2]))
REFERENCE = SOURCE / "docs/metrics.md"


def promtool() -> str:
    unpacked = SOURCE / "build/tools/prometheus/usr/bin/promtool"
    found = os.environ.get("ALLOCD_PROMTOOL") or shutil.which("promtool") or (unpacked if unpacked.exists() else None)
    assert found, (
        "promtool is needed: set ALLOCD_PROMTOOL, have it in PATH, or unpack Debian's package without installing it: "
        f"apt-get download prometheus && dpkg-deb -x prometheus_*.deb {SOURCE}/build/tools/prometheus"
    )
    return str(found)


def promtool_complaints(page: bytes) -> str:
    """What `promtool check metrics` has to say; "" when it is content."""
    done = subprocess.run([promtool(), "check", "metrics"], input=page, capture_output=True, timeout=60)
    return (done.stdout + done.stderr).decode() or ("" if done.returncode == 0 else f"exit {done.returncode}")


def undocumented_series(page: str) -> list[str]:
    """Samples whose name or labels are not those of the reference page."""
    rows = re.findall(r"^\| `(allocd_\w+)` \| \w+ \| ([^|]*) \|", REFERENCE.read_text(), re.M)
    documented = {name: re.findall(r"`(\w+)`", labels) for name, labels in rows}
    samples = [line for line in page.splitlines() if line and not line.startswith("#")]
    return [line for line in samples
            if documented.get(re.match(r"\w+", line)[0]) != re.findall(r'[{,](\w+)="', line)]
