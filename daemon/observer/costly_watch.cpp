// SPDX-License-Identifier: Apache-2.0
#include "observer/costly_watch.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "host/root.hpp"
#include "kernel/system.hpp"
#include "observer/side_collector.hpp"

namespace allocd::observer {

namespace {

using kernel::CostlyFailure;
using kernel::CostlyKind;
using snapshot::CostlyState;
using std::chrono::nanoseconds;

// What walking 4 KiB pages takes; huge pages take far less, which the first read then shows.
constexpr double kNanosecondsPerByte = 6e6 / static_cast<double>(std::uint64_t{1} << 30U);

// In their order a process's kinds stand as the enum has them.
std::string key_of(const CostlyTarget& target) {
  return fmt::format("{} {}:{} {}", target.unit, target.id.pid, target.id.start_ticks,
                     static_cast<int>(target.kind));
}

std::string describe(const CostlyTarget& target, CostlyState state) {
  return fmt::format("{}: process {}: {}: {}", target.unit, target.id.pid,
                     kernel::kCostlyKindNames.name(target.kind), snapshot::kCostlyStateNames.name(state));
}

snapshot::PageTable to_table(const kernel::NumaMaps& maps) {
  snapshot::PageTable table;
  for (const auto& [node, bytes] : maps.nodes()) {
    for (const auto kind : kernel::kPageKindNames.values()) {
      table[node][kind] = bytes.at(static_cast<std::size_t>(kind));
    }
  }
  return table;
}

std::expected<CostlyFigures, CostlyFailure> read_kind(CostlyKind kind, int directory,
                                                      const kernel::KeepGoing& keep_going) {
  CostlyFigures figures;
  if (kind == CostlyKind::smaps_rollup) {
    auto smaps = kernel::read_smaps_rollup(directory);
    if (!smaps) return std::unexpected(smaps.error());
    figures.smaps = *smaps;
    return figures;
  }
  const auto maps = kernel::read_numa_maps(directory, keep_going);
  if (!maps) return std::unexpected(maps.error());
  figures.nodes = to_table(*maps);
  return figures;
}

std::optional<kernel::ImageKey> read_image(int directory) {
  const auto text = host::read_file_at(directory, "stat");
  const auto stat = text ? kernel::parse_process_stat(*text) : std::nullopt;
  return stat ? std::optional(stat->image) : std::nullopt;
}

CostlyState state_of(CostlyFailure failure) {
  switch (failure) {
    case CostlyFailure::gone:
      return CostlyState::waiting;
    case CostlyFailure::not_permitted:
      return CostlyState::not_permitted;
    case CostlyFailure::unsupported:
      return CostlyState::unsupported;
    case CostlyFailure::stopped:
      return CostlyState::slow;
    case CostlyFailure::malformed:
    case CostlyFailure::failed:
      break;
  }
  return CostlyState::failed;
}

// Nothing of these is tried again, for the image that it is.
bool is_given_up(CostlyState state) {
  return state == CostlyState::slow || state == CostlyState::too_large || state == CostlyState::unsupported;
}

template <typename Enum, std::size_t Count>
void add_figures(kernel::Figures<Enum, Count>& sum, const kernel::Figures<Enum, Count>& one) {
  for (std::size_t i = 0; i < Count; ++i) {
    const auto key = static_cast<Enum>(i);
    if (one[key]) sum[key] = sum[key].value_or(0) + *one[key];  // absent in the sum: none so far
  }
}

void add_process(snapshot::UnitCostly& sum, const snapshot::ProcessCostly& one) {
  ++sum.processes;
  if (sum.oldest_read_at == 0 || one.read_at < sum.oldest_read_at) sum.oldest_read_at = one.read_at;
  add_figures(sum.smaps, one.smaps);
  for (const auto& [node, figures] : one.nodes) add_figures(sum.nodes[node], figures);
}

snapshot::UnitCostly& sum_of(snapshot::Unit& unit, CostlyKind kind) {
  const auto known = std::ranges::find(unit.costly, kind, &snapshot::UnitCostly::kind);
  if (known != unit.costly.end()) return *known;
  unit.costly.emplace_back().kind = kind;
  return unit.costly.back();
}

snapshot::Process* find_process(snapshot::Unit& unit, const ProcessId& id) {
  const auto found = std::ranges::lower_bound(unit.processes, id.pid, {}, &snapshot::Process::pid);
  const bool is_it =
      found != unit.processes.end() && found->pid == id.pid && found->start_ticks == id.start_ticks;
  return is_it ? &*found : nullptr;
}

}  // namespace

CostlyWatch::CostlyWatch(std::shared_ptr<SideEvent> event, Clock::time_point now, Read read)
    : lane_(std::move(event)), read_(std::move(read)), budget_({}, now) {
  collector_.name = "costly";
}

CostlyWatch::CostlyWatch(std::shared_ptr<SideEvent> event, Clock::time_point now)
    : CostlyWatch(std::move(event), now, read_kind) {
}

void CostlyWatch::configure(const settings::Observe& pace, Clock::time_point now) {
  longest_ = pace.costly_longest;
  base::BudgetLimits limits;
  limits.interval = pace.costly_interval;
  budget_.set_limits(limits, now);
}

void CostlyWatch::watch(const std::vector<CostlyTarget>& targets, Clock::time_point now) {
  ++number_;
  std::set<std::string> wanted;
  for (const auto& target : targets) {
    auto key = key_of(target);
    Entry& entry = entries_[key];
    update(entry, target);
    if (!is_given_up(entry.state)) wanted.insert(std::move(key));
  }
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.seen_in != number_; });
  budget_.retain(wanted, now);
  for (const auto& key : wanted) budget_.expect(key, expected_cost(entries_.at(key)));
}

