// SPDX-License-Identifier: Apache-2.0
#include "policy/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "host/drop_in.hpp"
#include "policy/candidate.hpp"
#include "policy/outcome.hpp"

namespace allocd::policy {

namespace {

using unitfile::Ownership;

struct Disk {
  std::map<std::string, const OwnedFile*> files;
  std::set<std::string> claimed;  // wanted by an item, or left alone for its sake
};
using Items = std::map<std::string, PlanItem>;

// A file of ours that may not be written over or removed: the reason, or nothing.
std::optional<Obstacle> guard(const OwnedFile& file, const PlanOptions& options) {
  if (!file.is_regular)
    return Obstacle{PlanReason::foreign_file,
                    file.path + " is no regular file of root's: allocd does not touch it"};
  switch (unitfile::decide_ownership(file.text)) {
    case Ownership::ours:
      return std::nullopt;
    case Ownership::tampered:
      if (options.take_tampered) return std::nullopt;
      return Obstacle{PlanReason::tampered,
                      file.path + " was edited by hand and is left alone; --force takes it back"};
    case Ownership::foreign:
      return Obstacle{PlanReason::foreign_file,
                      file.path + " was not written by allocd: move it away to let allocd write its own"};
  }
  return std::nullopt;
}

std::string_view without_comments(std::string_view text) {
  while (text.starts_with('#')) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text;
}

// A new version of allocd, or a service renamed, is no reason to touch a file: its units would seem to need a
// restart.
bool says_the_same(const OwnedFile& file, std::string_view wanted) {
  return file.is_regular && unitfile::decide_ownership(file.text) == Ownership::ours &&
         without_comments(file.text) == without_comments(wanted);
}

void add_change(PlanItem& item, const Disk& disk, const std::string& path, std::optional<std::string> after,
                const PlanOptions& options) {
  const auto found = disk.files.find(path);
  const OwnedFile* file = found == disk.files.end() ? nullptr : found->second;
  if (file == nullptr && !after) return;
  if (file != nullptr && after && says_the_same(*file, *after)) return;
  if (file != nullptr) {
    if (auto obstacle = guard(*file, options))
      return block(item, obstacle->reason, std::move(obstacle->sentence));
  }
  item.files.push_back({path, file == nullptr ? std::nullopt : std::optional(file->text), std::move(after)});
}

PlanItem make_item(const Decided& decided, Disk& disk, const PlanOptions& options) {
  const auto& [unit, outcome] = decided;
  PlanItem item{.target = outcome.target,
                .units = {},
                .service = unit->service ? unit->service->name : "",
                .action = outcome.action,
                .reason = outcome.reason,
                .sentence = outcome.sentence,
                .notes = outcome.notes,
                .files = {},
                .environment = outcome.environment,
                .owned_paths = {}};
  for (const auto& [path, text] : outcome.texts) {
    item.owned_paths.push_back(path);
    disk.claimed.insert(path);
    if (item.action == Action::write) add_change(item, disk, path, text, options);
  }
  return item;
}

// A file of our name that reaches the unit, is not what it should have, and may not be taken away: whatever
// we wrote beside it, it could win.
void block_beside(PlanItem& item, const UnitInput& unit, const Disk& disk, const PlanOptions& options) {
  for (const auto& file : unit.on_disk) {
    if (item.action == Action::blocked) return;
    if (disk.claimed.contains(file.path)) continue;
    if (auto obstacle = guard(file, options)) block(item, obstacle->reason, std::move(obstacle->sentence));
  }
}

// A unit that is stuck keeps what it has.
void claim_for_stuck(const Items& items, const std::vector<Decided>& decided, Disk& disk) {
  for (const auto& one : decided) {
    if (!keeps_all(one) && items.at(one.outcome.target).action != Action::blocked) continue;
    for (const auto& file : one.unit->on_disk) disk.claimed.insert(file.path);
  }
}

// The drop-in of this name that wins over the item's own and stays where it is, kept for another unit.
std::optional<std::string> find_winner(const PlanItem& item, const std::string& unit, const Disk& disk) {
  for (auto& path : host::drop_in_paths_of(unit)) {
    if (std::ranges::count(item.owned_paths, path) > 0) return std::nullopt;
    if (disk.files.contains(path) && disk.claimed.contains(path)) return path;
  }
  return std::nullopt;
}

// Of drop-ins of one name, one in /etc hides one in /run, be it only the template's. Whether there were any.
bool block_beaten(Items& items, const std::vector<Decided>& decided, const Disk& disk) {
  bool has_blocked = false;
  for (const auto& one : decided) {
    auto& item = items.at(one.outcome.target);
    if (item.action != Action::write) continue;
    const auto winner = find_winner(item, one.unit->name, disk);
    if (!winner) continue;
    block(item, PlanReason::overridden_by_drop_in,
          fmt::format("{} stays for a unit that is stuck, and would win over a drop-in in {}", *winner,
                      host::kRuntimeUnits));
    has_blocked = true;
  }
  return has_blocked;
}

// What of ours reaches the unit and is wanted by nobody goes, with the item of the directory it lies in: a
// file of a template is not one instance's to take.
void add_removals(Items& items, const Decided& decided, const Disk& disk) {
  for (const auto& file : decided.unit->on_disk) {
    if (disk.claimed.contains(file.path)) continue;
    const std::string owner = host::owner_of(file.path);
    auto [at, is_new] = items.try_emplace(owner);
    PlanItem& item = at->second;
    if (is_new) {
      item.target = owner;
      item.reason = PlanReason::no_policy;
      item.sentence = "nothing is asked for at this place any more";
    }
    if (item.service.empty() && decided.unit->service != nullptr) item.service = decided.unit->service->name;
    const auto& name = decided.unit->name;
    if (std::ranges::find(item.units, name) == item.units.end()) item.units.push_back(name);
    const auto is_this = [&](const FileChange& change) { return change.path == file.path; };
    if (std::ranges::none_of(item.files, is_this)) item.files.push_back({file.path, file.text, std::nullopt});
  }
}

void settle(PlanItem& item) {
  if (item.action == Action::blocked) return;
  const bool wants_files = item.action == Action::write;
  if (item.files.empty()) {
    item.action = Action::keep;
    if (wants_files) item.reason = PlanReason::in_place;
    return;
  }
  const bool updates =
      std::ranges::any_of(item.files, [](const FileChange& file) { return file.before.has_value(); });
  item.action = wants_files ? Action::write : Action::remove;
  if (wants_files && updates) item.reason = PlanReason::to_update;
}

}  // namespace

bool Plan::has_changes() const {
  return std::ranges::any_of(items, [](const PlanItem& item) {
    return item.action == Action::write || item.action == Action::remove;
  });
}

bool Plan::has_blocked() const {
  return std::ranges::any_of(items, [](const PlanItem& item) { return item.action == Action::blocked; });
}

void block(PlanItem& item, PlanReason reason, std::string sentence) {
  item.action = Action::blocked;
  item.reason = reason;
  item.sentence = std::move(sentence);
  item.files.clear();
}

Plan decide_plan(const std::vector<UnitInput>& units, const PlanOptions& options) {
  Disk disk;
  for (const auto& unit : units) {
    for (const auto& file : unit.on_disk) disk.files.emplace(file.path, &file);
  }
  const auto decided = decide_units(units, options);
  Items items;
  for (const auto& one : decided) {
    auto [at, is_new] = items.try_emplace(one.outcome.target);
    if (is_new) at->second = make_item(one, disk, options);
    at->second.units.push_back(one.unit->name);
  }
  // After every item has claimed its own: a file of a template may be wanted by another unit of it.
  for (const auto& one : decided) {
    if (!keeps_all(one)) block_beside(items.at(one.outcome.target), *one.unit, disk, options);
  }
  // Each that blocks one more has one more file to keep.
  do claim_for_stuck(items, decided, disk);
  while (block_beaten(items, decided, disk));
  for (const auto& one : decided) add_removals(items, one, disk);
  Plan plan;
  for (auto& [target, item] : items) {
    settle(item);
    std::ranges::sort(item.units);
    std::ranges::sort(item.files, {},
                      [](const FileChange& file) { return std::pair(!file.after, file.path); });
    plan.items.push_back(std::move(item));
  }
  return plan;
}

void spare_stuck_units(Plan& plan) {
  for (auto& item : plan.items) {
    if (item.action != Action::remove) continue;
    const auto is_stuck = [&](const PlanItem& other) {
      return other.action == Action::blocked && std::ranges::any_of(other.units, [&](const auto& unit) {
               return std::ranges::count(item.units, unit) > 0;
             });
    };
    const auto stuck = std::ranges::find_if(plan.items, is_stuck);
    if (stuck != plan.items.end()) block(item, stuck->reason, stuck->sentence);
  }
}

Plan decide_revert(const std::vector<OwnedFile>& files, const PlanOptions& options) {
  std::map<std::string, PlanItem> items;
  Disk disk;
  for (const auto& file : files) disk.files.emplace(file.path, &file);
  for (const auto& file : files) {
    const std::string target = host::owner_of(file.path);
    auto [at, is_new] = items.try_emplace(target);
    auto& item = at->second;
    if (is_new) {
      item.target = target;
      item.action = Action::remove;
      item.reason = PlanReason::to_revert;
      item.sentence = "asked for by hand";
    }
    if (item.action != Action::blocked) add_change(item, disk, file.path, std::nullopt, options);
  }
  Plan plan;
  for (auto& [target, item] : items) plan.items.push_back(std::move(item));
  return plan;
}

}  // namespace allocd::policy
