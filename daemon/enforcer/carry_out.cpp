// SPDX-License-Identifier: Apache-2.0
#include "enforcer/carry_out.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "host/drop_in.hpp"
#include "host/owned_file.hpp"

namespace allocd::enforcer {

namespace {

using policy::FileChange;
using policy::PlanItem;

bool is_asked_for(const PlanItem& item, const Request& request) {
  if (request.units.empty()) return true;
  const auto is_named = [&](const std::string& name) { return std::ranges::count(request.units, name) > 0; };
  return is_named(item.target) || std::ranges::any_of(item.units, is_named);
}

bool is_enforced(const PlanItem& item, const Survey& survey, const Manifest& manifest) {
  const auto& services = survey.settings->services;
  const auto service = std::ranges::find(services, item.service, &settings::Service::name);
  if (service != services.end())
    return settings::effective_mode(*survey.settings, *service) == settings::Mode::enforce;
  const auto record = manifest.targets.find(item.target);
  return record != manifest.targets.end() && record->second.automatic;
}

policy::PlanOptions options_of(const Request& request) {
  return {.version = ALLOCD_VERSION, .take_tampered = request.force};
}

base::Result<void> check_names(const policy::Plan& plan, const Request& request) {
  for (const auto& name : request.units) {
    const bool is_known = std::ranges::any_of(plan.items, [&](const PlanItem& item) {
      return item.target == name || std::ranges::count(item.units, name) > 0;
    });
    if (!is_known)
      return base::fault("find", name,
                         request.verb == Verb::revert ? "allocd has written nothing for it"
                                                      : "no service of the configuration selects it");
  }
  return {};
}

// A revert looks at what lies on disk alone: the unit, its file or the policy may be gone.
policy::Plan plan_revert(const Survey& survey, const Request& request) {
  auto plan = policy::decide_revert(survey.owned, options_of(request));
  for (auto& item : plan.items) {
    for (const auto& [name, facts] : survey.units) {
      const auto paths = host::owned_paths_of(name, facts.source_path);
      const bool reaches = std::ranges::any_of(
          item.files, [&](const FileChange& file) { return std::ranges::count(paths, file.path) > 0; });
      if (reaches) item.units.push_back(name);
    }
  }
  return plan;
}

preflight::PreflightRequest preflight_of(const PlanItem& item, const settings::Service& service,
                                         const policy::UnitInput& unit) {
  preflight::PreflightRequest request;
  request.allocator = service.allocator;
  request.library = service.library;
  // What the unit preloads itself is proved by the unit, which runs with it.
  request.preload_after = service.extra_preload;
  // What is bound into it is the host's own.
  if (!unit.library_is_bound) request.root_directory = unit.root_directory;
  for (const auto& [name, value] : item.environment) {
    if (name != policy::kPreloadVariable) request.environment.push_back(fmt::format("{}={}", name, value));
  }
  return request;
}

host::FileState expected_of(const FileChange& change) {
  host::FileState state;
  state.directory = host::FileState::Kind::directory;
  if (!change.before) return state;
  state.kind = host::FileState::Kind::regular;
  state.text = *change.before;
  return state;
}

std::string describe(host::Applied applied, const std::string& path) {
  return fmt::format("{}: {}", path, host::kAppliedNames.name(applied));
}

std::string directory_of(const FileChange& change) {
  return change.path.substr(0, change.path.rfind('/'));
}

std::string apply_change(const host::Root& root, const FileChange& change,
                         const std::vector<std::string>& made_directories) {
  constexpr mode_t kReadable = 0644;
  // Of a run that was killed; one that stays does no harm.
  (void)host::remove_leftovers(root, directory_of(change));
  const bool is_made = std::ranges::count(made_directories, directory_of(change)) > 0;
  const auto empty = is_made ? host::EmptyDirectory::remove_if_empty : host::EmptyDirectory::keep;
  const auto applied =
      change.after ? host::apply_write(root, change.path, *change.after, kReadable, expected_of(change))
                   : host::apply_remove(root, change.path, expected_of(change), empty);
  if (!applied) return applied.error().message();
  return *applied == host::Applied::done ? "" : describe(*applied, change.path);
}

// 0: the file that will be named; 1: what names it; 2: what named it goes; 3: the file that was named.
int order_of(const FileChange& change) {
  const bool is_named = change.path.ends_with(host::kEnvironmentFileName);
  if (change.after) return is_named ? 0 : 1;
  return is_named ? 3 : 2;
}

}  // namespace

base::Result<policy::Plan> decide_request(const Survey& survey, const Manifest& manifest,
                                          const Request& request) {
  auto plan = request.verb == Verb::revert ? plan_revert(survey, request)
                                           : policy::decide_plan(survey.inputs, options_of(request));
  if (auto known = check_names(plan, request); !known) return std::unexpected(known.error());
  std::erase_if(plan.items, [&](const PlanItem& item) {
    return !is_asked_for(item, request) ||
           (request.verb == Verb::reconcile && !is_enforced(item, survey, manifest));
  });
  return plan;
}

void check_items(policy::Plan& plan, const Survey& survey, preflight::Preflight& preflight) {
  for (auto& item : plan.items) {
    if (item.action != policy::Action::write || item.units.empty()) continue;
    // Instances of a template may have roots of their own; what is the same for all is tried once.
    for (const auto& name : item.units) {
      const auto unit = std::ranges::find(survey.inputs, name, &policy::UnitInput::name);
      if (unit == survey.inputs.end() || unit->service == nullptr) continue;
      const auto result = preflight.check(preflight_of(item, *unit->service, *unit));
      if (result.passed()) continue;
      policy::block(item, policy::PlanReason::preflight_failed,
                    fmt::format("{}: {}", preflight::kReasonNames.name(result.reason), result.sentence));
      break;
    }
  }
  policy::spare_stuck_units(plan);
}

std::vector<std::string> list_missing_directories(const host::Root& root, const PlanItem& item) {
  std::vector<std::string> missing;
  for (const auto& change : item.files) {
    const auto state = host::read_state(root, change.path);
    auto directory = directory_of(change);
    if (change.after && state && state->directory == host::FileState::Kind::absent &&
        std::ranges::count(missing, directory) == 0)
      missing.push_back(std::move(directory));
  }
  return missing;
}

std::string apply_item(const host::Root& root, const PlanItem& item,
                       const std::vector<std::string>& made_directories) {
  auto changes = item.files;
  std::ranges::sort(changes, {}, [](const FileChange& change) {
    return std::pair(order_of(change), std::string_view(change.path));
  });
  std::vector<FileChange> undo;
  for (const auto& change : changes) {
    if (auto error = apply_change(root, change, made_directories); !error.empty()) {
      for (const auto& back : undo | std::views::reverse) (void)apply_change(root, back, made_directories);
      return error;
    }
    undo.push_back({change.path, change.after, change.before});
  }
  return "";
}

}  // namespace allocd::enforcer
