// SPDX-License-Identifier: Apache-2.0
#include "policy/candidate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "host/drop_in.hpp"
#include "unitfile/drop_in_text.hpp"
#include "unitfile/quote.hpp"
#include "unitfile/unit_text.hpp"

namespace allocd::policy {

namespace {

using unitfile::Contribution;
using unitfile::Environment;
using unitfile::Origin;
using unitfile::SourceText;

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

bool is_owned_name(std::string_view path) {
  return name_of(path) == host::kDropInName || name_of(path) == host::kEnvironmentFileName;
}

unitfile::DropInHeader header_of(const Placement& place) {
  return {.unit = place.target, .policy = place.policy, .version = place.version};
}

std::string make_drop_in(const std::vector<Assignment>& desired, const Placement& place,
                         bool names_environment_file) {
  unitfile::DropInBody body{{"[Service]"}};
  for (const auto& [name, value] : desired)
    body.lines.push_back(unitfile::render_environment_line(name, value));
  // With '-': should the file be lost, the unit starts without it rather than not at all.
  if (names_environment_file)
    body.lines.push_back("EnvironmentFile=-" + unitfile::escape_file_pattern(place.environment_path));
  return unitfile::render_owned_text(header_of(place), body);
}

std::string make_environment_file(const std::vector<Assignment>& desired, const Placement& place) {
  unitfile::DropInBody body;
  for (const auto& [name, value] : desired)
    body.lines.push_back(unitfile::render_environment_file_line(name, value));
  return unitfile::render_owned_text(header_of(place), body);
}

// Drop-ins of all directories are read in the order of their names (systemd.unit(5)); the fragment is first.
unitfile::UnitSources with_texts(unitfile::UnitSources sources, const FileTexts& texts,
                                 const Placement& place) {
  auto& files = sources.files;
  const auto after =
      std::find_if(files.empty() ? files.end() : files.begin() + 1, files.end(),
                   [](const SourceText& file) { return name_of(file.path) > host::kDropInName; });
  files.insert(after, {place.drop_in_path, texts.at(place.drop_in_path)});
  const auto text = texts.find(place.environment_path);
  if (text == texts.end()) return sources;
  for (const auto& named : unitfile::list_environment_files(sources)) {
    if (named.named_in != place.drop_in_path) continue;
    sources.environment_files[named.path] = {.outcome = unitfile::EnvironmentFileText::Outcome::read,
                                             .files = {{place.environment_path, text->second}},
                                             .cause = ""};
  }
  return sources;
}

bool holds(const Environment& environment, const Assignment& wanted) {
  const auto found = environment.variables.find(wanted.name);
  if (found == environment.variables.end() || !found->second.is_set) return wanted.value.empty();
  return found->second.value == wanted.value;
}

const Assignment* find_beaten(const Environment& environment, const std::vector<Assignment>& desired) {
  const auto beaten =
      std::ranges::find_if(desired, [&](const Assignment& wanted) { return !holds(environment, wanted); });
  return beaten == desired.end() ? nullptr : &*beaten;
}

PlanReason reason_of(Origin origin) {
  switch (origin) {
    case Origin::unset_environment:
      return PlanReason::unset_by_unit;
    case Origin::environment_file:
      return PlanReason::overridden_by_file;
    default:
      return PlanReason::overridden_by_drop_in;
  }
}

Obstacle blame(const Environment& environment, const Assignment& beaten) {
  const auto found = environment.variables.find(beaten.name);
  if (found == environment.variables.end()) {
    return {PlanReason::overridden_by_drop_in,
            fmt::format("a drop-in that sorts after {} takes {} away again: it resets EnvironmentFile= and "
                        "Environment=",
                        host::kDropInName, beaten.name)};
  }
  const auto& all = found->second.contributions;
  const auto winner = std::ranges::find(all, true, &Contribution::wins);
  if (winner == all.end())
    return {PlanReason::overridden_by_drop_in,
            fmt::format("{} would not reach the unit's processes", beaten.name)};
  if (winner->origin == Origin::unset_environment) {
    return {PlanReason::unset_by_unit, fmt::format("UnsetEnvironment= at {} takes {} away after all else",
                                                   place_of(*winner), beaten.name)};
  }
  return {reason_of(winner->origin),
          fmt::format("{} at {} comes after allocd's own and wins", beaten.name, place_of(*winner))};
}

// For a value that systemd expands specifiers in.
std::string escape_percent(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '%' ? std::string("%%") : std::string(1, c);
  return out;
}

}  // namespace

unitfile::UnitSources without_owned(unitfile::UnitSources sources) {
  std::erase_if(sources.files, [](const SourceText& file) { return is_owned_name(file.path); });
  std::erase_if(sources.environment_files, [](const auto& file) { return is_owned_name(file.first); });
  return sources;
}

unitfile::UnitSources quadlet_sources(const std::vector<SourceText>& quadlet,
                                      const unitfile::Specifiers& specifiers) {
  unitfile::UnitSources sources;
  sources.specifiers = specifiers;
  for (const auto& [path, text] : quadlet) {
    std::string as_service = "[Service]";
    std::uint32_t line = 1;
    for (const auto& assignment : unitfile::parse_unit_text(text).assignments) {
      if (assignment.section != "Container") continue;
      if (assignment.key == "EnvironmentFile") {
        sources.doubts.push_back(fmt::format("{}:{}: what {} sets is not known here", path, assignment.line,
                                             base::escape_for_terminal(assignment.value)));
      }
      if (assignment.key != "Environment") continue;
      for (; line < assignment.line; ++line) as_service += '\n';
      as_service += "Environment=" + assignment.value;
    }
    sources.files.push_back({path, as_service + "\n"});
  }
  return sources;
}

unitfile::UnitSources container_sources(const UnitInput& unit) {
  return without_owned(quadlet_sources(unit.quadlet, unit.sources.specifiers));
}

std::expected<FileTexts, Obstacle> find_texts(const unitfile::UnitSources& sources,
                                              const std::vector<Assignment>& desired,
                                              const Placement& place) {
  FileTexts texts{{place.drop_in_path, make_drop_in(desired, place, false)}};
  auto environment = unitfile::compute_environment(with_texts(sources, texts, place));
  if (find_beaten(environment, desired) == nullptr) return texts;
  texts = {{place.drop_in_path, make_drop_in(desired, place, true)},
           {place.environment_path, make_environment_file(desired, place)}};
  environment = unitfile::compute_environment(with_texts(sources, texts, place));
  const Assignment* beaten = find_beaten(environment, desired);
  if (beaten == nullptr) return texts;
  return std::unexpected(blame(environment, *beaten));
}

std::expected<FileTexts, Obstacle> make_quadlet_texts(const std::vector<Assignment>& desired,
                                                      const std::string& library, const Placement& place) {
  unitfile::DropInBody body{{"[Container]"}};
  for (const auto& [name, value] : desired) {
    // The generator makes a command line of them, where systemd would expand both once more.
    if (value.find_first_of("%$") != std::string::npos) {
      return std::unexpected(
          Obstacle{PlanReason::container,
                   fmt::format("{} holds '%' or '$', which a quadlet's Environment= cannot carry", name)});
    }
    body.lines.push_back(unitfile::render_environment_line(name, value));
  }
  if (!library.empty()) body.lines.push_back(fmt::format("Volume={0}:{0}:ro", escape_percent(library)));
  return FileTexts{{place.drop_in_path, unitfile::render_owned_text(header_of(place), body)}};
}

}  // namespace allocd::policy
