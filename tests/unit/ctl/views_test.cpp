// SPDX-License-Identifier: Apache-2.0
// The views as people see them, against files, and within 80 columns whatever the names.
#include "ctl/views.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "ctl/advice.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/sample_snapshot.hpp"
#include "width.hpp"

using namespace allocd;
using namespace allocd::ctl;
using test::check_width;
using test::kHostile;

namespace {

constexpr double kNow = test::kSampleTime + 4;

const snapshot::Unit& unit_named(const snapshot::Snapshot& sample, std::string_view name) {
  const auto found = std::ranges::find(sample.units, name, &snapshot::Unit::name);
  REQUIRE(found != sample.units.end());
  return *found;
}

void check_golden(const std::string& name, const std::string& text) {
  test::check_golden("unit/ctl/golden/" + name + ".txt", text);
}

void make_hostile(snapshot::Unit& unit) {
  const std::string hostile(kHostile);
  unit.name = unit.service = unit.load_state = unit.fragment_path = unit.control_group = hostile;
  unit.preload = unit.malloc_conf = hostile + hostile;
  unit.drop_in_paths = {hostile, std::string(300, 'x')};
  unit.environment = {
      .known = true,
      .variables =
          {{hostile, hostile, true, {{unitfile::Origin::environment_file, hostile, 7, hostile, true, true}}}},
      .doubts = {hostile + std::string(300, 'y')}};
  for (auto& link : unit.assessment.chain) link.evidence = hostile + " " + hostile;
  for (auto& process : unit.processes) {
    process.comm = process.cgroup = hostile;
    process.memory = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                      UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    process.pid = INT32_MAX;
    process.threads = UINT32_MAX;
    process.ranks = {4095, 4095, 4095, 4095};
    process.role = engine::Role::resource_tracker;
    process.state = policy::State::not_enforceable;
    process.evidence.detail = hostile;
    for (auto& library : process.evidence.libraries) library.path = library.build_id = hostile;
  }
  unit.cgroup = test::sample_cgroup();
  unit.cgroup.memory->effective_max->group = hostile;
  unit.cgroup.memory->pressure = {{1e300, 1e300, 1e300, UINT64_MAX}, kernel::PressureLine{1e300, 0, 0, 0}};
  for (const auto event : kernel::kMemoryEventNames.values()) unit.cgroup.memory->events[event] = UINT64_MAX;
  unit.locality = test::sample_locality();
  unit.locality.cpu_affinity = hostile + hostile;
  unit.locality.mems_differ = UINT32_MAX;
  unit.costly = test::sample_unit_costly();
  unit.drift = test::sample_extreme_report(drift::State::drift, std::numeric_limits<double>::max());
  unit.roles = test::sample_roles(unit.processes);
  for (auto& role : unit.roles) {
    for (const auto kind : allocator::kKindNames.values()) role.active[kind] = UINT32_MAX;
  }
}

void make_hostile(snapshot::Node& node) {
  const std::string hostile(kHostile);
  for (auto& result : node.expectations) result.key = result.wanted = result.found = hostile;
  auto& state = node.state;
  state.thp.enabled = state.thp.defrag = state.thp.shmem_enabled = hostile;
  for (auto& size : state.thp.sizes) size.enabled = size.shmem_enabled = hostile;
  for (auto& [name, count] : state.thp.events) count = UINT64_MAX;
  for (auto& [name, count] : state.thp.khugepaged) count = UINT64_MAX;
  for (auto& one : state.numa.nodes) one.cpus = hostile;
  state.iommu.options = {hostile, std::string(300, 'x')};
  state.iommu.groups[hostile] = SIZE_MAX;
  for (auto& problem : state.problems) problem.path = problem.what = hostile;
}

}  // namespace

TEST_CASE("status") {
  const auto sample = test::sample_snapshot();
  check_golden("status", render_status(sample, {.now = kNow}));
  check_golden("status_ascii", render_status(sample, {.utf8 = false, .now = kNow}));
  check_golden("status_color", render_status(sample, {.color = true, .now = kNow}));
}

TEST_CASE("status of a node in trouble") {
  auto sample = test::sample_snapshot();
  sample.config.last_reload_successful = false;
  sample.config.error =
      "/etc/allocd/allocd.yaml:3:5: unknown key 'intervall'\n    intervall: 10s\n    ^\n  did you mean "
      "'interval'?\n";
  sample.bus = {false, 3, 1, 4, "Transport endpoint is not connected"};
  sample.units.front().processes_dropped = 12;
  check_golden("status_trouble", render_status(sample, {.now = test::kSampleTime + 305}));
}

