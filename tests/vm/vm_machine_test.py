# SPDX-License-Identifier: Apache-2.0
"""The machine is what the other files of this tier take it for. All by the second opinion."""

import pytest
import readings
from workers import MIB, WORKERS


def test_two_nodes_with_cpus_and_memory(observed):
    text = observed.nodes()[0]["commands"]["numactl -H"]
    assert "available: 2 nodes (0-1)" in text
    assert "node 0 cpus: 0 1\n" in text and "node 1 cpus: 2 3\n" in text
    assert "  0:  10  21" in text


def test_cgroup_v2_counts_memory_and_pressure(observed):
    for unit in WORKERS:
        group = observed.cgroups(unit)[0]
        assert int(group["memory.current"]) > MIB and "some avg10" in group["memory.pressure"]


def test_huge_pages_pool_and_iommu(observed):
    files = observed.nodes()[0]["files"]
    assert readings.chosen(files["/sys/kernel/mm/transparent_hugepage/enabled"]) == "always"
    assert files["/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"] == "64\n"
    assert observed.nodes()[0]["iommus"] and observed.nodes()[0]["iommu_groups"] > 0


def node_shares(observed, unit: str) -> list[float]:
    numa_maps = [line for line in observed.processes(unit)[0]["numa_maps"].splitlines() if "anon=" in line]
    by_node = readings.pages_by_node("\n".join(numa_maps))
    return [by_node.get(node, 0) / sum(by_node.values()) for node in (0, 1)]


@pytest.mark.parametrize(("unit", "on_node_1"), [
    ("bound.service", (0.99, 1)), ("misbound.service", (0.99, 1)), ("interleaved.service", (0.45, 0.55))])
def test_memory_is_where_the_policy_puts_it(observed, unit, on_node_1):
    low, high = on_node_1
    assert low <= node_shares(observed, unit)[1] <= high


def test_one_worker_is_short_of_memory(observed):
    (group, _) = observed.cgroups("pressed.service")
    assert readings.numbers(group["memory.events"])["high"] > 0
    assert int(group["memory.swap.current"]) > 32 * MIB
    assert readings.pressure(group["memory.pressure"])["some"] > 0


def test_workers_idled_while_they_were_read(observed):
    """Or else an equal figure would be luck."""
    for unit in WORKERS:
        before, after = observed.statuses(unit)
        assert before == after, unit
