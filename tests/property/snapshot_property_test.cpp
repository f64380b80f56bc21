// SPDX-License-Identifier: Apache-2.0
// What holds for every snapshot and for every text that pretends to be one. Seeds are printed on failure.
#include <cstdint>
#include <string>

#include "snapshot/json.hpp"
#include "support/catch.hpp"
#include "support/random_drift.hpp"
#include "support/random_memory.hpp"
#include "support/random_values.hpp"
#include "support/rounds.hpp"
#include "support/sample_snapshot.hpp"

namespace {

using namespace allocd;

// Members are filled by hand here, not by the tables of the code under test.
class Maker : public test::RandomValues {
 public:
  explicit Maker(std::uint32_t seed) : RandomValues(seed) {}

  snapshot::Snapshot snapshot() {
    snapshot::Snapshot s;
    s.version = text();
    s.revision = text();
    s.compiler = text();
    s.sequence = number<std::uint64_t>();
    s.taken_at = real();
    s.started_at = real();
    s.interval = real();
    s.boot_id = text();
    s.hostname = text();
    s.kernel_release = text();
    s.max_map_count = number<std::uint64_t>();
    s.config = {flag(), real(), flag(), texts(), text()};
    s.bus = {flag(), number<std::uint64_t>(), number<std::uint64_t>(), number<std::uint64_t>(), text()};
    s.own = {number<std::uint32_t>(),
             number<std::uint64_t>(),
             real(),
             real(),
             real(),
             real(),
             number<std::uint64_t>(),
             number<std::uint64_t>(),
             number<std::uint64_t>(),
             number<std::uint64_t>(),
             real()};
    for (auto n = below(4); n > 0; --n) {
      s.collectors.push_back(
          {text(), flag(), real(), real(), number<std::uint64_t>(), number<std::uint64_t>(), text(), real()});
    }
    s.node = memory_.node();
    for (auto n = below(3); n > 0; --n) s.model_files.push_back(memory_.model_files());
    for (auto n = below(4); n > 0; --n) s.units.push_back(unit());
    return s;
  }

 private:
  snapshot::Memory memory() {
    const auto n = [this] { return number<std::uint64_t>(); };
    return {n(), n(), n(), n(), n(), n(), n(), n(), n(), n()};
  }
  snapshot::Process process() {
    snapshot::Process p;
    p.pid = number<std::int32_t>();
    p.start_ticks = number<std::uint64_t>();
    p.started_at = real();
    p.comm = text();
    p.cgroup = text();
    p.role = one_of(engine::kRoleNames);
    p.ranks = {maybe<std::uint32_t>(), maybe<std::uint32_t>(), maybe<std::uint32_t>(),
               maybe<std::uint32_t>()};
    p.memory = memory();
    p.threads = number<std::uint32_t>();
    p.minor_faults = number<std::uint64_t>();
    p.major_faults = number<std::uint64_t>();
    p.evidence.active = one_of(allocator::kKindNames);
    p.evidence.rung = one_of(allocator::kRungNames);
    p.evidence.detail = text();
    for (auto n = below(3); n > 0; --n) {
      p.evidence.libraries.push_back({one_of(allocator::kKindNames), one_of(allocator::kLibraryStateNames),
                                      text(), text(), one_of(allocator::kOnDiskNames)});
    }
    p.evidence.jemalloc_background_threads = maybe<std::uint32_t>();
    p.evidence.glibc_heaps = maybe<std::uint32_t>();
    p.evidence.mappings = maybe<std::uint64_t>();
    p.evidence.checked_at = real();
    p.state = one_of(policy::kStateNames);
    p.reason = one_of(policy::kReasonNames);
    p.placement = memory_.placement();
    for (auto n = below(3); n > 0; --n) p.costly.push_back(memory_.process_costly());
    return p;
  }
  snapshot::RoleSum role() {
    snapshot::RoleSum r;
    const auto n = [this] { return number<std::uint64_t>(); };
    r.role = one_of(engine::kRoleNames);
    r.processes = number<std::uint32_t>();
    r.memory = memory();
    r.max_resident = n();
    r.threads = n();
    r.minor_faults = n();
    r.major_faults = n();
    r.max_mappings = n();
    r.glibc_heaps = n();
    r.jemalloc_background_threads = n();
    r.active = counts(allocator::kKindNames);
    r.rungs = counts(allocator::kRungNames);
    r.embedded = counts(allocator::kKindNames);
    r.thp_disabled = number<std::uint32_t>();
    r.mapped_not_active = counts(allocator::kKindNames);
    r.libraries_off_disk = number<std::uint32_t>();
    r.states = counts(policy::kStateNames);
    return r;
  }
  snapshot::Unit unit() {
    snapshot::Unit u;
    u.name = text();
    u.service = text();
    u.source = one_of(settings::kSelectorKindNames);
    u.engine = one_of(engine::kEngineNames);
    u.up = flag();
    u.load_state = text();
    u.active_state = text();
    u.sub_state = text();
    u.fragment_path = text();
    u.drop_in_paths = texts();
    u.control_group = text();
    u.invocation_id = text();
    u.main_pid = number<std::uint32_t>();
    u.restarts = number<std::uint32_t>();
    u.started_at = real();
    u.need_daemon_reload = flag();
    u.wanted = one_of(settings::kWantedNames);
    u.preload = text();
    u.malloc_conf = text();
    u.assessment.state = one_of(policy::kStateNames);
    u.assessment.reason = one_of(policy::kReasonNames);
    for (auto& link : u.assessment.chain) link = {one_of(policy::kVerdictNames), text()};
    for (auto n = below(3); n > 0; --n) u.roles.push_back(role());
    for (auto n = below(4); n > 0; --n) u.processes.push_back(process());
    u.processes_seen = number<std::uint64_t>();
    u.processes_vanished = number<std::uint64_t>();
    u.processes_dropped = number<std::uint64_t>();
    u.permission_errors = number<std::uint64_t>();
    u.evidence_pending = number<std::uint64_t>();
    u.cgroup = memory_.cgroup();
    u.locality = memory_.locality();
    for (auto n = below(3); n > 0; --n) u.costly.push_back(memory_.unit_costly());
    u.drift = test::random_drift(*this);
    return u;
  }