TEST_CASE("status is stale when the metrics are, not before") {
  const auto sample = test::sample_snapshot();
  CHECK_FALSE(render_status(sample, {.now = test::kSampleTime + 60}).starts_with("STALE"));
  CHECK(render_status(sample, {.now = test::kSampleTime + 60.5}).starts_with("STALE"));
  CHECK_FALSE(render_status(sample, {.now = test::kSampleTime - 3600}).starts_with("STALE"));
}

TEST_CASE("status without any unit says why there is none") {
  auto sample = test::sample_snapshot();
  sample.units.clear();
  sample.config = {};
  sample.config.built_in_discovery = true;
  check_golden("status_empty", render_status(sample, {.now = kNow}));
}

TEST_CASE("list") {
  check_golden("list", render_list(test::sample_snapshot(), {}));
}

TEST_CASE("list keeps one unit on one line, whole") {
  auto sample = test::sample_snapshot();
  for (auto& unit : sample.units) make_hostile(unit);
  const auto text = render_list(sample, {});
  CHECK(static_cast<std::size_t>(std::ranges::count(text, '\n')) == sample.units.size());
  CHECK(static_cast<std::size_t>(std::ranges::count(text, '\t')) == 3 * sample.units.size());
  CHECK(text.find("…") == std::string::npos);
}

TEST_CASE("show") {
  const auto sample = test::sample_snapshot();
  check_golden("show_vllm", render_show(sample, unit_named(sample, "vllm.service"), {.now = kNow}));
  check_golden("show_container", render_show(sample, sample.units.front(), {.now = kNow}));
  check_golden("show_masked", render_show(sample, unit_named(sample, "triton.service"), {.now = kNow}));
}

TEST_CASE("show names a library that is off disk though it is the only one, and the rung of its evidence") {
  auto unit = test::sample_sglang();
  for (auto& process : unit.processes) {
    process.evidence.libraries = {test::sample_library(
        allocator::Kind::jemalloc, allocator::LibraryState::active, allocator::OnDisk::deleted)};
  }
  unit.processes.front().evidence = {};
  unit.processes.front().evidence.detail = "reading the memory map was refused";
  const auto text = render_show({}, unit, {.now = kNow});
  const auto at = text.find("Allocator libraries\n");
  REQUIRE(at != std::string::npos);
  CHECK(text.substr(at) == R"(Allocator libraries
  900 tokenizer
    evidence: not known (reading the memory map was refused)
  901 scheduler, 902 detokenizer
    evidence: resolved as the dynamic linker does
    active               jemalloc  build-id e7d1ebd7c5b1  deleted on disk
      /usr/lib/x86_64-linux-gnu/libjemalloc.so.2
)");
}

TEST_CASE("show of a unit without a memory controller says that the sums stand alone") {
  const auto sample = test::sample_snapshot();
  for (const auto state : snapshot::kCgroupMemoryStateNames.values()) {
    auto unit = sample.units.front();
    unit.cgroup = {state, test::kSampleTime, 0, {}};
    const auto text = render_show(sample, unit, {.now = kNow});
    using enum snapshot::CgroupMemoryState;
    const bool is_silent = state == available || state == gone || state == not_read;
    CHECK((text.find(": sums of") == std::string::npos) == is_silent);
    CHECK(text.find("Memory of the processes, summed") != std::string::npos);
  }
}

TEST_CASE("node") {
  auto sample = test::sample_snapshot();
  check_golden("node", render_node(sample, {.now = kNow}));
  check_golden("node_color", render_node(sample, {.color = true, .now = kNow}));
  sample.node.expectations.clear();
  sample.node.state = {};
  sample.model_files.clear();
  check_golden("node_bare", render_node(sample, {.now = kNow}));
  sample.node = {};
  CHECK(render_node(sample, {.now = kNow}) == "gpu-node-07: allocd has not read the machine yet\n");
}

TEST_CASE("node of eight nodes, one of them without memory and one without CPUs, fits") {
  auto sample = test::sample_snapshot();
  auto& nodes = sample.node.state.numa.nodes;
  for (unsigned id = 2; id < 8; ++id) nodes.push_back(test::sample_numa_node(id, "128-143,160-175", 0));
  nodes[6].cpus = "";
  nodes[7].memory = {};
  for (auto& node : nodes) {
    node.distances.clear();
    for (unsigned to = 0; to < 8; ++to) node.distances.push_back({to, node.id == to ? 10U : 32U});
  }
  const auto text = render_node(sample, {.now = kNow});
  check_width(text, 80);
  check_golden("node_eight", text);
}

