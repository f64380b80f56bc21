# SPDX-License-Identifier: Apache-2.0
"""The memory state of the whole machine: allocd's figures against numactl, numastat and the kernel's files."""

import json
import re

import pytest
import readings
from observed import MIB, assert_between

THP = "/sys/kernel/mm/transparent_hugepage"
POOL = "/sys/kernel/mm/hugepages/hugepages-2048kB"
# What the tools that read, and allocctl, may take and give back between two readings.
IN_MOTION = 24 * MIB
PRINTED = 0.01 * MIB  # numastat shows hundredths


def state_of(observed) -> dict:
    assert observed.snapshot["node"]["known"]
    return observed.snapshot["node"]["state"]


def numbers_at(observed, path: str) -> list[int]:
    return [int(text) for text in observed.node_files(path)]


# Transparent huge pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["enabled", "defrag", "shmem_enabled"])
def test_thp_mode(observed, setting):
    mode = readings.chosen(observed.node_files(f"{THP}/{setting}")[0])
    assert state_of(observed)["thp"][setting] == mode
    assert observed.metric("allocd_node_thp_mode", setting=setting, mode=mode) == 1


def test_thp_sizes(observed):
    files = observed.nodes()[0]["files"]
    sizes = {int(found.group(1)) * 1024 for path in files if (found := re.match(rf"{THP}/hugepages-(\d+)kB/", path))}
    found = {size["bytes"]: size for size in state_of(observed)["thp"]["sizes"]}
    assert set(found) == sizes
    for size, entry in found.items():
        folder = f"{THP}/hugepages-{size // 1024}kB"
        for setting in ("enabled", "shmem_enabled"):
            text = files.get(f"{folder}/{setting}")
            assert entry[setting] == (readings.chosen(text) if text else None), (size, setting)
        others = [{path.rpartition("/")[2]: int(text) for path, text in node["files"].items()
                   if path.startswith(f"{folder}/stats/")} for node in observed.nodes()]
        assert set(entry["stats"]) == set(others[0])
        for name, value in entry["stats"].items():
            assert_between(value, [other[name] for other in others], what=f"{folder} {name}")


def test_thp_counters(observed):
    others = [readings.numbers(text) for text in observed.node_files("/proc/vmstat")]
    events = state_of(observed)["thp"]["events"]
    assert set(events) == {name for name in others[0] if name.startswith("thp_")}
    for name, value in events.items():
        assert_between(value, [other[name] for other in others], what=name)
    assert events["thp_fault_alloc"] > 0
    assert state_of(observed)["thp"]["pmd_bytes"] == numbers_at(observed, f"{THP}/hpage_pmd_size")[0]
    assert state_of(observed)["thp"]["use_zero_page"] == bool(numbers_at(observed, f"{THP}/use_zero_page")[0])


# NUMA ---------------------------------------------------------------------------------------------------------


def test_nodes_are_those_of_numactl(observed):
    text = observed.nodes()[0]["commands"]["numactl -H"]
    nodes = {node["id"]: node for node in state_of(observed)["numa"]["nodes"]}
    assert set(nodes) == {0, 1}
    for node, found in nodes.items():
        assert (found["has_cpu"], found["has_memory"]) == (True, True)
        # "node 0 size: 1472 MB", rounded down.
        size = int(re.search(rf"^node {node} size: (\d+) MB", text, re.MULTILINE).group(1)) * MIB
        assert size <= found["memory"]["total"] < size + MIB
        row = re.search(rf"^  {node}: +(.*)$", text, re.MULTILINE).group(1)
        assert [other["distance"] for other in found["distances"]] == [int(word) for word in row.split()]
        cpus = re.search(rf"^node {node} cpus: (.*)$", text, re.MULTILINE).group(1).split()
        assert found["cpus"] == f"{cpus[0]}-{cpus[-1]}"
        assert observed.metric("allocd_node_numa_memory_total_bytes", node=str(node)) == found["memory"]["total"]


@pytest.mark.parametrize("node", [0, 1])
@pytest.mark.parametrize(("member", "row", "slack"), [
    ("free", "MemFree", IN_MOTION), ("used", "MemUsed", IN_MOTION), ("anon", "AnonPages", IN_MOTION),
    ("file", "FilePages", IN_MOTION), ("shmem", "Shmem", 4 * MIB), ("anon_huge", "AnonHugePages", 4 * MIB),
    ("mlocked", "Mlocked", PRINTED)])
def test_memory_of_a_node_is_that_of_numastat(observed, node, member, row, slack):
    tables = [readings.numastat_table(found["commands"]["numastat -m"]) for found in observed.nodes()]
    found = state_of(observed)["numa"]["nodes"][node]["memory"][member]
    assert_between(found, [table[row][node] * MIB for table in tables], slack, f"node {node} {member}")


@pytest.mark.parametrize("node", [0, 1])
def test_allocations_are_those_of_numastat(observed, node):
    """Rows of `numastat`: numa_hit   1234   5678, in pages, a column per node."""
    rows = [{line.split()[0]: int(line.split()[1 + node]) for line in found["commands"]["numastat"].splitlines()[1:]}
            for found in observed.nodes()]
    names = {"interleave_hit": "interleave_hit"} | {name: name for name in (
        "numa_hit", "numa_miss", "numa_foreign", "local_node", "other_node")}
    counters = state_of(observed)["numa"]["nodes"][node]["numastat"]
    for name, theirs in names.items():
        assert_between(counters[name], [row[theirs] for row in rows], what=f"node {node} {name}")
        assert observed.metric("allocd_node_numa_pages_total", node=str(node), event=name) >= min(
            row[theirs] for row in rows)


