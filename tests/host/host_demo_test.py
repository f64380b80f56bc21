# SPDX-License-Identifier: Apache-2.0
"""`./dev demo`, as a newcomer runs it, but for the build."""

import subprocess
import sys

from allocd_on_host import locations


def test_the_demo_tells_the_three_workers_apart():
    programs, source = locations()
    done = subprocess.run(
        [sys.executable, "-B", source / "tests/host/demo.py", "--programs", programs, "--tools", source / "build/tools"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok    vllm-cpu.service worker TP0: tcmalloc, jemalloc mapped and idle: violation" in done.stdout
    assert "ok    vllm.service worker TP1: jemalloc: compliant" in done.stdout
    assert "ok    vllm.service worker TP0: glibc: violation" in done.stdout
    assert 'allocator="tcmalloc",role="worker",unit="vllm-cpu.service"} 1' in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 110
