# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the vm tier: one machine is booted for all tests, and each test looks at what was found inside."""

import json
import os
import pathlib
import sys

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/host"))

import allocd_on_host  # noqa: E402
import machine  # noqa: E402
from observed import Observed  # noqa: E402


def pytest_sessionstart():
    reason = machine.unavailable(SOURCE)
    if reason:
        pytest.exit(f"skipped: {reason}", returncode=77)


@pytest.fixture(scope="session")
def observed(tmp_path_factory) -> Observed:
    """What allocd and others said inside. ALLOCD_VM_RESULTS names results of an earlier run, to work on a test."""
    earlier = os.environ.get("ALLOCD_VM_RESULTS")
    if earlier:
        return Observed(json.loads((pathlib.Path(earlier) / "results.json").read_text()))
    results = tmp_path_factory.mktemp("vm")
    programs, source = allocd_on_host.locations()
    console = machine.run(["/usr/bin/python3", "-B", "/run/vm/source/tests/vm/inside.py"], source, programs, results)
    file = results / "results.json"
    assert file.exists(), f"the machine left no results\n{console[-6000:]}"
    return Observed(json.loads(file.read_text()))
