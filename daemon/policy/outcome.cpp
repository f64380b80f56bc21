// SPDX-License-Identifier: Apache-2.0
#include "policy/outcome.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "host/drop_in.hpp"
#include "policy/assess.hpp"
#include "policy/obstacles.hpp"
#include "policy/preload.hpp"

namespace allocd::policy {

namespace {

using settings::Wanted;

Outcome blocked(std::string target, PlanReason reason, std::string sentence) {
  return {.target = std::move(target),
          .action = Action::blocked,
          .reason = reason,
          .sentence = std::move(sentence),
          .notes = {},
          .environment = {},
          .texts = {}};
}

Outcome kept(std::string target, PlanReason reason, std::string sentence) {
  auto outcome = blocked(std::move(target), reason, std::move(sentence));
  outcome.action = Action::keep;
  return outcome;
}

std::string describe_policy(const settings::Service& service) {
  return fmt::format("service {}: allocator {}", service.name,
                     settings::kWantedNames.name(service.allocator));
}

Placement place(const UnitInput& unit, const std::string& target, const PlanOptions& options) {
  const bool is_quadlet = host::quadlet_of(unit.source_path) == target;
  const bool is_runtime = unit.persist == settings::Persist::runtime;
  const auto quadlets = is_runtime ? host::kRuntimeQuadlets : host::kSystemQuadlets;
  const auto units = is_quadlet ? quadlets : is_runtime ? host::kRuntimeUnits : host::kSystemUnits;
  const std::string directory = host::drop_in_directory(units, target);
  return {.target = target,
          .drop_in_path = fmt::format("{}/{}", directory, host::kDropInName),
          .environment_path = fmt::format("{}/{}", directory, host::kEnvironmentFileName),
          .policy = describe_policy(*unit.service),
          .version = options.version};
}

std::string_view value_of(const unitfile::Environment& environment, const std::string& name) {
  const auto found = environment.variables.find(name);
  if (found == environment.variables.end() || !found->second.is_set) return "";
  return found->second.value;
}

// Any path of the wanted allocator will do where the policy names none.
bool preloads_wanted(const settings::Service& service, std::string_view preload) {
  const auto entries = split_preload(preload);
  const auto has = [&](const std::string& extra) { return std::ranges::count(entries, extra) > 0; };
  return !service.library && decide_preload_kind(preload) == wanted_kind(service.allocator) &&
         std::ranges::all_of(service.extra_preload, has);
}

// Whether the unit's own files do already what the policy asks for.
bool is_satisfied(const settings::Service& service, const unitfile::Environment& existing,
                  const std::vector<Assignment>& desired) {
  return std::ranges::all_of(desired, [&](const Assignment& wanted) {
    const auto value = value_of(existing, wanted.name);
    return value == wanted.value || (wanted.name == kPreloadVariable && preloads_wanted(service, value));
  });
}

Outcome decide_environment(const UnitInput& unit, const std::string& target, const PlanOptions& options) {
  const bool is_quadlet = host::quadlet_of(unit.source_path) == target;
  const auto sources = is_quadlet ? container_sources(unit) : without_owned(unit.sources);
  const auto existing = unitfile::compute_environment(sources);
  if (auto place = find_own_allocator(existing);
      place && unit.service->precedence == settings::Precedence::yield) {
    return kept(target, PlanReason::yields,
                fmt::format("the unit preloads an allocator itself at {}, and the policy yields", *place));
  }
  if (auto place = find_unresolved(existing)) {
    return blocked(target, PlanReason::unit_unreadable,
                   fmt::format("what {} sets holds a specifier that allocd cannot expand, so merging with it "
                               "would be a guess",
                               *place));
  }
  const bool needs_library = unit.service->allocator != Wanted::glibc;
  if (needs_library && unit.library.empty())
    return blocked(target,
                   unit.library_is_unfit ? PlanReason::preflight_failed : PlanReason::library_not_found,
                   unit.library_problem);
  auto desired = decide_desired(*unit.service, unit.library, existing);
  if (desired.empty()) return kept(target, PlanReason::not_needed, "the unit preloads no allocator");
  if (is_satisfied(*unit.service, existing, desired))
    return kept(target, PlanReason::not_needed, "the unit's own files set it already");
  const Placement where = place(unit, target, options);
  auto texts = is_quadlet ? make_quadlet_texts(desired, needs_library ? unit.library : "", where)
                          : find_texts(sources, desired, where);
  if (!texts) return blocked(target, texts.error().reason, texts.error().sentence);
  return {.target = target,
          .action = Action::write,
          .reason = PlanReason::to_apply,
          .sentence = describe_policy(*unit.service),
          .notes = existing.doubts,
          .environment = std::move(desired),
          .texts = std::move(*texts)};
}

Outcome decide_unit(const UnitInput& unit, const std::string& target, const PlanOptions& options) {
  if (unit.service == nullptr || unit.service->allocator == Wanted::any)
    return kept(target, PlanReason::no_policy, "the policy asks for nothing");
  if (auto obstacle = find_obstacle(unit, target))
    return obstacle->reason == PlanReason::unit_not_found
               ? kept(target, obstacle->reason, std::move(obstacle->sentence))
               : blocked(target, obstacle->reason, std::move(obstacle->sentence));
  return decide_environment(unit, target, options);
}

// The quadlet of a container; else the template where the policy covers all of it; else the unit.
std::string target_of(const UnitInput& unit) {
  if (auto quadlet = host::quadlet_of(unit.source_path); quadlet && is_container(unit)) return *quadlet;
  if (auto whole = host::template_of(unit.name); whole && unit.covers_template) return *whole;
  return unit.name;
}

std::string expected_text(const Outcome& outcome) {
  auto all = fmt::format("{} {}", kActionNames.name(outcome.action),
                         outcome.action == Action::write ? "" : kPlanReasonNames.name(outcome.reason));
  for (const auto& [path, text] : outcome.texts) {
    all += path;
    all += '\0';
    all += text;
  }
  return all;
}

// The first of a target speaks for it. Only units of one quadlet can come to something else at the same
// target; then what stands in the way of one stands in the way of all.
bool is_weightier(const Decided& left, const Decided& right) {
  const auto key = [](const Decided& one) {
    return std::tuple(std::string_view(one.outcome.target), one.outcome.action != Action::blocked,
                      one.outcome.action != Action::write, std::string_view(one.unit->name));
  };
  return key(left) < key(right);
}

}  // namespace

bool keeps_all(const Decided& decided) {
  return decided.outcome.reason == PlanReason::unit_not_found;
}

std::vector<Decided> decide_units(const std::vector<UnitInput>& units, const PlanOptions& options) {
  std::map<std::string, std::set<std::string>> variants;
  std::vector<Decided> decided;
  for (const auto& unit : units) {
    decided.push_back({&unit, decide_unit(unit, target_of(unit), options)});
    auto& outcome = decided.back().outcome;
    if (keeps_all(decided.back())) {
      outcome.target = unit.name;
      continue;
    }
    variants[outcome.target].insert(expected_text(outcome));
    // An instance that is a container's: a drop-in of its template would reach the client.
    if (auto whole = host::template_of(unit.name); whole && *whole != outcome.target)
      variants[*whole].insert(unit.name);
  }
  for (auto& [unit, outcome] : decided) {
    if (outcome.target == unit->name || variants[outcome.target].size() == 1) continue;
    if (host::quadlet_of(unit->source_path) == outcome.target) continue;
    outcome = decide_unit(*unit, unit->name, options);
  }
  std::ranges::sort(decided, is_weightier);
  return decided;
}

}  // namespace allocd::policy
