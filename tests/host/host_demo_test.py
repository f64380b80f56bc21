# SPDX-License-Identifier: Apache-2.0
"""`./dev demo`, as a newcomer runs it, but for the build."""

import subprocess
import sys

from allocd_on_host import locations


def test_the_demo_tells_the_workers_apart_and_enforces():
    programs, source = locations()
    done = subprocess.run(
        [sys.executable, "-B", source / "tests/host/demo.py", "--programs", programs, "--tools", source / "build/tools"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok    vllm-cpu.service worker TP0: tcmalloc, jemalloc mapped and idle: violation" in done.stdout
    assert "ok    vllm.service worker TP1: jemalloc: compliant" in done.stdout
    assert "ok    vllm.service worker TP0: glibc: not_applied" in done.stdout
    assert "ok    vllm.service: applied, restarted by hand, compliant; vllm-fragile.service: brought back" in done.stdout
    assert "+Environment=\"LD_PRELOAD=" in done.stdout
    assert 'allocator="tcmalloc",role="worker",unit="vllm-cpu.service"} 1' in done.stdout
    # A diff shows the lines of a file as they are.
    assert max(len(line) for line in done.stdout.splitlines() if not line.startswith("+")) <= 110
