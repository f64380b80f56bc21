// SPDX-License-Identifier: Apache-2.0
// The memory part of the page: what was not read has no sample, what is old is not shown as the present.
#include "metrics/metrics.hpp"
#include "page.hpp"
#include "rich_snapshot.hpp"
#include "support/catch.hpp"

using namespace allocd;
using test::Page;

namespace {

Page page_of(const snapshot::Snapshot& snapshot, double now = 5001) {
  return Page(metrics::Scrape{.snapshot = &snapshot, .exporter = std::nullopt, .now = now});
}

Page page_of(const snapshot::Unit& unit) {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  snapshot.units = {unit};
  return page_of(snapshot);
}

std::string of_unit(const std::string& name, const std::string& labels = "") {
  return "allocd_unit_" + name + "{unit=\"x.service\"" + (labels.empty() ? "" : "," + labels) + "}";
}

}  // namespace

TEST_CASE("figures of a control group arrive in base units under their labels") {
  const Page page = page_of(test::rich_unit("x.service"));
  CHECK(page.value(of_unit("cgroup_memory_available")) == "1");
  CHECK(page.value(of_unit("cgroup_memory_current_bytes")) == "54223962112");
  CHECK(page.value(of_unit("cgroup_memory_kind_bytes", "kind=\"pagetables\"")) == "102760448");
  CHECK(page.value(of_unit("cgroup_refaults_total", "kind=\"file\"")) == "51234");
  CHECK(page.value(of_unit("cgroup_thp_allocations_total", "kind=\"collapse\"")) == "310");
  CHECK(page.value(of_unit("cgroup_memory_events_total", "event=\"oom_kill\"")) == "1");
  CHECK(page.value(of_unit("memory_pressure_waiting_seconds_total")) == "84.2");
  CHECK(page.value(of_unit("memory_pressure_stalled_seconds_total")) == "31.7");
  CHECK(page.value(of_unit("cgroup_memory_numa_bytes", "node=\"1\",kind=\"anon\"")) == "10737418240");
  CHECK(page.value(of_unit("cgroup_memory_numa_bytes", "node=\"1\",kind=\"slab\"")) == "142606336");
  CHECK(page.value(of_unit("memory_off_node_ratio", "of=\"gpus\"")) == "0.21");
  CHECK(page.value(of_unit("processes_placement_differs", "what=\"cpus\"")) == "1");
}

TEST_CASE("no limit is infinite, a limit that was not read is no sample") {
  snapshot::Unit unit = test::rich_unit("x.service");
  CHECK(page_of(unit).value(of_unit("cgroup_memory_limit_bytes", "limit=\"high\"")) == "+Inf");
  CHECK(page_of(unit).value(of_unit("cgroup_memory_limit_bytes", "limit=\"max\"")) == "68719476736");
  CHECK(page_of(unit).value(of_unit("cgroup_memory_effective_limit_bytes", "limit=\"max\"")) ==
        "64424509440");
  unit.cgroup.memory->high.reset();
  unit.cgroup.memory->effective_max.reset();
  CHECK(page_of(unit).count("allocd_unit_cgroup_memory_limit_bytes{") == 2);
  CHECK(page_of(unit).count("allocd_unit_cgroup_memory_effective_limit_bytes{") == 1);
}

TEST_CASE("each figure that was not read is missing by itself") {
  snapshot::Unit unit = test::rich_unit("x.service");
  auto& memory = *unit.cgroup.memory;
  memory.peak.reset();
  memory.stat[kernel::MemoryStat::anon_thp].reset();
  memory.events[kernel::MemoryEvent::oom_group_kill].reset();
  memory.pressure->full.reset();
  memory.nodes[0][kernel::NodeKind::slab_reclaimable].reset();
  const Page page = page_of(unit);
  CHECK(page.count("allocd_unit_cgroup_memory_peak_bytes{") == 0);
  CHECK(page.count("allocd_unit_cgroup_memory_thp_bytes{") == 2);
  CHECK(page.count("allocd_unit_cgroup_memory_events_total{") == 5);
  CHECK(page.count("allocd_unit_memory_pressure_waiting_seconds_total{") == 1);
  CHECK(page.count("allocd_unit_memory_pressure_stalled_seconds_total{") == 0);
  // Half of the slab is not the slab.
  CHECK(page.value(of_unit("cgroup_memory_numa_bytes", "node=\"0\",kind=\"slab\"")) == "no sample");
  CHECK(page.value(of_unit("cgroup_memory_current_bytes")) == "54223962112");
}