  test::RandomMemory memory_{*this};
};

constexpr std::uint32_t kSeeds = test::rounds(300);

}  // namespace

TEST_CASE("snapshot: parse(render(x)) == x", "[snapshot]") {
  for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
    INFO("seed " << seed);
    auto made = Maker(seed).snapshot();
    const auto text = snapshot::render_json(made);
    const auto whole = snapshot::parse_json(text);
    REQUIRE(whole.has_value());
    REQUIRE(*whole == made);
    REQUIRE(snapshot::render_json(*whole) == text);
    const auto slim = snapshot::parse_json(text, snapshot::Detail::without_processes);
    for (auto& unit : made.units) unit.processes.clear();
    REQUIRE(slim.has_value());
    REQUIRE(*slim == made);
  }
}

TEST_CASE("snapshot: no proper prefix of a document is a document", "[snapshot]") {
  auto sample = test::sample_snapshot();
  sample.units.resize(2);
  const auto text = snapshot::render_json(sample);
  for (std::size_t length = 0; length < text.size(); length += test::kFewer) {
    INFO("length " << length);
    REQUIRE_FALSE(snapshot::parse_json(text.substr(0, length)).has_value());
    REQUIRE_FALSE(
        snapshot::parse_json(text.substr(0, length), snapshot::Detail::without_processes).has_value());
  }
}

TEST_CASE("snapshot: flipped bytes give a snapshot or a one-line fault, never worse", "[snapshot]") {
  const auto text = snapshot::render_json(test::sample_snapshot());
  for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
    INFO("seed " << seed);
    Maker random(seed);
    auto damaged = text;
    for (auto n = 1 + random.below(4); n > 0; --n) {
      auto& byte = damaged[random.below(static_cast<std::uint32_t>(damaged.size()))];
      byte = static_cast<char>(random.below(256));
    }
    for (const auto detail : {snapshot::Detail::everything, snapshot::Detail::without_processes}) {
      const auto parsed = snapshot::parse_json(damaged, detail);
      if (parsed) continue;
      REQUIRE(parsed.error().message().starts_with("cannot parse the snapshot: "));
      REQUIRE(parsed.error().message().find('\n') == std::string::npos);
    }
  }
}
