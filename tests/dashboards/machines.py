# SPDX-License-Identifier: Apache-2.0
"""The nodes of the fleet: the state of the machine, model files, and allocd's figures about itself."""

from __future__ import annotations

import math

from fleet import DAYS, EXPECTATIONS, GIB, MEMORY_TOTAL, MIB, NODES, SILENT, THP_ALWAYS_SINCE, UNITS
from openmetrics import Page

DAY = 86400
STEP, SLOW, FAST = 600, 1800, 150
COLLECTORS = ("units", "cgroups", "processes", "cgroup_memory", "enforcement", "allocators", "node", "page_cache", "costly", "drift")
EVENTS = ("thp_fault_alloc", "thp_fault_fallback", "thp_collapse_alloc", "thp_split_page", "thp_deferred_split_page")


def write_machines(page: Page) -> None:
    for number, node in enumerate(NODES):
        Machine(page, node, number).write()


def rising(per_second: float, step: int, wave: float = 0.5) -> list[float]:
    """A counter that follows the day."""
    total, out = 0.0, []
    for at in range(DAYS * DAY // step + 1):
        out.append(round(total, 3))
        total += step * per_second * (1 + wave * math.sin(at * step / DAY * 2 * math.pi))
    return out


class Machine:
    def __init__(self, page: Page, node: str, number: int) -> None:
        self.page = page
        self.node = node
        self.number = number
        self.labels = {"instance": node, "job": "allocd"}

    def add(self, name: str, values, step: int = SLOW, first: float = 0, last: float = 1e12, **labels: str) -> None:
        self.page.add(f"allocd_{name}", {**self.labels, **labels}, values, step, first, last)

    def one_of(self, name: str, label: str, value: str, values: tuple[str, ...], step: int = SLOW, **labels: str) -> None:
        for each in values:
            self.add(name, int(each == value), step, **labels, **{label: each})

    def write(self) -> None:
        self.write_exporter()
        self.write_observer()
        self.write_enforcer()
        self.write_memory()
        self.write_huge_pages()
        self.write_numa()
        self.write_model_files()
        for key, state in EXPECTATIONS[self.node].items():
            for each in ("met", "missed", "unknown"):
                if state == "missed":
                    since = int(THP_ALWAYS_SINCE * DAY)
                    self.add("node_expectation_state", int(each == "met"), STEP, 0, since - STEP, key=key, state=each)
                    self.add("node_expectation_state", int(each == "missed"), STEP, since, key=key, state=each)
                else:
                    self.add("node_expectation_state", int(each == state), STEP, key=key, state=each)

    def write_exporter(self) -> None:
        """What answers even while the observer is silent."""
        raw = Page.add
        holes, self.page.holes = self.page.holes, {}
        raw(self.page, "up", self.labels, 1, STEP)
        silent = [int(not (self.node == SILENT[0] and SILENT[1] * DAY <= at * STEP <= SILENT[2] * DAY))
                  for at in range(DAYS * DAY // STEP + 1)]
        self.add("observer_up", silent, STEP)
        self.add("exporter_build_info", 1, STEP, version="0.1.0")
        self.add("exporter_start_time_seconds", self.page.start - 3600)
        self.add("exporter_snapshot_fetch_errors_total", 0, STEP)
        self.add("exporter_connections_dropped_total", 0, STEP)
        self.page.holes = holes

    def write_observer(self) -> None:
        stamps = [self.page.start + at * STEP - 7 for at in range(DAYS * DAY // STEP + 1)]
        self.add("build_info", 1, STEP, version="0.1.0", revision="c0b6e67", compiler="GNU 12.2.0")
        self.add("snapshot_timestamp_seconds", stamps, STEP)
        self.add("sample_interval_seconds", 10)
        self.add("sample_duration_seconds", [round(0.004 + 0.001 * math.sin(at / 20), 5) for at in range(DAYS * DAY // SLOW + 1)])
        self.add("sample_lateness_seconds", 0.0002)
        self.add("observer_cpu_seconds_total", rising(0.0012 + 0.0002 * self.number, STEP), STEP)
        self.add("observer_resident_memory_bytes", 14 * MIB + self.number * MIB)
        started = self.page.start - 7200 if self.node != SILENT[0] else self.page.start + int(SILENT[2] * DAY)
        self.add("observer_start_time_seconds", self.page.start - 7200, STEP, 0, SILENT[1] * DAY)
        self.add("observer_start_time_seconds", started, STEP, SILENT[2] * DAY)
        for name in ("evidence_deadlines", "bus_timeouts", "bus_errors", "bus_reconnects"):
            self.add(f"{name}_total", 0, STEP)
        self.add("costly_read_seconds_total", rising(0.0001, STEP, 0), STEP)
        self.add("config_last_reload_successful", 1, STEP)
        for collector in COLLECTORS:
            fails = self.node == "gpu-02" and collector == "page_cache"
            self.add("collector_success", int(not fails), STEP, collector=collector)
            self.add("collector_duration_seconds", {"page_cache": 0.4, "node": 0.02}.get(collector, 0.001), collector=collector)
            self.add("collector_permission_errors", 3 if fails else 0, STEP, collector=collector)
            self.add("collector_errors_total", rising(0.001, STEP, 0) if fails else 0, STEP, collector=collector)
            last = [self.page.start if fails else stamp for stamp in stamps[::SLOW // STEP]]
            self.add("collector_last_success_timestamp_seconds", last, collector=collector)

    def write_enforcer(self) -> None:
        applied = {"gpu-01": (7.75, "vllm-code.service"), "gpu-02": (11.5, "sglang-chat.service"), "gpu-03": (4.9, "triton-vision.service")}
        when = applied[self.node][0] * DAY
        rolled_back = self.node == "gpu-03"
        self.add("enforcer_applied_total", 1, STEP, 0, when - STEP)
        self.add("enforcer_applied_total", 2, STEP, when)
        self.add("enforcer_rolled_back_total", [int(rolled_back and at * STEP >= 5.01 * DAY) for at in range(DAYS * DAY // STEP + 1)], STEP)
        self.add("enforcer_reverted_total", 0, STEP)
        self.add("enforcer_restarts_total", 0, STEP)
        self.add("enforcer_last_run_timestamp_seconds", self.page.start - DAY, STEP, 0, when - STEP, verb="apply")
        self.add("enforcer_last_run_timestamp_seconds", self.page.start + int(when), STEP, when, verb="apply")
        self.add("enforcer_last_run_changes", 0, STEP, 0, when - STEP, verb="apply")
        self.add("enforcer_last_run_changes", 1, STEP, when, verb="apply")
        self.add("enforcer_last_run_success", 1, STEP, verb="apply")
        self.add("enforcer_last_plan_timestamp_seconds", self.page.start + DAY, STEP, DAY)
        self.add("enforcer_last_plan_changes", 1 if self.node == "gpu-01" else 0)
        self.add("enforcer_last_plan_blocked", 1 if self.node == "gpu-02" else 0)

    def write_memory(self) -> None:
        mine = sum(unit.lives[0].base for unit in UNITS if unit.node == self.node) * GIB
        steps = range(DAYS * DAY // SLOW + 1)
        available = [int(MEMORY_TOTAL - 60 * GIB - mine - at * SLOW / DAY * (2 if self.number == 0 else 0.1) * GIB
                         - 8 * GIB * math.sin(at * SLOW / DAY * 2 * math.pi)) for at in steps]
        self.add("node_memory_total_bytes", MEMORY_TOTAL)
        self.add("node_memory_available_bytes", available)
        self.add("node_memory_committed_bytes", [int(1.3 * (MEMORY_TOTAL - value)) for value in available])
        self.add("node_memory_commit_limit_bytes", MEMORY_TOTAL // 2)
        self.add("node_memory_mlocked_bytes", 2 * GIB)
        self.add("node_memory_hugetlb_bytes", 32 * GIB)
        self.add("node_memory_swap_total_bytes", 8 * GIB)
        self.add("node_memory_swap_free_bytes", 8 * GIB)
        self.add("node_memory_pressure_waiting_seconds_total", rising(0.003 + 0.004 * self.number, FAST, 0.9), FAST)
        self.add("node_memory_pressure_stalled_seconds_total", rising(0.0004, FAST, 0.9), FAST)
        self.add("node_overcommit_mode", 0)
        self.add("node_swappiness", 10)
        self.add("node_zone_reclaim_mode", 0)
        self.add("node_min_free_bytes", 1 * GIB)
        self.add("node_mappings_limit", 262144)
        self.add("node_read_errors", 0)
        self.add("node_read_timestamp_seconds", [self.page.start + at * SLOW - 20 for at in steps])
        self.add("node_pinned_pages_acquired_total", [1_000_000 + 40 * at for at in steps])
        self.add("node_pinned_pages_released_total", [400_000 + 40 * at for at in steps])
        self.one_of("node_iommu_mode", "mode", "translated" if self.number == 2 else "passthrough",
                    ("none", "translated", "passthrough", "mixed", "unknown"))
        self.add("node_iommu_groups", 42, kind="identity" if self.number != 2 else "DMA")
        self.add("node_iommu_present", 1)

    def write_huge_pages(self) -> None:
        wrong = self.node == "gpu-02"
        since = int(THP_ALWAYS_SINCE * DAY)
        for mode in ("always", "madvise", "never"):
            self.add("node_thp_mode", int(mode == "madvise"), SLOW, 0, since - 1 if wrong else 1e12, setting="enabled", mode=mode)
            if wrong:
                self.add("node_thp_mode", int(mode == "always"), SLOW, since, setting="enabled", mode=mode)
        self.one_of("node_thp_mode", "mode", "madvise", ("always", "defer", "defer+madvise", "madvise", "never"), setting="defrag")
        steps = range(DAYS * DAY // SLOW + 1)
        grown = [int((20 + (30 if wrong and at * SLOW >= since else 0) + 3 * math.sin(at / 15)) * GIB) for at in steps]
        self.add("node_memory_thp_bytes", grown, kind="anon")
        self.add("node_memory_thp_bytes", 0, kind="shmem")
        self.add("node_memory_thp_bytes", 1 * GIB, kind="file")
        for event, rate in zip(EVENTS, (40, 3, 2, 0.5, 1)):
            self.add("node_thp_events_total", rising(rate, STEP), STEP, event=event)
        for size, pages, free in (("2M", 16384, 2048), ("1G", 0, 0)):
            self.add("node_hugetlb_pages", pages, page_size=size)
            self.add("node_hugetlb_free_pages", free, page_size=size)
            self.add("node_hugetlb_surplus_pages", 0, page_size=size)
            for numa in ("0", "1"):
                self.add("node_numa_hugetlb_free_pages", free // 2, page_size=size, node=numa)

    def write_numa(self) -> None:
        self.add("node_numa_balancing_mode", 0)
        steps = range(DAYS * DAY // SLOW + 1)
        for numa, share in (("0", 0.3), ("1", 0.7)):
            self.add("node_numa_memory_free_bytes", [int(share * (120 - at * SLOW / DAY) * GIB) for at in steps], node=numa)
            for kind, size in (("anon", 90), ("file", 40), ("slab", 4), ("pagetables", 1)):
                self.add("node_numa_memory_kind_bytes", [int((1.3 - share) * size * (1 + 0.1 * math.sin(at / 15)) * GIB) for at in steps],
                         node=numa, kind=kind)
            for event, rate in (("numa_hit", 9000), ("numa_miss", 20 * share), ("numa_foreign", 20 * (1 - share)), ("local_node", 9000)):
                self.add("node_numa_pages_total", rising(rate, STEP), STEP, node=numa, event=event)

    def write_model_files(self) -> None:
        policy = UNITS[4 * self.number].name.removesuffix(".service")
        size = 140 * GIB
        self.add("model_files", 31, policy=policy)
        self.add("model_files_bytes", size, policy=policy)
        self.add("model_files_cached_bytes", [int(size * (0.75 + 0.2 * math.cos(at / 60))) for at in range(DAYS * DAY // SLOW + 1)], policy=policy)
        self.add("model_files_dirty_bytes", 0, policy=policy)
        self.add("model_files_unreadable", 3 if self.node == "gpu-02" else 0, policy=policy, reason="file_not_permitted")
        self.add("model_files_complete", 1, policy=policy)
