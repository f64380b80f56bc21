# SPDX-License-Identifier: Apache-2.0
"""Two weeks of the fleet of fleet.py as Prometheus would have scraped it: allocd's own metrics and its engines'.

    dataset.py FILE      # OpenMetrics text; the end is END

Memory comes from bench/drift/shapes.py, the rest from tables here. Most is scraped every ten minutes, what
hardly moves more seldom and some counters more often, so that it is all made in seconds.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Iterator

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "bench" / "drift"), str(pathlib.Path(__file__).parent)]

import shapes
from engines import write_engines
from fleet import DAYS, GIB, MIB, ROLES, SILENT, UNITS, Unit
from machines import write_machines
from openmetrics import Page
from verdict import Hour, verdicts

DAY = 86400
START = shapes.START
END = START + DAYS * DAY
STEP = 600
SLOW = 1800  # for what hardly moves
FAST = 150  # for what rates over five minutes are taken of

POLICY_STATES = ("compliant", "pending_restart", "not_applied", "violation", "not_enforceable", "rolled_back", "inactive",
                 "exempt", "unknown")
DRIFT_STATES = ("warming", "normal", "watch", "drift", "exhaustion")
DROP_IN_STATES = ("absent", "intact", "tampered", "foreign", "unreadable")
ALLOCATORS = ("glibc", "jemalloc", "tcmalloc", "mimalloc", "unknown")


def main() -> None:
    with open(sys.argv[1], "w", encoding="ascii", buffering=1 << 20) as out:
        page = Page(out, START, END)
        page.holes = {SILENT[0]: (SILENT[1] * DAY, SILENT[2] * DAY)}
        write_machines(page)
        for unit in UNITS:
            UnitWriter(page, unit).write()
        write_engines(page)
        out.write("# EOF\n")
    print(f"{page.lines} samples")


def spans(unit: Unit) -> Iterator[tuple[int, float, float]]:
    """Each life: its number, first and last moment, seconds from the start."""
    starts = [life.begins * DAY for life in unit.lives] + [DAYS * DAY + STEP]
    for number, (first, next_one) in enumerate(zip(starts, starts[1:])):
        yield number, first, next_one - STEP


class UnitWriter:
    def __init__(self, page: Page, unit: Unit) -> None:
        self.page = page
        self.unit = unit
        self.labels = {"instance": unit.node, "job": "allocd", "unit": unit.name}
        self.memory: list[int] = []  # every STEP
        self.hours: list[Hour] = []  # of each step
        for number, first, last in spans(unit):
            self._live(number, int(first), int(last))
        for values in (self.memory, self.hours):
            del values[DAYS * DAY // STEP + 1:]

    def _live(self, number: int, first: int, last: int) -> None:
        life, days = self.unit.lives[number], (last - first + 2 * STEP) / DAY
        seed = 100 * UNITS.index(self.unit) + number
        begins = None if life.weekday is None else life.weekday * DAY
        made = shapes.series(life.shape, int(life.base * GIB), seed, days=days, step=STEP, rate_per_hour=life.leak * MIB, begins=begins)
        self.memory += made.values[:(last - first) // STEP + 1]
        each_hour = verdicts(made.values, STEP, self.unit.limit * GIB)
        self.hours += [each_hour[at * STEP // 3600] for at in range((last - first) // STEP + 1)]

    def add(self, name: str, values, step: int = SLOW, first: float = 0, last: float = 1e12, **labels: str) -> None:
        self.page.add(name, {**self.labels, **labels}, values, step, first, last)

    def at(self, of, every: int = 1) -> list:
        """A value of each step, from the memory then and the hour it is in."""
        return [of(memory, hour) for memory, hour in zip(self.memory[::every], self.hours[::every])]

    def write(self) -> None:
        self.write_states()
        self.write_lives()
        self.write_policy()
        self.write_control_group()
        if self.unit.readable:
            self.write_drift()
            for role, share in ROLES[self.unit.engine].items():
                self.write_role(role, share)

    # What it is and what is asked of it -----------------------------------------------------------------------

    def write_states(self) -> None:
        ends = [since for since, _, _ in self.unit.states[1:]] + [DAYS + 1]
        for name in POLICY_STATES:
            values: list[int] = []
            for (since, state, _), end in zip(self.unit.states, ends):
                values += [int(state == name)] * (int(min(end, DAYS + STEP / DAY) * DAY) // STEP - int(since * DAY) // STEP)
            self.add("allocd_unit_policy_state", values, STEP, state=name)
        for (since, _, reason), end in zip(self.unit.states, ends):
            self.add("allocd_unit_policy_reason", 1, STEP, since * DAY, end * DAY - STEP, reason=reason)
        self.add("allocd_unit_up", 1, STEP)
        for state in ("active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance", "masked", "absent"):
            self.add("allocd_unit_active_state", int(state == "active"), state=state)
        self.add("allocd_unit_info", 1, STEP, engine=self.unit.engine, policy=self.unit.name.removesuffix(".service"),
                 source="unit", wanted=self.unit.wanted)

    def write_lives(self) -> None:
        for number, first, last in spans(self.unit):
            self.add("allocd_unit_start_time_seconds", START + int(first), STEP, first, last)
            if self.unit.readable:
                self.add("allocd_unit_drift_life_start_timestamp_seconds", START + int(first) + 4, STEP, first, last)
            self.add("allocd_unit_restarts_total", number, SLOW, first, last)

    def write_policy(self) -> None:
        written = next((since for since, state, _ in self.unit.states if state == "pending_restart"), None)
        if self.unit.state in ("compliant", "violation") and written is None:
            written = 0.0
        for state in DROP_IN_STATES if self.unit.wanted != "any" else ():
            values = [int(state == ("intact" if written is not None and at * STEP >= written * DAY else "absent"))
                      for at in range(DAYS * DAY // STEP + 1)]
            self.add("allocd_unit_drop_in_state", values, STEP, state=state)
        if self.unit.state != "unknown":
            due = self._due()
            self.add("allocd_unit_pending_restart_seconds", due, STEP)
        for mode in ("observe", "enforce"):
            self.add("allocd_unit_enforcement_mode", int(mode == "observe"), mode=mode)
        self.add("allocd_unit_processes_dropped", 0)
        self.add("allocd_unit_permission_errors", 0 if self.unit.readable else 3)

    def _due(self) -> list[int]:
        ends = [since for since, _, _ in self.unit.states[1:]] + [DAYS + 1]
        pending = [(since, end) for (since, state, _), end in zip(self.unit.states, ends) if state == "pending_restart"]
        return [sum(at * STEP - int(since * DAY) for since, end in pending if since * DAY <= at * STEP < end * DAY)
                for at in range(DAYS * DAY // STEP + 1)]

    # What it holds --------------------------------------------------------------------------------------------

    def write_drift(self) -> None:
        name = "allocd_unit_drift_"
        for state in DRIFT_STATES:
            self.add(f"{name}state", self.at(lambda _, hour: int(hour.state == state)), STEP, state=state)
        for rule in ("slow", "fast", "exhaustion"):
            self.add(f"{name}rule_active", self.at(lambda _, hour: int(getattr(hour, rule))), STEP, rule=rule)
        self.add(f"{name}memory_bytes", self.memory, STEP)
        for metric, field in (("floor_bytes", "floor"), ("ceiling_bytes", "ceiling"), ("warm_floor_bytes", "warm_floor"),
                              ("slope_bytes_per_second", "slope"), ("rising_ratio", "rising"),
                              ("time_to_limit_seconds", "time_to_limit"), ("window_seconds", "age")):
            self.add(name + metric, self.at(lambda _, hour: getattr(hour, field)), STEP)
        self.add(f"{name}needed_seconds", 78 * 3600)
        self.add(f"{name}limit_bytes", int(self.unit.limit * GIB), STEP, kind="cgroup")
        self.add(f"{name}falls_ratio", self.at(lambda _, hour: (hour.ceiling - hour.floor) / hour.ceiling), STEP)
        held = self.unit.allocator == "glibc"
        self.add(f"{name}at_peak_ratio", 0.97 if held else 0.2)
        for kind in ("unknown", "linear", "slowing"):
            self.add(f"{name}kind", self.at(lambda _, hour: int(kind == _kind(hour)), SLOW // STEP), kind=kind)
        for number, first, last in spans(self.unit):
            self.add(f"{name}lives", min(8, number), SLOW, first, last)
            if number > 0:
                leak = self.unit.lives[number - 1].leak * MIB / 3600
                self.add(f"{name}lives_growth_bytes_per_second", leak, SLOW, first, last)
        for role, share in ROLES[self.unit.engine].items():
            every = SLOW // STEP
            self.add(f"{name}role_floor_bytes", self.at(lambda _, hour: hour.floor * share, every), role=role)
            self.add(f"{name}role_slope_bytes_per_second",
                     self.at(lambda _, hour: None if hour.slope is None else hour.slope * share, every), role=role)

    def write_role(self, role: str, share: float) -> None:
        def add(metric: str, values, step: int = SLOW, **labels: str) -> None:
            self.add(f"allocd_unit_{metric}", values, step, role=role, **labels)

        anonymous = [int(value * share) for value in self.memory]
        add("memory_anonymous_bytes", anonymous, STEP)
        add("memory_swap_bytes", 0, STEP)
        file, shared = int(2.5 * GIB * share), int(0.8 * GIB * share)
        add("memory_file_bytes", file, STEP)
        add("memory_shared_bytes", shared, STEP)
        add("memory_resident_bytes", [value + file + shared for value in anonymous], STEP)
        add("processes", 1)
        add("threads", 40)
        add("processes_library_off_disk", 0)
        glibc_heaps = [max(0, int(value / (256 * MIB))) for value in anonymous[::SLOW // STEP]]
        for number, first, last in spans(self.unit):
            allocator = self.unit.lives[number].allocator
            for one in ALLOCATORS:
                self.add("allocd_unit_processes_by_allocator", int(one == allocator), SLOW, first, last, role=role, allocator=one)
            for one in ("jemalloc", "tcmalloc", "mimalloc"):
                idle = one == "jemalloc" and allocator == "tcmalloc"
                self.add("allocd_unit_processes_allocator_idle", int(idle), SLOW, first, last, role=role, allocator=one)
            self.add("allocd_unit_jemalloc_background_threads", int(allocator == "jemalloc"), SLOW, first, last, role=role)
            self.add("allocd_unit_glibc_heaps", glibc_heaps if allocator == "glibc" else 0, SLOW, first, last, role=role)

    def write_control_group(self) -> None:
        def add(metric: str, values, step: int = SLOW, **labels: str) -> None:
            self.add(f"allocd_unit_cgroup_{metric}", values, step, **labels)

        every, file = SLOW // STEP, int(4 * GIB)
        held = self.memory[::every]
        add("memory_available", 1)
        add("memory_current_bytes", [value + file for value in held])
        add("memory_inactive_file_bytes", file // 2)
        add("memory_effective_limit_bytes", int(self.unit.limit * GIB), limit="max")
        add("memory_thp_bytes", [int(value * (0.5 if self.unit.allocator == "glibc" else 0.15)) for value in held], kind="anon")
        add("memory_thp_bytes", 0, kind="file")
        add("memory_thp_bytes", 0, kind="shmem")
        near = 0.55 if self.unit.name == "sglang-chat.service" else 0.96
        for node, share in (("0", near), ("1", 1 - near)):
            add("memory_numa_bytes", [int(value * share) for value in held], node=node, kind="anon")
            add("memory_numa_bytes", int(file * share), node=node, kind="file")
        self.add("allocd_unit_memory_off_node_ratio", round(1 - near, 3), of="cpus")
        self.add("allocd_unit_memory_off_node_ratio", round(1 - near, 3), of="gpus")
        for event in ("low", "high", "max", "oom", "oom_kill", "oom_group_kill"):
            add("memory_events_total", 0, STEP, event=event)
        add("major_faults_total", [int(at * STEP * 0.02) for at in range(DAYS * DAY // STEP + 1)], STEP)
        waits = self._waits()
        self.add("allocd_unit_memory_pressure_waiting_seconds_total", waits, FAST)
        self.add("allocd_unit_memory_pressure_stalled_seconds_total", [round(value / 8, 3) for value in waits], FAST)

    def _waits(self) -> list[float]:
        """Tasks begin to wait when nine tenths of the limit are held."""
        total, out = 0.0, []
        for at in range(DAYS * DAY // FAST + 1):
            full = self.memory[at * FAST // STEP] / (self.unit.limit * GIB)
            total += FAST * (0.001 + max(0.0, min(0.3, 3 * (full - 0.9))))
            out.append(round(total, 3))
        return out


def _kind(hour: Hour) -> str:
    """What the growth looks like is told of drift that is ten days old; every leak of this fleet is a straight one."""
    return "linear" if hour.state in ("drift", "exhaustion") and hour.age > 10 * DAY else "unknown"


if __name__ == "__main__":
    main()
