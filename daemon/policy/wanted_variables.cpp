// SPDX-License-Identifier: Apache-2.0
#include "policy/wanted_variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/drop_in.hpp"
#include "policy/links.hpp"
#include "policy/preload.hpp"

namespace allocd::policy {

namespace {

using unitfile::Contribution;
using unitfile::Origin;
using unitfile::Variable;

// The value in force, and who has a say in it.
struct InForce {
  std::string value;
  std::string setter;      // a place, for people
  bool is_loaded = true;   // systemd has what the files say
  bool is_beaten = false;  // ours sets what is wanted, and another place wins
};

bool is_in_same_directory(std::string_view path, std::string_view other) {
  return !other.empty() && path.substr(0, path.rfind('/') + 1) == other.substr(0, other.rfind('/') + 1);
}

const Variable* find_variable(const PreloadSources& files, const std::string& name) {
  if (name == kPreloadVariable) return &files.variable;
  const auto found = files.others.find(name);
  return found == files.others.end() ? nullptr : &found->second;
}

std::string value_by_systemd(const UnitSetting& setting, const std::string& name) {
  std::string value;
  for (const std::string_view text : setting.environment) {
    if (text.starts_with(name) && text.substr(name.size()).starts_with('='))
      value = text.substr(name.size() + 1);
  }
  const bool is_unset = std::ranges::any_of(setting.unset_environment, [&](const std::string& removed) {
    return removed == name || removed == fmt::format("{}={}", name, value);
  });
  return is_unset ? "" : value;
}

const Contribution* find_winner(const Variable& variable) {
  const auto winner = std::ranges::find(variable.contributions, true, &Contribution::wins);
  return winner == variable.contributions.end() ? nullptr : &*winner;
}

std::string value_by_files(const Variable* variable) {
  const auto* winner = variable == nullptr ? nullptr : find_winner(*variable);
  return winner == nullptr || winner->origin == Origin::unset_environment ? "" : winner->value;
}

// Files beside the library: which of them comes first, and what the unit names besides, is not looked at.
bool meets(const Assignment& wanted, std::string_view value) {
  if (wanted.name != kPreloadVariable) return value == wanted.value;
  const auto entries = split_preload(value);
  return std::ranges::all_of(split_preload(wanted.value),
                             [&](const auto& entry) { return std::ranges::count(entries, entry) > 0; });
}

bool is_beaten(const UnitSetting& setting, const Assignment& wanted, const Variable& variable) {
  return std::ranges::any_of(variable.contributions, [&](const Contribution& each) {
    return is_our_path(setting, each.path) && !each.wins && each.origin != Origin::unset_environment &&
           meets(wanted, each.value);
  });
}

InForce find_in_force(const UnitSetting& setting, const Assignment& wanted) {
  const auto by_systemd = value_by_systemd(setting, wanted.name);
  if (!setting.files) return {.value = by_systemd, .setter = "the unit's own Environment="};
  const auto* variable = find_variable(*setting.files, wanted.name);
  if (variable == nullptr) return {.value = "", .setter = "", .is_loaded = by_systemd.empty()};
  InForce now{.value = value_by_files(variable), .setter = ""};
  const auto* winner = find_winner(*variable);
  if (winner != nullptr) now.setter = one_line(place_of(*winner));
  if (winner != nullptr && !winner->is_resolved) {
    // A specifier that is not known here: systemd has it expanded, unless an environment file wins.
    now.value = by_systemd;
    return now;
  }
  // Environment files are read at each start, and UnsetEnvironment= leaves nothing to compare.
  const bool is_environment = winner == nullptr || winner->origin == Origin::environment;
  now.is_loaded = !is_environment || value_of_environment(*variable) == by_systemd;
  now.is_beaten = is_beaten(setting, wanted, *variable);
  return now;
}

std::string describe(const Assignment& wanted, const InForce& now) {
  if (now.value.empty()) {
    const auto remover = now.setter.empty() ? std::string() : " (" + now.setter + ")";
    return fmt::format("{} is not set{}, and the policy asks for {}", wanted.name, remover,
                       one_line(wanted.value));
  }
  return fmt::format("{}={} is set by {}, and the policy asks for {}", wanted.name, one_line(now.value),
                     now.setter, wanted.value.empty() ? "none" : one_line(wanted.value));
}

// One that is not in place, or not loaded.
VariablesView judge(const UnitSetting& setting, const Assignment& wanted, const InForce& now) {
  const auto path = one_line(setting.drop_in_path);
  const auto what = describe(wanted, now);
  const bool is_met = meets(wanted, now.value);
  const bool ours_is_unread = setting.drop_in_present && !setting.drop_in_loaded;
  if (!is_met && setting.is_tampered)
    return {Setting::tampered, fails(path + " was edited by hand; it is left alone"), fails(what)};
  if (is_met || ours_is_unread || setting.need_daemon_reload) {
    return {Setting::not_loaded,
            setting.drop_in_present ? holds(path + " is on disk")
                                    : not_known("unit files have changed since systemd read them"),
            fails("systemd has not read them: daemon-reload is needed")};
  }
  if (setting.drop_in_loaded && !setting.drop_in_present) {
    return {Setting::deleted, fails(path + " is gone from the disk; " + what),
            holds("systemd still has it loaded, until its next daemon-reload")};
  }
  if (now.is_beaten)
    return {Setting::overridden, holds(path + " is on disk"), fails(what + ": that overrides allocd's own")};
  return {Setting::incomplete, fails(what), not_known("there is nothing to load")};
}

unitfile::Environment environment_by_systemd(const UnitSetting& setting) {
  unitfile::Environment environment;
  for (const auto name : kVariables) {
    auto value = value_by_systemd(setting, std::string(name));
    if (!value.empty())
      environment.variables[std::string(name)] = {
          .value = std::move(value), .is_set = true, .contributions = {}};
  }
  return environment;
}

std::string value_of(const unitfile::Environment& environment, const std::string& name) {
  const auto found = environment.variables.find(name);
  return found != environment.variables.end() && found->second.is_set ? found->second.value : "";
}

// Of what the policy names itself: which library `auto` comes to is not known here, and any will do.
void add_preload_files(const settings::Service& service, std::vector<Assignment>& wanted) {
  if (service.allocator == settings::Wanted::glibc) return;
  std::vector<std::string> files;
  if (service.library) files.push_back(*service.library);
  files.insert(files.end(), service.extra_preload.begin(), service.extra_preload.end());
  if (!files.empty())
    wanted.push_back({std::string(kPreloadVariable), fmt::format("{}", fmt::join(files, ":"))});
}

}  // namespace

bool is_our_path(const UnitSetting& setting, std::string_view path) {
  return path == setting.drop_in_path ||
         (path.ends_with(host::kEnvironmentFileName) && is_in_same_directory(path, setting.drop_in_path));
}

std::string_view value_of_environment(const Variable& variable) {
  std::string_view value;
  for (const auto& each : variable.contributions) {
    if (each.origin == Origin::environment && !each.reset_by) value = each.value;
  }
  return value;
}

std::vector<Assignment> decide_wanted_variables(const settings::Service& service,
                                                const UnitSetting& setting) {
  if (service.allocator == settings::Wanted::any) return {};
  const auto own = setting.files ? setting.files->own : environment_by_systemd(setting);
  if (service.precedence == settings::Precedence::yield && find_own_allocator(own)) return {};
  const auto desired = decide_desired(service, "", own);
  std::vector<Assignment> wanted;
  add_preload_files(service, wanted);
  for (const auto name : {kMallocConfVariable, kTunablesVariable}) {
    const std::string variable(name);
    const auto asked = std::ranges::find(desired, variable, &Assignment::name);
    if (asked != desired.end()) {
      wanted.push_back(*asked);
      continue;
    }
    if (!setting.files) continue;
    const auto value = value_of(own, variable);
    if (value_by_files(find_variable(*setting.files, variable)) != value) wanted.push_back({variable, value});
  }
  return wanted;
}

VariablesView decide_variables(const UnitSetting& setting) {
  for (const auto& wanted : setting.wanted_variables) {
    const auto now = find_in_force(setting, wanted);
    if (!now.is_loaded || !meets(wanted, now.value)) return judge(setting, wanted, now);
  }
  return {};
}

}  // namespace allocd::policy
