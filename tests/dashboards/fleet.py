# SPDX-License-Identifier: Apache-2.0
"""The small fleet that the dashboards are tried on: three nodes, twelve units, each with something to show.

What is written here is what the tests expect to see again on the boards. Days count from the start of the data.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

GIB = 2**30
MIB = 2**20
DAYS = 14


class Life(NamedTuple):
    """One run of a unit's main process, until the next one or the end."""

    begins: float  # day
    shape: str  # of bench/drift/shapes.py
    base: float  # GiB
    allocator: str
    leak: float = 0  # MiB an hour
    weekday: Optional[float] = None  # on which it begins where it runs, Monday is 0; drawn when not given


class Unit(NamedTuple):
    node: str
    name: str
    engine: str
    lives: list[Life]
    states: list[tuple[float, str, str]]  # since which day, policy state, reason
    limit: float = 64  # GiB, memory.max
    wanted: str = "jemalloc"
    expect_drift: str = "normal"  # at the end; empty: nothing can be said

    @property
    def state(self) -> str:
        return self.states[-1][1]

    @property
    def allocator(self) -> str:
        return self.lives[-1].allocator

    @property
    def readable(self) -> bool:
        return self.state != "unknown"


NODES = ("gpu-01", "gpu-02", "gpu-03")
COMPLIANT = [(0.0, "compliant", "none")]
EXEMPT = [(0.0, "exempt", "no_policy")]

UNITS = [
    # What it holds at its quietest rises day by day under glibc, and nothing sets what its policy asks for.
    Unit("gpu-01", "vllm-chat.service", "vllm", [Life(0, "leak", 24, "glibc", 45)],
         [(0.0, "not_applied", "not_configured")], expect_drift="drift"),
    # The same under glibc for eight days; then its drop-in is written, it is restarted, and runs under jemalloc.
    Unit("gpu-01", "vllm-code.service", "vllm", [Life(0, "leak", 18, "glibc", 60), Life(8, "diurnal", 15, "jemalloc")],
         [(0.0, "not_applied", "not_configured"), (7.75, "pending_restart", "started_before"), (8.0, "compliant", "none")]),
    Unit("gpu-01", "llama-embed.service", "llama_cpp", [Life(0, "flat", 6, "jemalloc")], COMPLIANT),
    Unit("gpu-01", "triton-rank.service", "triton", [Life(0, "flat", 9, "glibc")], EXEMPT, wanted="any"),
    # Its drop-in was written two and a half days ago; nobody has restarted it.
    Unit("gpu-02", "sglang-chat.service", "sglang", [Life(0, "diurnal", 30, "glibc")],
         [(0.0, "not_applied", "not_configured"), (11.5, "pending_restart", "started_before")]),
    # Its program puts tcmalloc in front of the jemalloc that its unit preloads.
    Unit("gpu-02", "vllm-cpu.service", "vllm", [Life(0, "diurnal", 12, "tcmalloc")],
         [(0.0, "violation", "overridden_by_runtime")]),
    # Its processes may not be read.
    Unit("gpu-02", "tgi-summarize.service", "tgi", [Life(0, "flat", 10, "unknown")],
         [(0.0, "unknown", "not_permitted")], expect_drift=""),
    # Restarted each night, which hides that each life leaks.
    Unit("gpu-02", "llama-draft.service", "llama_cpp", [Life(day + 0.125 if day else 0, "leak", 5, "jemalloc", 120) for day in range(14)],
         COMPLIANT, limit=32, expect_drift="warming"),
    # In order; where it runs it is Tuesday morning at the end, and its floor rose as it does after each weekend.
    Unit("gpu-03", "vllm-chat.service", "vllm", [Life(0, "diurnal", 24, "jemalloc", weekday=1.25)], COMPLIANT, expect_drift="watch"),
    # Started four days ago, it will meet its limit within hours.
    Unit("gpu-03", "sglang-batch.service", "sglang", [Life(0, "flat", 30, "glibc"), Life(10, "leak", 30, "glibc", 450)],
         EXEMPT, limit=76, wanted="any", expect_drift="exhaustion"),
    # It did not live under its preload.
    Unit("gpu-03", "triton-vision.service", "triton", [Life(0, "flat", 10, "glibc"), Life(5, "flat", 10, "glibc")],
         [(0.0, "not_applied", "not_configured"), (5.01, "rolled_back", "fuse")]),
    Unit("gpu-03", "tgi-chat.service", "tgi", [Life(0, "flat", 14, "jemalloc")], COMPLIANT),
]

ROLES = {
    "vllm": {"api_server": 0.1, "engine_core": 0.3, "worker": 0.6},
    "sglang": {"tokenizer": 0.1, "scheduler": 0.7, "detokenizer": 0.2},
    "tgi": {"router": 0.1, "launcher": 0.05, "worker": 0.85},
    "llama_cpp": {"other": 1.0},
    "triton": {"other": 1.0},
}

# What is declared of each node, and what came of it at the end.
EXPECTATIONS = {
    "gpu-01": {"thp.enabled": "met", "numa.balancing": "met", "iommu": "met", "hugepages.2M": "met"},
    "gpu-02": {"thp.enabled": "missed", "numa.balancing": "met", "iommu": "met", "hugepages.2M": "met"},
    "gpu-03": {"thp.enabled": "met", "numa.balancing": "met", "iommu": "unknown", "hugepages.2M": "met"},
}
THP_ALWAYS_SINCE = 9.0  # on gpu-02: it booted without its setting
SILENT = ("gpu-03", 4.10, 4.25)  # its observer did not answer then
MEMORY_TOTAL = 512 * GIB


def unit(node: str, name: str) -> Unit:
    return next(one for one in UNITS if (one.node, one.name) == (node, name))
