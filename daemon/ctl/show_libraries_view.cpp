// SPDX-License-Identifier: Apache-2.0
// Which allocator libraries the processes of a unit have in memory, which file each is, and how that is
// known.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "ctl/lines.hpp"
#include "ctl/show_parts.hpp"
#include "ctl/summary.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Evidence;
using snapshot::Library;
using snapshot::Process;
using snapshot::Unit;

constexpr std::size_t kShortBuildId = 12;

// How far up the ladder of evidence the answer stands, docs/snapshot.schema.json.
std::string_view rung_words(allocator::Rung rung) {
  switch (rung) {
    case allocator::Rung::none:
      return "not known";
    case allocator::Rung::mapped:
      return "by names in the memory map alone";
    case allocator::Rung::fingerprint:
      return "by text in the program file";
    case allocator::Rung::resolved:
      return "resolved as the dynamic linker does";
  }
  return "";
}

std::string_view state_words(allocator::LibraryState state) {
  switch (state) {
    case allocator::LibraryState::active:
      return "active";
    case allocator::LibraryState::mapped_not_active:
      return "mapped, not active";
    case allocator::LibraryState::embedded:
      return "embedded";
    case allocator::LibraryState::mapped:
      return "mapped, use unknown";
  }
  return "";
}

void add_library(std::string& out, const Library& library, const RenderOptions& options) {
  auto text =
      fmt::format("{:<19}  {:<8}", state_words(library.state), allocator::kKindNames.name(library.kind));
  if (!library.build_id.empty())
    text += fmt::format("  build-id {}", library.build_id.substr(0, kShortBuildId));
  if (is_off_disk(library)) {
    text += fmt::format("  {} on disk", allocator::kOnDiskNames.name(library.on_disk));
  }
  const bool active = library.state == allocator::LibraryState::active;
  add_prose(out, options, text, 4, active ? Style::good : Style::plain);
  add_prose(out, options, library.path.empty() ? "(no path)" : library.path, 6);
}

// Processes of one unit mostly share their libraries: said once per different set, in order of pid.
struct SharedLibraries {
  const Evidence* evidence;  // of the first of them
  std::vector<const Process*> processes;
};

bool is_alike(const Evidence& one, const Evidence& other) {
  return one.rung == other.rung && one.libraries == other.libraries &&
         (!one.libraries.empty() || one.detail == other.detail);  // with no library, only the reason is left
}

std::vector<SharedLibraries> libraries_in_common(const Unit& unit) {
  std::vector<SharedLibraries> groups;
  for (const auto& process : unit.processes) {
    const auto& evidence = process.evidence;
    auto group =
        std::ranges::find_if(groups, [&](const auto& one) { return is_alike(*one.evidence, evidence); });
    if (group == groups.end()) group = groups.insert(groups.end(), {&evidence, {}});
    group->processes.push_back(&process);
  }
  return groups;
}

constexpr std::size_t kMostNamed = 8;

std::string names_text(const std::vector<const Process*>& processes) {
  std::vector<std::string> names;
  for (const auto* process : processes) {
    if (names.size() == kMostNamed) break;
    names.push_back(fmt::format("{} {}", process->pid, role_text(*process)));
  }
  if (processes.size() > names.size()) {
    names.push_back(fmt::format("and {} more", processes.size() - names.size()));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

bool is_off_disk(const Library& library) {
  return library.on_disk == allocator::OnDisk::deleted || library.on_disk == allocator::OnDisk::replaced;
}

void add_libraries(std::string& out, const Unit& unit, const RenderOptions& options) {
  const auto groups = libraries_in_common(unit);
  if (groups.empty()) return;
  add_heading(out, options, "Allocator libraries");
  for (const auto& [evidence, processes] : groups) {
    add_prose(out, options, names_text(processes), 2);
    const bool is_proved = evidence->rung == allocator::Rung::resolved;
    auto how = fmt::format("evidence: {}", rung_words(evidence->rung));
    if (!is_proved && !evidence->detail.empty()) how += fmt::format(" ({})", evidence->detail);
    add_prose(out, options, how, 4, is_proved ? Style::faint : Style::warning);
    for (const auto& library : evidence->libraries) add_library(out, library, options);
  }
}

}  // namespace allocd::ctl