TEST_CASE("without a memory controller the page says so, and the sums of processes stand alone") {
  snapshot::Unit unit = test::rich_unit("x.service");
  for (const auto state : snapshot::kCgroupMemoryStateNames.values()) {
    if (state == snapshot::CgroupMemoryState::available) continue;
    unit.cgroup = {state, 5000, 0, {}};
    const Page page = page_of(unit);
    const bool looked_at = state != snapshot::CgroupMemoryState::not_read;
    CHECK(page.value(of_unit("cgroup_memory_available")) == (looked_at ? "0" : "no sample"));
    CHECK(page.count("allocd_unit_cgroup_") == (looked_at ? 2 : 0));
    const std::string reason(snapshot::kCgroupMemoryStateNames.name(state));
    CHECK(page.value(of_unit("cgroup_memory_absent_reason", "reason=\"" + reason + "\"")) ==
          (looked_at ? "1" : "no sample"));
    CHECK(page.count("allocd_unit_memory_resident_bytes{") == engine::kRoleNames.names.size());
  }
}

TEST_CASE("a unit that asks for no place has none to differ from") {
  snapshot::Unit unit = test::rich_unit("x.service");
  unit.locality = {};
  CHECK(page_of(unit).count("allocd_unit_processes_placement_differs{") == 0);
  CHECK(page_of(unit).count("allocd_unit_memory_off_node_ratio{") == 0);
}

TEST_CASE("costly reads have series only where they are asked for, and figures only of what was read") {
  snapshot::Unit unit = test::rich_unit("x.service");
  const Page page = page_of(unit);
  CHECK(page.value(of_unit("memory_pss_bytes")) == "5368709120");
  CHECK(page.value(of_unit("costly_read_seconds_total", "read=\"smaps_rollup\"")) == "1.25");
  CHECK(page.value(of_unit("costly_processes", "read=\"smaps_rollup\",state=\"too_large\"")) == "2");
  unit.costly = test::sample_unit_costly();  // numa_maps: nothing read yet
  CHECK(page_of(unit).count("allocd_unit_numa_maps_bytes{") == 0);
  CHECK(page_of(unit).value(of_unit("costly_reads_total", "read=\"numa_maps\"")) == "0");
  CHECK(page_of(unit).value(of_unit("costly_read_duration_seconds", "read=\"numa_maps\"")) == "no sample");
  unit.costly.clear();
  CHECK(page_of(unit).count("allocd_unit_costly_") == 0);
  CHECK(page_of(unit).count("allocd_unit_memory_pss_bytes{") == 0);
}

TEST_CASE("a role counts its evidence, embedded allocators and reserved huge pages") {
  const Page page = page_of(test::rich_unit("x.service"));
  CHECK(page.value(of_unit("processes_by_evidence", "role=\"worker\",rung=\"mapped\"")) == "7");
  CHECK(page.value(of_unit("processes_allocator_embedded", "role=\"worker\",allocator=\"mimalloc\"")) ==
        "10");
  CHECK(page.value(of_unit("memory_hugetlb_bytes", "role=\"worker\"")) == "2048");
  CHECK(page.value(of_unit("processes_thp_disabled", "role=\"worker\"")) == "2");
}

TEST_CASE("the machine: modes are state sets, sizes and nodes are labels, events keep the kernel's names") {
  const Page page = page_of(test::rich_snapshot());
  CHECK(page.value("allocd_node_thp_mode{setting=\"enabled\",mode=\"always\"}") == "1");
  CHECK(page.value("allocd_node_thp_mode{setting=\"enabled\",mode=\"madvise\"}") == "0");
  CHECK(page.count("allocd_node_thp_mode{setting=\"defrag\"") == 5);
  CHECK(page.value(
            "allocd_node_thp_size_info{page_size=\"64K\",enabled=\"never\",shmem_enabled=\"never\"}") == "1");
  CHECK(page.value("allocd_node_thp_size_pages{page_size=\"2M\",kind=\"anon\"}") == "15200");
  CHECK(page.value("allocd_node_thp_size_events_total{page_size=\"2M\",event=\"anon_fault_alloc\"}") ==
        "481234");
  CHECK(page.value("allocd_node_thp_events_total{event=\"fault_fallback\"}") == "712");
  CHECK(page.value("allocd_node_khugepaged_setting{setting=\"max_ptes_none\"}") == "511");
  CHECK(page.value("allocd_node_khugepaged_setting{setting=\"full_scans\"}") == "no sample");
  CHECK(page.value("allocd_node_khugepaged_full_scans_total") == "412");
  CHECK(page.value("allocd_node_numa_distance{node=\"0\",to=\"1\"}") == "21");
  CHECK(page.value("allocd_node_numa_pages_total{node=\"1\",event=\"numa_miss\"}") == "7100200");
  CHECK(page.value("allocd_node_numa_hugetlb_free_pages{node=\"1\",page_size=\"2M\"}") == "0");
  CHECK(page.value("allocd_node_hugetlb_reserved_pages{page_size=\"2M\"}") == "512");
  CHECK(page.value("allocd_node_iommu_mode{mode=\"mixed\"}") == "1");
  CHECK(page.value("allocd_node_iommu_groups{kind=\"identity\"}") == "142");
  CHECK(page.value("allocd_node_overcommit_ratio") == "0.5");
  CHECK(page.value("allocd_node_memory_pressure_stalled_seconds_total") == "33");
  CHECK(page.value("allocd_node_expectation_state{key=\"thp.enabled\",state=\"missed\"}") == "1");
  CHECK(page.value("allocd_node_expectation_state{key=\"thp.enabled\",state=\"met\"}") == "0");
  CHECK(page.value("allocd_node_read_errors") == "1");
}