TEST_CASE("status names the machine only when there is something to look at") {
  auto sample = test::sample_snapshot();
  CHECK(render_status(sample, {.now = kNow}).find("\nnode ") != std::string::npos);
  sample.node.state.problems.clear();
  for (auto& result : sample.node.expectations) result.state = node::ExpectationState::met;
  CHECK(render_status(sample, {.now = kNow}).find("\nnode ") == std::string::npos);
  sample.node.expectations.front().state = node::ExpectationState::unknown;
  CHECK(render_status(sample, {.now = kNow})
            .find("\nnode       1 of 6 expectations unknown: allocctl node\n") != std::string::npos);
  sample.node = {};
  CHECK(render_status(sample, {.now = kNow}).find("\nnode ") == std::string::npos);
}

TEST_CASE("show names a few of many processes that share their libraries") {
  auto unit = test::sample_sglang();
  const auto worker = unit.processes.back();
  for (int i = 0; i < 20; ++i) unit.processes.push_back(worker);
  CHECK(render_show({}, unit, {.now = kNow}).find("and 15 more") != std::string::npos);
}

TEST_CASE("explain") {
  const auto sample = test::sample_snapshot();
  const auto& vllm = unit_named(sample, "vllm.service");
  check_golden("explain_vllm", render_explain(vllm, {.now = kNow}));
  check_golden("explain_vllm_ascii", render_explain(vllm, {.utf8 = false, .now = kNow}));
  check_golden("explain_vllm_color", render_explain(vllm, {.color = true, .now = kNow}));
  check_golden("explain_compliant", render_explain(unit_named(sample, "sglang.service"), {.now = kNow}));
  check_golden("explain_absent", render_explain(unit_named(sample, "tgi.service"), {.now = kNow}));
  check_golden("explain_unreadable", render_explain(unit_named(sample, "secret-llm.service"), {.now = kNow}));
}

TEST_CASE("explain lists the first processes that differ and counts the rest") {
  auto unit = test::sample_vllm();
  unit.processes.assign(500, test::sample_idle_jemalloc_worker());
  const auto text = render_explain(unit, {.now = kNow});
  CHECK(text.find("Processes that differ: 500 of 500") != std::string::npos);
  CHECK(text.find("and 480 more: allocctl show vllm.service") != std::string::npos);
}

TEST_CASE("no line is wider than asked for, for every state and reason and with hostile names") {
  const bool utf8 = GENERATE(true, false);
  const std::size_t width = GENERATE(std::size_t{80}, std::size_t{132});
  const RenderOptions options{.width = width, .utf8 = utf8, .now = kNow};
  auto sample = test::sample_snapshot();
  check_width(render_status(sample, options), width);
  for (auto& unit : sample.units) make_hostile(unit);
  sample.hostname = sample.version = sample.bus.last_error = kHostile;
  sample.bus.connected = false;
  sample.config.last_reload_successful = false;
  sample.config.error = std::string(kHostile) + std::string(kHostile);
  check_width(render_status(sample, options), width);
  for (const auto reason : policy::kReasonNames.values()) {
    for (const auto state : policy::kStateNames.values()) {
      auto& unit = sample.units.back();
      unit.assessment.reason = reason;
      unit.assessment.state = state;
      check_width(render_explain(unit, options), width);
    }
  }
  make_hostile(sample.node);
  for (auto& files : sample.model_files) files.service = kHostile;
  check_width(render_node(sample, options), width);
  for (const auto& unit : sample.units) check_width(render_show(sample, unit, options), width);
}

TEST_CASE("every reason has a meaning and an action that names the unit where it stands for one") {
  for (const auto reason : policy::kReasonNames.values()) {
    const auto advice = advice_for(reason, "a{unit}b.service");
    CHECK_FALSE(advice.meaning.empty());
    CHECK_FALSE(advice.action.empty());
    CHECK(advice.meaning.ends_with('.'));
    CHECK(advice.action.ends_with('.'));
    CHECK(advice.action.find(" {unit}") == std::string::npos);
  }
  CHECK(advice_for(policy::Reason::started_before, "x.service").action.find("systemctl restart x.service") !=
        std::string::npos);
}

TEST_CASE("the first broken link is the first that fails, else the first that is not known") {
  using policy::Verdict;
  policy::Assessment assessment;
  const auto set = [&](Verdict a, Verdict b, Verdict c, Verdict d, Verdict e) {
    assessment.chain = {{{a, ""}, {b, ""}, {c, ""}, {d, ""}, {e, ""}}};
    return first_broken_link(assessment);
  };
  CHECK(set(Verdict::holds, Verdict::unknown, Verdict::holds, Verdict::fails, Verdict::fails) == 3);
  CHECK(set(Verdict::holds, Verdict::not_applicable, Verdict::unknown, Verdict::holds, Verdict::unknown) ==
        2);
  CHECK(set(Verdict::holds, Verdict::holds, Verdict::not_applicable, Verdict::holds, Verdict::holds) ==
        policy::kLinkCount);
}
