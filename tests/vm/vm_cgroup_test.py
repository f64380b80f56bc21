# SPDX-License-Identifier: Apache-2.0
"""Memory of control groups, per unit and per node: allocd's figures against the files of a real cgroup v2."""

import json

import pytest
import readings
from observed import MIB, assert_between
from workers import WORKERS

UNITS = list(WORKERS)
# Of memory.stat, what a unit's picture cannot do without.
STATS = ("anon", "file", "shmem", "slab", "pagetables", "anon_thp", "file_thp", "shmem_thp", "inactive_file", "pgfault",
         "pgmajfault", "workingset_refault_anon", "workingset_refault_file", "thp_fault_alloc", "thp_collapse_alloc")
NODE_KINDS = ("anon", "file", "shmem", "kernel_stack", "slab_reclaimable", "slab_unreclaimable")


def memory_of(observed, unit: str) -> dict:
    cgroup = observed.unit(unit)["cgroup"]
    assert cgroup["state"] == "available", cgroup
    return cgroup["memory"]


def limit(text: str) -> int | str:
    return "max" if text.strip() == "max" else int(text)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("member", "file"), [
    ("current", "memory.current"), ("peak", "memory.peak"), ("swap_current", "memory.swap.current")])
def test_amount_in_use(observed, unit, member, file):
    others = [int(group[file]) for group in observed.cgroups(unit)]
    assert_between(memory_of(observed, unit)[member], others, what=f"{unit} {file}")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("member", "file"), [
    ("high", "memory.high"), ("max", "memory.max"), ("swap_max", "memory.swap.max")])
def test_limit(observed, unit, member, file):
    assert memory_of(observed, unit)[member] == limit(observed.cgroups(unit)[0][file])


@pytest.mark.parametrize(("unit", "member"), [
    ("pressed.service", "effective_high"), ("locked.service", "effective_max")])
def test_limit_that_binds_is_the_units_own(observed, unit, member):
    found = memory_of(observed, unit)
    own = found[member.removeprefix("effective_")]
    assert isinstance(own, int)
    assert found[member] == {"limit": own, "group": observed.unit(unit)["control_group"]}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", STATS)
def test_statistic(observed, unit, name):
    groups = [readings.numbers(group["memory.stat"]) for group in observed.cgroups(unit)]
    assert_between(memory_of(observed, unit)["stat"].get(name), [group[name] for group in groups],
                   what=f"{unit} {name}")


@pytest.mark.parametrize("unit", UNITS)
def test_events(observed, unit):
    groups = [readings.numbers(group["memory.events"]) for group in observed.cgroups(unit)]
    events = memory_of(observed, unit)["events"]
    assert set(groups[0]) == set(events)
    for name, count in events.items():
        assert_between(count, [group[name] for group in groups], what=f"{unit} {name}")


@pytest.mark.parametrize("unit", UNITS)
def test_pressure(observed, unit):
    groups = [readings.pressure(group["memory.pressure"]) for group in observed.cgroups(unit)]
    pressure = memory_of(observed, unit)["pressure"]
    for kind in ("some", "full"):
        assert_between(pressure[kind]["total_microseconds"], [group[kind] for group in groups], what=f"{unit} {kind}")


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("kind", NODE_KINDS)
def test_memory_by_node(observed, unit, kind):
    groups = [readings.numa_stat(group["memory.numa_stat"]) for group in observed.cgroups(unit)]
    nodes = memory_of(observed, unit)["nodes"]
    assert set(nodes) == {"0", "1"}
    for node in (0, 1):
        assert_between(nodes[str(node)].get(kind), [group[kind][node] for group in groups],
                       what=f"{unit} {kind} on node {node}")


# What the figures are for -------------------------------------------------------------------------------------


def test_huge_pages_show_where_they_are(observed):
    with_thp, without = (memory_of(observed, unit)["stat"] for unit in ("huge.service", "small.service"))
    assert with_thp["anon_thp"] == WORKERS["huge.service"].mib("huge") * MIB
    assert with_thp["thp_fault_alloc"] >= with_thp["anon_thp"] // (2 * MIB)
    assert without["anon_thp"] == 0


def test_unit_over_its_limit_shows_it(observed):
    memory = memory_of(observed, "pressed.service")
    assert memory["events"]["high"] > 0
    assert memory["pressure"]["some"]["total_microseconds"] > 0
    assert memory["swap_current"] > 32 * MIB
    assert memory["current"] <= memory["high"] + MIB  # which is no hard limit


@pytest.mark.parametrize(("unit", "low", "high"), [
    ("misbound.service", 0.9, 1), ("bound.service", 0, 0.1)])
def test_share_off_the_node_of_the_cpus(observed, unit, low, high):
    share = observed.unit(unit)["locality"]["off_cpus"]
    assert share is not None and low <= share <= high
    cpu_nodes = observed.unit(unit)["locality"]["cpu_nodes"]
    group = readings.numa_stat(observed.cgroups(unit)[0]["memory.numa_stat"])
    by_node = {node: group["anon"][node] + group["file"][node] for node in (0, 1)}
    off = sum(size for node, size in by_node.items() if node not in cpu_nodes) / sum(by_node.values())
    assert abs(share - off) < 0.02
    assert observed.metric("allocd_unit_memory_off_node_ratio", unit=unit, of="cpus") == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(("unit", "cpu_nodes", "policy", "policy_nodes"), [
    ("bound.service", [1], "bind", [1]), ("misbound.service", [0], "bind", [1]),
    ("interleaved.service", [0, 1], "interleave", [0, 1]), ("huge.service", [0, 1], "unset", [])])