TEST_CASE("what is not known of the machine is missing; a mode of a newer kernel is no mode") {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  snapshot.node.state = {};
  const Page bare = page_of(snapshot);
  CHECK(bare.value("allocd_node_iommu_mode{mode=\"unknown\"}") == "1");
  CHECK(bare.value("allocd_node_read_errors") == "0");
  for (const auto& [name, value] : bare.series) {
    if (!name.starts_with("allocd_node_")) continue;
    CAPTURE(name);
    const bool is_expected = name.find("iommu_mode") != std::string::npos ||
                             name.find("expectation_state") != std::string::npos ||
                             name.find("allocd_node_read_") == 0 || name == "allocd_node_mappings_limit";
    CHECK(is_expected);
  }
  snapshot.node = test::rich_node();
  snapshot.node.state.thp.defrag = "sometimes";
  CHECK(page_of(snapshot).count("allocd_node_thp_mode{setting=\"defrag\"") == 0);
  CHECK(page_of(snapshot).count("allocd_node_thp_mode{setting=\"enabled\"") == 3);
}

TEST_CASE("on a machine of very many nodes there is no table of distances") {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  for (unsigned id = 2; id < 17; ++id)
    snapshot.node.state.numa.nodes.push_back(test::sample_numa_node(id, "", 0));
  CHECK(page_of(snapshot).count("allocd_node_numa_distance{") == 0);
  CHECK(page_of(snapshot).count("allocd_node_numa_memory_total_bytes{") == 17);
}

TEST_CASE("a machine that was not read for three intervals is not shown as it was") {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  const auto about_node = [&](double read_at, bool known = true) {
    snapshot.node.read_at = read_at;
    snapshot.node.known = known;
    const Page page = page_of(snapshot, 5000);
    CHECK(page.value("allocd_node_read_timestamp_seconds") ==
          (read_at > 0 ? std::to_string(static_cast<int>(read_at)) : "no sample"));
    return page.count("allocd_node_memory_");
  };
  CHECK(about_node(5000 - 180) > 0);
  CHECK(about_node(5000 - 181) == 0);
  CHECK(about_node(0, false) == 0);
  // A stale snapshot says nothing of the machine either, though its reading may be recent.
  snapshot.node = test::rich_node();
  snapshot.taken_at = 4000;
  CHECK(page_of(snapshot, 5000).count("allocd_node_memory_") == 0);
  CHECK(page_of(snapshot, 5000).count("allocd_model_files") == 0);
}

TEST_CASE("model files: bytes of what is known, and a count of what is not") {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  const std::string labels = "{policy=\"chat\"}";
  CHECK(page_of(snapshot).value("allocd_model_files_cached_bytes" + labels) == "100931731456");
  CHECK(page_of(snapshot).value("allocd_model_files_dirty_bytes" + labels) == "0");
  CHECK(page_of(snapshot).value("allocd_model_files_complete" + labels) == "1");
  auto& figures = snapshot.model_files[0].figures;
  figures.used_mincore = true;
  CHECK(page_of(snapshot).value("allocd_model_files_dirty_bytes" + labels) == "no sample");
  figures = {};
  figures.search.not_permitted = 1;
  const Page hidden = page_of(snapshot);
  CHECK(hidden.value("allocd_model_files" + labels) == "no sample");
  CHECK(hidden.value("allocd_model_files_bytes" + labels) == "no sample");
  CHECK(hidden.value("allocd_model_files_unreadable{policy=\"chat\",reason=\"folder_not_permitted\"}") ==
        "1");
  // Patterns that name nothing: that is known, and it is 0.
  figures = {};
  CHECK(page_of(snapshot).value("allocd_model_files" + labels) == "0");
  snapshot.model_files[0].read_at = 5000 - 901;
  CHECK(page_of(snapshot).count("allocd_model_files") == 0);
}
