// SPDX-License-Identifier: Apache-2.0
// What holds for every snapshot and for every text that pretends to be one. Seeds are printed on failure.
#include <cstdint>
#include <random>
#include <string>

#include "snapshot/json.hpp"
#include "support/catch.hpp"
#include "support/sample_snapshot.hpp"

namespace {

using namespace allocd;

// Members are filled by hand here, not by the tables of the code under test.
class Maker {
 public:
  explicit Maker(std::uint32_t seed) : random_(seed) {}

  snapshot::Snapshot snapshot() {
    snapshot::Snapshot s;
    s.version = text();
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
             number<std::uint64_t>()};
    for (auto n = below(4); n > 0; --n) {
      s.collectors.push_back(
          {text(), flag(), real(), real(), number<std::uint64_t>(), number<std::uint64_t>(), text()});
    }
    for (auto n = below(4); n > 0; --n) s.units.push_back(unit());
    return s;
  }

  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

 private:
  template <typename T>
  T number() {
    switch (below(4)) {
      case 0:
        return 0;
      case 1:
        return std::numeric_limits<T>::max();
      case 2:
        return std::numeric_limits<T>::min();
      default:
        return static_cast<T>(random_());
    }
  }
  bool flag() { return below(2) == 1; }
  double real() {
    switch (below(6)) {
      case 0:
        return 0;
      case 1:
        return std::numeric_limits<double>::max();
      case 2:
        return std::numeric_limits<double>::denorm_min();
      case 3:
        return -1.5e-9;
      default:
        return std::uniform_real_distribution<double>(0, 2e9)(random_);
    }
  }
  // Valid UTF-8 (anything else is replaced on the way out), made of what breaks quoting, nesting and
  // terminals.
  std::string text() {
    static const std::vector<std::string> pieces{"a",
                                                 "\"",
                                                 "\\",
                                                 "\\\"",
                                                 "]",
                                                 "}",
                                                 "[{",
                                                 ",",
                                                 ":",
                                                 "\n",
                                                 "\x1B",
                                                 "\x7F",
                                                 "\t",
                                                 "/",
                                                 "\xC3\xA9",
                                                 "\xE2\x82\xAC",
                                                 "\xF0\x9F\x98\x80",
                                                 "\xC2\x85",
                                                 " ",
                                                 "null",
                                                 std::string(1, '\0'),
                                                 "\"processes\":[",
                                                 "\\u0000"};
    std::string out;
    for (auto n = below(7); n > 0; --n) out += pieces[below(static_cast<std::uint32_t>(pieces.size()))];
    return out;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> out(below(3));
    for (auto& one : out) one = text();
    return out;
  }
  template <typename Names>
  auto one_of(const Names& names) {
    const auto values = names.values();
    return values[below(static_cast<std::uint32_t>(values.size()))];
  }
  template <typename T>
  std::optional<T> maybe() {
    if (flag()) return std::nullopt;
    return number<T>();
  }
  template <typename Names>
  auto counts(const Names& names) {
    std::map<typename std::remove_cvref_t<decltype(names.values())>::value_type, std::uint32_t> out;
    for (auto n = below(4); n > 0; --n) out[one_of(names)] = number<std::uint32_t>();
    return out;
  }
  snapshot::Memory memory() {
    const auto n = [this] { return number<std::uint64_t>(); };
    return {n(), n(), n(), n(), n(), n(), n(), n(), n()};
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
    return u;
  }

  std::mt19937_64 random_;
};

constexpr std::uint32_t kSeeds = 300;

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
  for (std::size_t length = 0; length < text.size(); ++length) {
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
