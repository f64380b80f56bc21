// SPDX-License-Identifier: Apache-2.0
#include "ctl/find_unit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "base/text.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Snapshot;
using snapshot::Unit;

std::string_view short_name(std::string_view name) {
  if (const auto slash = name.rfind('/'); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  return name.substr(0, name.rfind('.'));
}

std::vector<const Unit*> select(const Snapshot& snapshot, const std::function<bool(const Unit&)>& accepts) {
  std::vector<const Unit*> found;
  for (const auto& unit : snapshot.units) {
    if (accepts(unit)) found.push_back(&unit);
  }
  return found;
}

constexpr std::size_t kMostNamed = 10;

std::string names_of(const std::vector<const Unit*>& units) {
  std::vector<std::string_view> names;
  names.reserve(units.size());
  for (const auto* unit : units) names.push_back(unit->name);
  const std::size_t more = names.size() - std::min(names.size(), kMostNamed);
  names.resize(names.size() - more);
  const auto text = fmt::format("{}", fmt::join(names, ", "));
  return more == 0 ? text : fmt::format("{} and {} more", text, more);
}

std::string unknown_unit(const Snapshot& snapshot, std::string_view word) {
  std::vector<std::string_view> known;
  for (const auto& unit : snapshot.units) {
    known.push_back(unit.name);
    known.push_back(short_name(unit.name));
  }
  auto text = fmt::format("no unit '{}' in the snapshot", word);
  if (const auto nearest = base::nearest_word(word, known)) {
    return fmt::format("{}; did you mean '{}'?", text, *nearest);
  }
  if (snapshot.units.empty()) return text + ": allocd observes no unit";
  return fmt::format("{}; allocd observes {}", text,
                     names_of(select(snapshot, [](const Unit&) { return true; })));
}

}  // namespace

std::expected<const Unit*, std::string> find_unit(const Snapshot& snapshot, std::string_view word) {
  const auto with_suffix = std::string(word) + ".service";
  const std::vector<std::function<bool(const Unit&)>> rules{
      [&](const Unit& unit) { return unit.name == word; },
      [&](const Unit& unit) { return unit.name == with_suffix; },
      [&](const Unit& unit) { return short_name(unit.name) == word; },
      [&](const Unit& unit) { return unit.service == word; },
  };
  if (word.empty()) return std::unexpected("the name of a unit is empty");
  for (const auto& rule : rules) {
    const auto found = select(snapshot, rule);
    if (found.size() == 1) return found.front();
    if (found.size() > 1) {
      return std::unexpected(fmt::format("'{}' is {} units: {}", word, found.size(), names_of(found)));
    }
  }
  return std::unexpected(unknown_unit(snapshot, word));
}

}  // namespace allocd::ctl
