# SPDX-License-Identifier: Apache-2.0
"""Memory of processes: allocd's figures against the kernel's files and numastat, on Debian's own kernel."""

import json

import pytest
import readings
from observed import assert_between
from workers import JEMALLOC, MAPPED_MIB, MIB, WORKERS

FIELDS = {"resident": "VmRSS", "anonymous": "RssAnon", "file": "RssFile", "shared": "RssShmem", "swap": "VmSwap",
          "peak_resident": "VmHWM", "locked": "VmLck", "pinned": "VmPin", "page_tables": "VmPTE"}
# Since 6.2 the kernel keeps these counts per CPU and adds up roughly: 32 pages for each CPU may be elsewhere.
COUNTED_ROUGHLY = 4 * 32 * 4096
# Of 56 MiB taken through jemalloc 64.2 have been seen resident: eight huge pages of its own are as many as may be.
OWN_NEEDS = 16 * MIB
METRICS = {"resident": "allocd_unit_memory_resident_bytes", "anonymous": "allocd_unit_memory_anonymous_bytes",
           "file": "allocd_unit_memory_file_bytes", "shared": "allocd_unit_memory_shared_bytes",
           "swap": "allocd_unit_memory_swap_bytes", "locked": "allocd_unit_memory_locked_bytes",
           "page_tables": "allocd_unit_memory_page_tables_bytes"}


@pytest.mark.parametrize("unit", WORKERS)
@pytest.mark.parametrize("member", FIELDS)
def test_figure_is_that_of_status(observed, unit, member):
    others = [status[FIELDS[member]] for status in observed.statuses(unit)]
    assert_between(observed.process(unit)["memory"][member], others, what=f"{unit} {member}")


@pytest.mark.parametrize("unit", WORKERS)
@pytest.mark.parametrize(("member", "field"), [("anonymous", "Anonymous"), ("swap", "Swap"), ("locked", "Locked")])
def test_figure_is_that_of_a_walk_over_the_page_tables(observed, unit, member, field):
    others = [readings.sizes(process["smaps_rollup"])[field] for process in observed.processes(unit)]
    assert_between(observed.process(unit)["memory"][member], others, COUNTED_ROUGHLY, f"{unit} {member}")


@pytest.mark.parametrize("unit", WORKERS)
def test_resident_memory_is_what_numastat_adds_up(observed, unit):
    """numastat counts reserved huge pages too, which are in no resident figure."""
    totals = []
    for process in observed.processes(unit):
        table = readings.numastat_table(process["numastat"])
        totals.append((table["Total"][-1] - table["Huge"][-1]) * MIB)
    assert_between(observed.process(unit)["memory"]["resident"], totals, COUNTED_ROUGHLY + 0.03 * MIB, unit)


@pytest.mark.parametrize(("unit", "member", "kinds"), [
    ("bound.service", "anonymous", ("pages", "malloc")),
    ("misbound.service", "anonymous", ("pages", "malloc")),
    ("interleaved.service", "anonymous", ("pages",)),
    ("huge.service", "anonymous", ("huge",)),
    ("huge.service", "shared", ("shared",)),
    ("small.service", "anonymous", ("huge",)),
    ("locked.service", "locked", ("locked",)),
    ("hugetlb.service", "anonymous", ("pages",)),
])
def test_figure_is_what_the_worker_took(observed, unit, member, kinds):
    """Neither side need be believed: the amounts are the test's own. What the allocator and the program need for
    themselves comes on top, and each of their mappings may be rounded up to a huge page."""
    taken = WORKERS[unit].mib(*kinds) * MIB
    assert taken - COUNTED_ROUGHLY <= observed.process(unit)["memory"][member] <= taken + OWN_NEEDS


def test_mapped_file_counts_as_file_memory(observed):
    assert observed.process("mapped.service")["memory"]["file"] >= MAPPED_MIB * MIB - COUNTED_ROUGHLY


def test_memory_that_was_pushed_out_counts_as_swap(observed):
    memory = observed.process("pressed.service")["memory"]
    taken = WORKERS["pressed.service"].mib("pages") * MIB
    assert memory["swap"] > 32 * MIB
    assert taken - 2 * COUNTED_ROUGHLY <= memory["swap"] + memory["anonymous"] <= taken + 4 * MIB


@pytest.mark.parametrize("unit", WORKERS)
def test_threads_and_faults(observed, unit):
    process = observed.process(unit)
    others = observed.processes(unit)
    assert_between(process["threads"], [int(readings.words(other["status"])["Threads"]) for other in others])
    # stat, field 3 and on: minflt is field 10, majflt field 12 (proc(5)).
    fields = [other["stat"].rpartition(")")[2].split() for other in others]
    assert_between(process["minor_faults"], [int(field[7]) for field in fields], what="minor faults")
    assert_between(process["major_faults"], [int(field[9]) for field in fields], what="major faults")


# What the malloc is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", WORKERS)
def test_malloc_is_found_on_this_kernel(observed, unit):
    worker, evidence = WORKERS[unit], observed.process(unit)["evidence"]
    assert (evidence["active"], evidence["rung"]) == (worker.malloc, "resolved")
    kinds = {library["kind"]: library["state"] for library in evidence["libraries"]}
    assert kinds == ({worker.malloc: "active"} if worker.malloc != "glibc" else kinds)
    expected = "compliant" if worker.preload == JEMALLOC else "not_applied"
    assert observed.unit(unit)["assessment"]["state"] == expected


# Where it is shown -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", WORKERS)
def test_metrics_are_those_figures(observed, unit):
    for member, name in METRICS.items():
        others = [status[FIELDS[member]] for status in observed.statuses(unit)]
        assert_between(observed.metric(name, unit=unit), others, what=f"{name} of {unit}")
    assert observed.metric("allocd_unit_processes_by_allocator", unit=unit, allocator=WORKERS[unit].malloc) == 1


@pytest.mark.parametrize("unit", WORKERS)
def test_allocctl_shows_those_figures(observed, unit):
    answer = observed.allocctl(f"show {unit}")
    assert answer["code"] == 0, answer
    (process,) = json.loads(answer["out"])["unit"]["processes"]
    others = [status["VmRSS"] for status in observed.statuses(unit)]
    assert_between(process["memory"]["resident"], others, what=unit)


def test_limit_of_mappings_is_the_kernels(observed):
    (text, _) = observed.node_files("/proc/sys/vm/max_map_count")
    assert observed.metric("allocd_node_mappings_limit") == int(text)


def test_no_collector_failed_but_the_one_that_meets_a_file_of_roots(observed):
    failed = [labels for labels, value in observed.metrics["allocd_collector_success"] if value != 1]
    assert failed == [{"collector": "page_cache"}], observed.found["journal"][-4000:]
    (page_cache,) = [part for part in observed.snapshot["collectors"] if part["name"] == "page_cache"]
    assert page_cache["last_error"] == "bound: 1 model files or directories may not be read"