void CostlyWatch::update(Entry& entry, const CostlyTarget& target) {
  const bool is_new = !(entry.target.image == target.image);
  entry.target = target;
  entry.seen_in = number_;
  if (is_new) {
    entry.state = CostlyState::waiting;
    entry.shown = {};
  }
  entry.shown.kind = target.kind;
  const bool is_too_large = expected_cost(entry) > longest_;
  if (is_too_large && !is_given_up(entry.state)) entry.state = CostlyState::too_large;
  if (!is_too_large && entry.state == CostlyState::too_large) {
    entry.state = entry.shown.read_at > 0 ? CostlyState::read : CostlyState::waiting;
  }
}

// By its size, or by what the last read took of the size it had then.
nanoseconds CostlyWatch::expected_cost(const Entry& entry) const {
  const auto resident = static_cast<double>(entry.target.resident);
  double cost = resident * kNanosecondsPerByte;
  if (entry.shown.read_at > 0 && entry.resident_then > 0) {
    cost = entry.shown.seconds * 1e9 * resident / static_cast<double>(entry.resident_then);
  }
  return nanoseconds(static_cast<nanoseconds::rep>(std::min(cost, 1e18)));
}

Clock::time_point CostlyWatch::go_on(Clock::time_point now) {
  if (lane_.busy_since()) return Clock::time_point::max();
  if (const auto key = budget_.start(now)) {
    if (begin(*key)) return Clock::time_point::max();  // until it comes back
    budget_.finish(nanoseconds(0), now);
    note_failure(collector_, "no thread or descriptor is to be had");
  }
  return budget_.next_start(now).value_or(Clock::time_point::max());
}

bool CostlyWatch::begin(const std::string& key) {
  const CostlyTarget target = entries_.at(key).target;
  auto directory = std::make_shared<base::UniqueFd>(::fcntl(target.directory, F_DUPFD_CLOEXEC, 0));
  if (!*directory) return false;
  return lane_.start([this, key, target, directory, read = read_,
                      longest = longest_](const SideLane::StillWanted& still_wanted) -> SideLane::Done {
    const auto end = Clock::now() + longest;
    const auto keep_going = [&] { return still_wanted() && Clock::now() < end; };
    auto result = std::make_shared<Result>();
    result->is_same_image = read_image(directory->get()) == target.image;
    result->figures = std::unexpected(CostlyFailure::gone);
    if (result->is_same_image) result->figures = read(target.kind, directory->get(), keep_going);
    result->is_same_image = result->is_same_image && read_image(directory->get()) == target.image;
    // Runs on the loop, and only while this lives.
    return [this, key, target, result](const SideCost& cost) { take(key, target, *result, cost); };
  });
}

void CostlyWatch::take(const std::string& key, const CostlyTarget& target, const Result& result,
                       const SideCost& cost) {
  const double seconds = std::max(cost.cpu, cost.seconds);
  budget_.finish(nanoseconds(static_cast<nanoseconds::rep>(seconds * 1e9)), Clock::now());
  Totals& totals = totals_[{target.unit, target.kind}];
  totals.last_seconds = seconds;
  totals.seconds += seconds;
  ++totals.reads;
  const auto state = result.figures ? CostlyState::read : state_of(result.figures.error());
  const bool is_bad = state == CostlyState::failed || state == CostlyState::not_permitted;
  note_run(collector_, cost, is_bad ? describe(target, state) : "");
  collector_.permission_errors = state == CostlyState::not_permitted ? 1 : 0;
  const auto entry = entries_.find(key);
  // It has ended, or started another program: what was read is of neither.
  if (entry == entries_.end() || !(entry->second.target.image == target.image) || !result.is_same_image)
    return;
  take_figures(entry->second, result, seconds);
}

void CostlyWatch::take_figures(Entry& entry, const Result& result, double seconds) {
  if (!result.figures) {
    entry.state = state_of(result.figures.error());
    return;
  }
  entry.state =
      seconds > std::chrono::duration<double>(longest_).count() ? CostlyState::slow : CostlyState::read;
  entry.shown.read_at = kernel::realtime_now();
  entry.shown.seconds = seconds;
  entry.shown.smaps = result.figures->smaps;
  entry.shown.nodes = result.figures->nodes;
  entry.resident_then = entry.target.resident;
}

void CostlyWatch::add_sums(snapshot::Snapshot& snapshot) const {
  for (const auto& [key, entry] : entries_) {
    const auto unit = std::ranges::lower_bound(snapshot.units, entry.target.unit, {}, &snapshot::Unit::name);
    if (unit == snapshot.units.end() || unit->name != entry.target.unit) continue;
    auto& sum = sum_of(*unit, entry.target.kind);
    ++sum.states[entry.state];
    if (entry.shown.read_at == 0) continue;
    add_process(sum, entry.shown);
    if (auto* process = find_process(*unit, entry.target.id)) process->costly.push_back(entry.shown);
  }
}

void CostlyWatch::fill(snapshot::Snapshot& snapshot, Clock::time_point now) const {
  snapshot.own.costly_reads = budget_.reads();
  snapshot.own.costly_seconds = std::chrono::duration<double>(budget_.spent()).count();
  if (entries_.empty()) return;
  add_sums(snapshot);
  for (auto& unit : snapshot.units) {
    for (auto& sum : unit.costly) {
      const auto totals = totals_.find({unit.name, sum.kind});
      if (totals == totals_.end()) continue;
      sum.last_seconds = totals->second.last_seconds;
      sum.seconds_total = totals->second.seconds;
      sum.reads = totals->second.reads;
    }
    // The first process may lack a kind that others have.
    std::ranges::sort(unit.costly, {}, &snapshot::UnitCostly::kind);
  }
  show_collector(collector_, lane_, now, snapshot);
}

}  // namespace allocd::observer