def test_placement_that_was_asked_for(observed, unit, cpu_nodes, policy, policy_nodes):
    locality = observed.unit(unit)["locality"]
    assert locality["cpu_nodes"] == cpu_nodes
    assert (locality["policy"], locality["policy_nodes"]) == (policy, policy_nodes)
    assert (locality["cpus_differ"], locality["mems_differ"]) == (0, 0)
    status = readings.words(observed.processes(unit)[0]["status"])
    placement = observed.process(unit)["placement"]
    assert placement["cpus_allowed"] == status["Cpus_allowed_list"]
    assert placement["mems_allowed"] == status["Mems_allowed_list"]


@pytest.mark.parametrize("unit", UNITS)
def test_process_with_thp_switched_off(observed, unit):
    status = readings.words(observed.processes(unit)[0]["status"])
    assert observed.process(unit)["placement"]["thp_enabled"] == (status["THP_enabled"] == "1")
    assert (status["THP_enabled"] == "0") == (unit == "small.service")
    assert observed.metric("allocd_unit_processes_thp_disabled", unit=unit) == (unit == "small.service")


def test_reserved_huge_pages_of_a_process(observed):
    others = [status["HugetlbPages"] for status in observed.statuses("hugetlb.service")]
    assert others[0] == WORKERS["hugetlb.service"].mib("hugetlb") * MIB
    assert_between(observed.process("hugetlb.service")["memory"]["hugetlb"], others)
    assert_between(observed.metric("allocd_unit_memory_hugetlb_bytes", unit="hugetlb.service"), others)


# Costly reads, of the units that ask for them -----------------------------------------------------------------


def costly(observed, unit: str, kind: str) -> dict:
    found = {entry["kind"]: entry for entry in observed.unit(unit)["costly"]}[kind]
    assert found["processes"] == 1, found
    return found


def test_walk_over_the_page_tables(observed):
    walks = [readings.sizes(process["smaps_rollup"]) for process in observed.processes("huge.service")]
    smaps = costly(observed, "huge.service", "smaps_rollup")["smaps"]
    assert smaps
    for name, value in smaps.items():
        # A library's pages are shared with whoever else has it mapped at the moment.
        slack = 2 * MIB if name.startswith(("Pss", "Shared", "Private", "Referenced")) else 0
        assert_between(value, [walk[name] for walk in walks], slack, name)


def test_huge_pages_by_the_walk(observed):
    taken = WORKERS["huge.service"].mib("huge") * MIB
    assert observed.metric("allocd_unit_memory_anon_huge_bytes", unit="huge.service") == taken


def test_numa_maps_add_up_by_node(observed):
    walks = [readings.pages_by_node(process["numa_maps"]) for process in observed.processes("interleaved.service")]
    nodes = costly(observed, "interleaved.service", "numa_maps")["nodes"]
    for node in (0, 1):
        assert_between(sum(nodes[str(node)].values()), [walk[node] for walk in walks], what=f"node {node}")


def test_unit_that_asks_for_no_costly_reads_has_none(observed):
    assert observed.unit("bound.service")["costly"] == []


# Where they are shown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_metrics_of_the_group(observed, unit):
    groups = observed.cgroups(unit)
    assert observed.metric("allocd_unit_cgroup_memory_available", unit=unit) == 1
    for name, file in (("current", "memory.current"), ("peak", "memory.peak")):
        assert_between(observed.metric(f"allocd_unit_cgroup_memory_{name}_bytes", unit=unit),
                       [int(group[file]) for group in groups], what=f"{unit} {file}")
    high = [float("inf") if limit(group["memory.high"]) == "max" else int(group["memory.high"]) for group in groups]
    assert observed.metric("allocd_unit_cgroup_memory_limit_bytes", unit=unit, limit="high") == high[0]
    stats = [readings.numbers(group["memory.stat"]) for group in groups]
    for kind in ("anon", "file", "slab", "pagetables"):
        assert_between(observed.metric("allocd_unit_cgroup_memory_kind_bytes", unit=unit, kind=kind),
                       [stat[kind] for stat in stats], what=f"{unit} {kind}")
    assert_between(observed.metric("allocd_unit_cgroup_memory_thp_bytes", unit=unit, kind="anon"),
                   [stat["anon_thp"] for stat in stats], what=unit)
    events = [readings.numbers(group["memory.events"]) for group in groups]
    assert_between(observed.metric("allocd_unit_cgroup_memory_events_total", unit=unit, event="high"),
                   [event["high"] for event in events], what=unit)
    waits = [readings.pressure(group["memory.pressure"])["some"] / 1e6 for group in groups]
    assert_between(observed.metric("allocd_unit_memory_pressure_waiting_seconds_total", unit=unit), waits, 1e-6, unit)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("node", [0, 1])
def test_metrics_by_node(observed, unit, node):
    groups = [readings.numa_stat(group["memory.numa_stat"]) for group in observed.cgroups(unit)]
    for kind in ("anon", "file"):
        found = observed.metric("allocd_unit_cgroup_memory_numa_bytes", unit=unit, node=str(node), kind=kind)
        assert_between(found, [group[kind][node] for group in groups], what=f"{unit} {kind} {node}")


@pytest.mark.parametrize("unit", UNITS)
def test_allocctl_shows_the_group(observed, unit):
    shown = json.loads(observed.allocctl(f"show {unit}")["out"])["unit"]
    others = [int(group["memory.current"]) for group in observed.cgroups(unit)]
    assert_between(shown["cgroup"]["memory"]["current"], others, what=unit)
    assert shown["locality"]["off_cpus"] == observed.unit(unit)["locality"]["off_cpus"]
