// SPDX-License-Identifier: Apache-2.0
// What a session knows of the starts of units: which one is the first under which text. A unit that has
// started under a text needs no restart for it, however often the file is written or put back.
#include <fmt/format.h>

#include <algorithm>

#include "enforcer/fuse_watch.hpp"
#include "enforcer/session.hpp"
#include "host/drop_in.hpp"
#include "kernel/system.hpp"
#include "unitfile/checksum.hpp"

namespace allocd::enforcer {

namespace {

using policy::FusePhase;

// Whether systemd has each drop-in of the target among the unit's. Quadlets' are podman's to read.
bool has_loaded(const TargetRecord& target, const host::UnitFacts& facts) {
  return std::ranges::all_of(target.paths, [&](const std::string& path) {
    const bool is_drop_in = path.ends_with(host::kDropInName) && !host::is_quadlet_path(path);
    return !is_drop_in || std::ranges::count(facts.drop_in_paths, path) > 0;
  });
}

bool has_started_under(const TargetRecord& target, const host::UnitFacts& facts) {
  const bool is_down = facts.active_state == "inactive" || facts.active_state == "failed";
  const double started_at = static_cast<double>(facts.inactive_exit_monotonic) / 1e6;
  return !is_down && target.loaded_at != kNotLoaded && started_at > 0 && started_at >= target.loaded_at;
}

}  // namespace

std::string digest_environment(const policy::PlanItem& item) {
  std::string text;
  for (const auto& [name, value] : item.environment) text += fmt::format("{}={}\n", name, value);
  return unitfile::sha256_hex(text);
}

// Monotonic times of another boot say nothing. What lay on disk then, systemd has read when it began.
void Session::forget_other_boots() {
  const auto boot = control_.boot_usec();
  if (!boot || *boot == manifest_.boot) return;
  manifest_.boot = *boot;
  for (auto& [name, target] : manifest_.targets) target.loaded_at = 0;
  for_each_unit([](TargetRecord&, const std::string&, UnitRecord& unit) {
    unit.fuse.up_since = 0;
    unit.fuse.asked_at = 0;
  });
}

// Before the record goes, or gets another text.
void Session::keep_starts(const TargetRecord& target) {
  if (!target.rolled_back.empty() || target.environment.empty()) return;
  for (const auto& [name, unit] : target.units) {
    if (unit.fuse.phase == FusePhase::settling || unit.fuse.phase == FusePhase::settled)
      manifest_.starts[name] = {target.environment, unit};
  }
}

// The settled are not watched: which start of theirs is the last one under the text is seen here.
void Session::note_starts() {
  for_each_unit([&](TargetRecord& target, const std::string& name, UnitRecord& unit) {
    const auto* facts = find_loaded(name);
    if (facts == nullptr || !target.rolled_back.empty() || unit.fuse.phase != FusePhase::settled) return;
    if (!has_loaded(target, *facts) || !has_started_under(target, *facts)) return;
    unit.fuse.invocation = facts->invocation_id;
    unit.fuse.restarts = facts->restarts;
  });
  std::erase_if(manifest_.starts, [&](const auto& entry) {
    const auto* facts = find_loaded(entry.first);
    return facts == nullptr || facts->invocation_id != entry.second.unit.fuse.invocation;
  });
}

// Text that lies on disk and that systemd is about to read only now.
void Session::note_unread(const policy::Plan& plan) {
  for (const auto& item : plan.items) {
    const auto record = manifest_.targets.find(item.target);
    if (record == manifest_.targets.end()) continue;
    for (const auto& name : item.units) {
      const auto* facts = find_loaded(name);
      if (facts != nullptr && !has_loaded(record->second, *facts)) record->second.loaded_at = kNotLoaded;
    }
  }
}

void Session::note_loaded() {
  for (auto& [name, target] : manifest_.targets) {
    if (target.loaded_at == kNotLoaded) target.loaded_at = kernel::monotonic_now();
  }
}

// How the fuse begins with a unit: with what is known of its start, or as one that is to start yet.
UnitRecord Session::first_record(const TargetRecord& target, const std::string& name,
                                 const host::UnitFacts& facts) const {
  const auto start = manifest_.starts.find(name);
  const bool is_known = start != manifest_.starts.end() && start->second.environment == target.environment &&
                        start->second.unit.fuse.invocation == facts.invocation_id;
  if (is_known) return start->second.unit;
  UnitRecord record;
  const auto view = view_of(facts);
  record.fuse = has_started_under(target, facts) ? policy::begin_fuse(view) : policy::arm_fuse(view);
  return record;
}

}  // namespace allocd::enforcer