def test_interleaving_left_its_mark(observed):
    nodes = state_of(observed)["numa"]["nodes"]
    assert all(node["numastat"]["interleave_hit"] > 0 for node in nodes)
    assert nodes[1]["numastat"]["other_node"] > 0  # CPUs of node 0 that allocated on node 1


def test_balancing(observed):
    assert state_of(observed)["numa"]["balancing"] == numbers_at(observed, "/proc/sys/kernel/numa_balancing")[0]


# Reserved huge pages, IOMMU, limits ---------------------------------------------------------------------------


def test_pools_of_huge_pages(observed):
    pools = {pool["page_bytes"]: pool for pool in state_of(observed)["hugetlb"]}
    pool = pools[2 * MIB]
    for member, file in (("pages", "nr_hugepages"), ("free", "free_hugepages"), ("reserved", "resv_hugepages"),
                         ("surplus", "surplus_hugepages"), ("overcommit", "nr_overcommit_hugepages")):
        assert_between(pool[member], numbers_at(observed, f"{POOL}/{file}"), what=member)
    assert pool["free"] == 64 - 16  # one worker holds 32 MiB of them
    for entry in pool["nodes"]:
        folder = f"/sys/devices/system/node/node{entry['node']}/hugepages/hugepages-2048kB"
        assert_between(entry["pages"], numbers_at(observed, f"{folder}/nr_hugepages"))
        assert_between(entry["free"], numbers_at(observed, f"{folder}/free_hugepages"))
        shown = observed.metric("allocd_node_numa_hugetlb_pages", node=str(entry["node"]), page_size="2M")
        assert shown == entry["pages"]


def test_iommu(observed):
    node = observed.nodes()[0]
    types = [text.strip() for path, text in node["files"].items() if path.startswith("/sys/kernel/iommu_groups/")]
    iommu = state_of(observed)["iommu"]
    assert iommu["has_unit"] == bool(node["iommus"])
    assert iommu["group_count"] == node["iommu_groups"]
    assert iommu["groups"] == {kind: types.count(kind) for kind in types}
    assert "intel_iommu=on" in iommu["options"]
    assert iommu["mode"] == "translated" and all(kind.startswith("DMA") for kind in types)
    assert observed.metric("allocd_node_iommu_mode", mode="translated") == 1


@pytest.mark.parametrize(("member", "file"), [
    ("overcommit_memory", "vm/overcommit_memory"), ("overcommit_ratio", "vm/overcommit_ratio"),
    ("max_map_count", "vm/max_map_count"), ("swappiness", "vm/swappiness"),
    ("zone_reclaim_mode", "vm/zone_reclaim_mode")])
def test_settings_of_the_kernel(observed, member, file):
    assert state_of(observed)["vm"][member] == numbers_at(observed, f"/proc/sys/{file}")[0]


def test_reserve_of_the_kernel(observed):
    assert state_of(observed)["vm"]["min_free"] == numbers_at(observed, "/proc/sys/vm/min_free_kbytes")[0] * 1024


@pytest.mark.parametrize(("member", "row"), [
    ("total", "MemTotal"), ("swap_total", "SwapTotal"), ("commit_limit", "CommitLimit"), ("hugetlb", "Hugetlb"),
    ("mlocked", "Mlocked"), ("swap_free", "SwapFree"), ("available", "MemAvailable"), ("anon", "AnonPages"),
    ("anon_huge", "AnonHugePages"), ("shmem", "Shmem"), ("committed", "Committed_AS")])
def test_memory_of_the_machine(observed, member, row):
    others = [readings.sizes(text)[row] for text in observed.node_files("/proc/meminfo")]
    stands_still = row in ("MemTotal", "SwapTotal", "CommitLimit", "Hugetlb", "Mlocked")
    assert_between(state_of(observed)["memory"][member], others, 0 if stands_still else IN_MOTION, member)


def test_pressure_of_the_machine(observed):
    others = [readings.pressure(text)["some"] for text in observed.node_files("/proc/pressure/memory")]
    assert_between(state_of(observed)["memory"]["pressure"]["some"]["total_microseconds"], others)


def test_nothing_was_unreadable(observed):
    problems = [problem for problem in state_of(observed)["problems"] if problem["kind"] != "missing"]
    assert problems == []
    assert observed.metric("allocd_node_read_errors") == 0


# What was declared --------------------------------------------------------------------------------------------


def test_expectations(observed):
    states = {result["key"]: result["state"] for result in observed.snapshot["node"]["expectations"]}
    assert states == {"thp.enabled": "met", "thp.defrag": "missed", "zone_reclaim_mode": "met", "iommu": "met",
                      "hugepages.2M": "missed"}
    assert observed.metric("allocd_node_expectation_state", key="thp.defrag", state="missed") == 1
    assert observed.metric("allocd_node_expectation_state", key="thp.enabled", state="met") == 1


def test_allocctl_node_says_what_differs(observed):
    answer = observed.allocctl("node")
    assert answer["code"] == 3, answer
    for word in ("thp.defrag", "hugepages.2M", "missed"):
        assert word in answer["out"]
    answer = observed.allocctl("node --output=json")
    assert answer["code"] == 3
    assert "thp.defrag" in json.dumps(json.loads(answer["out"]))
