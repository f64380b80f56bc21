// SPDX-License-Identifier: Apache-2.0
#include "policy/obstacles.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "allocator/classify.hpp"
#include "engine/engine.hpp"
#include "host/drop_in.hpp"
#include "unitfile/drop_in_text.hpp"
#include "unitfile/environment_lists.hpp"
#include "unitfile/unit_text.hpp"

namespace allocd::policy {

namespace {

std::string program_of(const UnitInput& unit) {
  return unit.exec_start.empty() || unit.exec_start[0].empty() ? "its program" : unit.exec_start[0][0];
}

// " at FILE:LINE" of the line of the unit's own text that says it last; "" where none does.
std::string place_of_setting(const UnitInput& unit, std::string_view key) {
  std::string place;
  for (const auto& file : unit.sources.files) {
    for (const auto& assignment : unitfile::parse_unit_text(file.text).assignments) {
      if (assignment.section != "Service" || assignment.key != key) continue;
      place = assignment.value.empty() ? "" : fmt::format(" at {}:{}", file.path, assignment.line);
    }
  }
  return place;
}

// docker, podman, nerdctl: each wants the variables and the library handed in its own way.
std::string advise_container(const UnitInput& unit) {
  const auto found = std::ranges::find_if(unit.exec_start,
                                          [](const auto& argv) { return engine::is_container_client(argv); });
  const auto client = found == unit.exec_start.end() || found->empty()
                          ? std::string("the container client")
                          : std::string(allocator::base_name(found->front()));
  return fmt::format(
      "ExecStart={1} starts {0}: a drop-in stops at the client. Have the library in the image and add "
      "-e LD_PRELOAD=PATH -e MALLOC_CONF=... to the {0} command, or use a quadlet",
      client, place_of_setting(unit, "ExecStart"));
}

std::optional<Obstacle> find_program_obstacle(const UnitInput& unit) {
  const bool preloads = unit.service->allocator != settings::Wanted::glibc;
  if (unit.is_secure_execution) {
    return Obstacle{
        PlanReason::secure_execution,
        fmt::format("{}, started by ExecStart={}, is setuid or has file capabilities: the dynamic "
                    "linker drops LD_PRELOAD. NoNewPrivileges=yes mends the one, "
                    "AmbientCapabilities= in place of file capabilities the other",
                    program_of(unit), place_of_setting(unit, "ExecStart"))};
  }
  if (unit.program == ProgramKind::static_program) {
    return Obstacle{PlanReason::static_program,
                    fmt::format("{} has no dynamic linker: nothing can be preloaded", program_of(unit))};
  }
  if (unit.program == ProgramKind::dynamic_musl && preloads) {
    return Obstacle{PlanReason::musl_program,
                    fmt::format("{} is linked to musl: a library built for glibc keeps it from starting",
                                program_of(unit))};
  }
  return std::nullopt;
}

std::optional<Obstacle> find_root_obstacle(const UnitInput& unit) {
  if (unit.service->allocator == settings::Wanted::glibc) return std::nullopt;
  if (!unit.root_image.empty() && !unit.library_is_bound) {
    return Obstacle{PlanReason::root_image,
                    fmt::format("RootImage={}{} cannot be looked into; add BindReadOnlyPaths={} to the unit",
                                unit.root_image, place_of_setting(unit, "RootImage"),
                                unit.library.empty() ? "LIBRARY" : unit.library)};
  }
  if (!unit.root_directory.empty() && unit.root_directory != "/" && !unit.library_in_root &&
      !unit.library_is_bound) {
    return Obstacle{PlanReason::library_absent_in_root,
                    fmt::format("{0} is not below RootDirectory={1}{2}: copy it there, or add "
                                "BindReadOnlyPaths={0} to the unit",
                                unit.library, unit.root_directory, place_of_setting(unit, "RootDirectory"))};
  }
  return std::nullopt;
}

// Of two drop-ins of one name systemd reads one: ours would hide what this one says, or it ours.
std::optional<Obstacle> find_namesake(const UnitInput& unit) {
  const auto places = host::owned_paths_of(unit.name, unit.source_path);
  for (const auto& file : unit.sources.files) {
    const auto name = allocator::base_name(file.path);
    if (name != host::kDropInName || std::ranges::count(places, file.path) > 0) continue;
    if (unitfile::decide_ownership(file.text) == unitfile::Ownership::ours) continue;  // under another name
    return Obstacle{PlanReason::foreign_file,
                    fmt::format("{} has the name of allocd's own drop-in: rename it", file.path)};
  }
  return std::nullopt;
}

std::optional<Obstacle> find_environment_obstacle(const UnitInput& unit) {
  const auto sources = without_owned(unit.sources);
  for (const auto& file : unitfile::list_environment_settings(sources.files, sources.specifiers).files) {
    if (file.is_resolved || file.reset_by) continue;
    return Obstacle{
        PlanReason::environment_unreadable,
        fmt::format("EnvironmentFile={} at {}:{} holds a specifier that allocd cannot expand: what "
                    "it sets would be lost or would win",
                    file.text, file.place.path, file.place.line)};
  }
  for (const auto& file : unitfile::list_environment_files(sources)) {
    const auto found = sources.environment_files.find(file.path);
    if (found == sources.environment_files.end() ||
        found->second.outcome != unitfile::EnvironmentFileText::Outcome::unreadable)
      continue;
    return Obstacle{PlanReason::environment_unreadable,
                    fmt::format("{} (named at {}:{}) cannot be read: what it sets would be lost or would win",
                                file.path, file.named_in, file.line)};
  }
  return std::nullopt;
}

}  // namespace

bool is_container(const UnitInput& unit) {
  return std::ranges::any_of(unit.exec_start,
                             [](const auto& argv) { return engine::is_container_client(argv); });
}

std::optional<Obstacle> find_obstacle(const UnitInput& unit, const std::string& target) {
  if (unit.load_state == "not-found" || unit.load_state == "masked") {
    return Obstacle{PlanReason::unit_not_found,
                    fmt::format("systemd has no such unit to start ({})", unit.load_state)};
  }
  if (unit.rolled_back == kRevertedByHand) {
    return Obstacle{PlanReason::reverted_by_hand,
                    fmt::format("an operator took it back; allocctl apply {} writes it again", unit.name)};
  }
  if (!unit.rolled_back.empty()) {
    return Obstacle{PlanReason::rolled_back,
                    fmt::format("taken back: {}; allocctl apply --retry tries again", unit.rolled_back)};
  }
  if (is_container(unit)) {
    if (host::quadlet_of(unit.source_path) != target)
      return Obstacle{PlanReason::container, advise_container(unit)};
    if (unit.quadlet.empty())
      return Obstacle{PlanReason::unit_unreadable, fmt::format("{} cannot be read", unit.source_path)};
    return std::nullopt;
  }
  if (unit.load_state != "loaded" || unit.sources.files.empty()) {
    return Obstacle{PlanReason::unit_unreadable,
                    fmt::format("systemd reports the unit as {}: see systemctl status {}",
                                unit.load_state.empty() ? "unknown" : unit.load_state, unit.name)};
  }
  if (unit.fragment_path.starts_with(host::kTransientUnits)) {
    return Obstacle{PlanReason::transient_unit,
                    "the unit was made at run time and is gone after it stops: make a unit file of it"};
  }
  if (auto obstacle = find_program_obstacle(unit)) return obstacle;
  if (auto obstacle = find_root_obstacle(unit)) return obstacle;
  if (auto obstacle = find_namesake(unit)) return obstacle;
  return find_environment_obstacle(unit);
}

}  // namespace allocd::policy
