// SPDX-License-Identifier: Apache-2.0
#include "host/unit_view.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace allocd::host {

void UnitView::select(UnitSelection selection) {
  selection_ = std::move(selection);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    entry->second.exact = false;
    const bool named = std::ranges::find(selection_.names, entry->first) != selection_.names.end();
    entry = named || is_candidate(entry->first) ? std::next(entry) : drop(entry);
  }
  for (const std::string& name : selection_.names) entries_[name].exact = true;
  begin_round();
}

void UnitView::begin_round() {
  for (auto& [name, entry] : entries_) entry.answered = false;
  complete_ = false;
  list_answered_ = patterns().empty() && !wants_all_names();
  reread_all();
  update_complete();
}

void UnitView::reread_all() {
  rejected_.clear();
  for (auto& [name, entry] : entries_) entry.due = Due::yes;
  list_due_ = !patterns().empty() || wants_all_names();
}

void UnitView::abandon_reads() {
  for (auto& [name, entry] : entries_) entry.reading = false;
}

bool UnitView::take_list_due() {
  return std::exchange(list_due_, false);
}

void UnitView::listed(const std::vector<ListedUnit>& units) {
  list_answered_ = true;
  list_failed_ = false;
  std::set<std::string_view> present;
  for (const ListedUnit& unit : units) {
    const bool wanted = matches_pattern(unit.name) ? unit.load_state != "not-found"
                                                   : unit.load_state == "loaded" && is_candidate(unit.name);
    if (!wanted) continue;
    present.insert(unit.name);
    if (!rejected_.contains(unit.name)) entries_.try_emplace(unit.name);
  }
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    entry = entry->second.exact || present.contains(entry->first) ? std::next(entry) : drop(entry);
  }
  update_complete();
}

void UnitView::list_failed(bool answered) {
  list_answered_ = list_answered_ || answered;
  list_failed_ = true;
  update_complete();
}

void UnitView::unit_new(const std::string& name) {
  rejected_.erase(name);
  bool known = false;
  for (auto& [entry_name, entry] : entries_) {
    if (!concerns(name, entry_name, entry)) continue;
    entry.due = std::max(entry.due, entry.exact ? Due::if_loaded : Due::yes);
    known = true;
  }
  if (!known && is_candidate(name)) entries_.try_emplace(name);
}

void UnitView::unit_removed(const std::string& name) {
  rejected_.erase(name);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const bool concerned = concerns(name, entry->first, entry->second);
    if (concerned && !entry->second.exact) {
      entry = drop(entry);
      continue;
    }
    if (concerned && is_active(entry->first)) entry->second.due = Due::yes;
    if (concerned && entry->second.due == Due::if_loaded) entry->second.due = Due::no;
    ++entry;
  }
  update_complete();
}

void UnitView::unit_changed(const std::string& name) {
  bool known = false;
  for (auto& [entry_name, entry] : entries_) {
    if (!concerns(name, entry_name, entry)) continue;
    entry.due = Due::yes;
    known = true;
  }
  if (!known && !rejected_.contains(name) && is_candidate(name)) entries_.try_emplace(name);
}

std::vector<std::string> UnitView::take_due() {
  std::vector<std::string> names;
  for (auto& [name, entry] : entries_) {
    if (entry.due == Due::no || entry.reading) continue;
    entry.due = Due::no;
    entry.reading = true;
    names.push_back(name);
  }
  return names;
}

void UnitView::read_done(const std::string& name, UnitFacts facts) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;  // dropped while it was read
  Entry& entry = found->second;
  entry.reading = false;
  entry.failed = false;
  entry.answered = true;
  entry.id = facts.name;
  if (is_selected(name, entry, facts)) {
    if (entry.exact && facts.name != name) drop_unnamed(facts.name);
    facts.name = name;
    store(name, std::move(facts));
  } else {
    if (facts.load_state == "loaded") rejected_.insert(name);
    drop(found);
  }
  update_complete();
}

void UnitView::read_failed(const std::string& name, bool answered) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  found->second.reading = false;
  found->second.failed = true;
  found->second.answered = found->second.answered || answered;
  update_complete();
}

bool UnitView::has_failed() const {
  return list_failed_ || std::ranges::any_of(entries_, [](const auto& entry) { return entry.second.failed; });
}

void UnitView::retry_failed() {
  list_due_ = list_due_ || list_failed_;
  for (auto& [name, entry] : entries_) {
    if (entry.failed) entry.due = Due::yes;
  }
}

bool UnitView::take_changed() {
  return std::exchange(changed_, false);
}

bool UnitView::matches_pattern(std::string_view name) const {
  return std::ranges::any_of(selection_.patterns,
                             [&](const std::string& pattern) { return base::matches_glob(pattern, name); });
}

bool UnitView::is_candidate(const std::string& name) const {
  return matches_pattern(name) || (wants_all_names() && name.ends_with(".service"));
}

bool UnitView::concerns(std::string_view signalled, std::string_view name, const Entry& entry) {
  return signalled == name || signalled == entry.id;
}

// One unit must not be counted twice because it is selected by an alias and by a pattern.
bool UnitView::is_alias_target(const std::string& id, const std::string& name) const {
  return std::ranges::any_of(entries_, [&](const auto& entry) {
    return entry.second.exact && entry.first != name && entry.second.id == id;
  });
}

bool UnitView::is_selected(const std::string& name, const Entry& entry, const UnitFacts& facts) const {
  if (entry.exact) return true;
  if (facts.load_state == "not-found" || is_alias_target(facts.name, name)) return false;
  if (matches_pattern(name)) return true;
  return wants_all_names() && name.ends_with(".service") && facts.load_state == "loaded" &&
         selection_.accepts(facts);
}

bool UnitView::is_active(const std::string& name) const {
  const auto unit = units_.find(name);
  return unit != units_.end() && unit->second.active_state != "inactive";
}

void UnitView::store(const std::string& name, UnitFacts facts) {
  const auto [unit, added] = units_.try_emplace(name);
  if (!added && unit->second == facts) return;
  unit->second = std::move(facts);
  changed_ = true;
}

UnitView::Entries::iterator UnitView::drop(Entries::iterator entry) {
  if (units_.erase(entry->first) > 0) changed_ = true;
  return entries_.erase(entry);
}

// See is_alias_target; here the alias was read last.
void UnitView::drop_unnamed(const std::string& id) {
  const auto found = entries_.find(id);
  if (found != entries_.end() && !found->second.exact) drop(found);
}

void UnitView::update_complete() {
  complete_ = complete_ || (list_answered_ && std::ranges::all_of(entries_, [](const auto& entry) {
                              return entry.second.answered;
                            }));
}

}  // namespace allocd::host
