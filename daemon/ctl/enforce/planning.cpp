// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/planning.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "ctl/terminal_text.hpp"
#include "enforcer/carry_out.hpp"
#include "enforcer/survey.hpp"
#include "enforcer/unit_watch.hpp"
#include "host/drop_in.hpp"
#include "host/root.hpp"
#include "host/systemd_control.hpp"
#include "preflight/direct_runner.hpp"
#include "settings/load.hpp"
#include "settings/trust.hpp"

namespace allocd::ctl {

namespace {

using enforcer::Request;
using enforcer::Survey;
using policy::PlanItem;
using policy::PlanReason;

bool is_default(const Places& places) {
  return places.config_file == settings::kDefaultFile &&
         places.config_directory == settings::kDefaultDirectory;
}

std::expected<settings::Settings, Answer> load(const host::Root& root, const Places& places) {
  // The file that is there by default may be absent; one that was asked for may not.
  if (places.config_file != settings::kDefaultFile) {
    if (const auto status = root.status(places.config_file); !status)
      return std::unexpected(answer_fault(status.error()));
  }
  auto loaded = settings::load_settings(root, places.config_file, places.config_directory);
  if (!loaded) return std::unexpected(answer_problems(loaded.error(), places.config_file));
  return std::move(*loaded);
}

// What the enforcer would refuse to work with, told before it is asked.
void warn_of_distrust(const host::Root& root, const settings::Settings& settings, Planned& planned) {
  auto paths = settings.files;
  if (root.exists(settings::kDefaultDirectory)) paths.emplace_back(settings::kDefaultDirectory);
  const auto untrusted = settings::check_trusted(root, paths);
  if (!untrusted || !*untrusted) return;
  planned.warnings.push_back(fmt::format("apply will refuse this configuration: {}; mend it with: {}",
                                         (*untrusted)->sentence(), (*untrusted)->next_step()));
}

// The nearest name there is a plan for.
std::string suggest(const Survey& survey, const enforcer::Manifest& manifest, Request request) {
  const auto names = std::exchange(request.units, {});
  const auto all = enforcer::decide_request(survey, manifest, request);
  if (!all) return "";
  std::vector<std::string_view> known;
  for (const auto& item : all->items) {
    known.push_back(item.target);
    known.insert(known.end(), item.units.begin(), item.units.end());
  }
  for (const auto& name : names) {
    if (std::ranges::count(known, name) > 0) continue;
    const auto nearest = base::nearest_word(name, known);
    return nearest ? fmt::format("allocctl: did you mean '{}'?\n", printable(*nearest, false)) : "";
  }
  return "";
}

bool is_loaded_as_on_disk(const host::UnitFacts& facts, const PlanItem& item) {
  if (facts.need_daemon_reload) return false;
  return std::ranges::all_of(item.owned_paths, [&](const std::string& path) {
    const bool is_drop_in = path.ends_with(host::kDropInName) && !host::is_quadlet_path(path);
    return !is_drop_in || std::ranges::count(facts.drop_in_paths, path) > 0;
  });
}

// Only for what needs no change: the others are read anew when they are written.
std::vector<std::string> find_unread(const policy::Plan& plan, const Survey& survey) {
  std::set<std::string> units;
  for (const auto& item : plan.items) {
    if (item.action != policy::Action::keep || item.service.empty()) continue;
    for (const auto& name : item.units) {
      const auto facts = survey.units.find(name);
      const bool is_here = facts != survey.units.end() && facts->second.load_state == "loaded";
      if (is_here && !is_loaded_as_on_disk(facts->second, item)) units.insert(name);
    }
  }
  return {units.begin(), units.end()};
}

std::set<std::string> find_observed(const settings::Settings& settings) {
  std::set<std::string> names;
  for (const auto& service : settings.services) {
    if (settings::effective_mode(settings, service) == settings::Mode::observe) names.insert(service.name);
  }
  return names;
}

bool was_refused_a_file(const policy::Plan& plan) {
  return std::ranges::any_of(plan.items, [](const PlanItem& item) {
    return item.reason == PlanReason::environment_unreadable || item.reason == PlanReason::unit_unreadable;
  });
}

struct Systemd {
  host::SystemdControl control;
  std::unique_ptr<enforcer::UnitWatch> watch;
};

std::expected<Systemd, Answer> connect(const Places& places) {
  host::SystemdControl control({.address = places.bus_address});
  // Without a bus the survey would wait for one; this says so at once.
  if (const auto answers = control.environment(); !answers)
    return std::unexpected(answer_fault(answers.error()));
  auto watch = enforcer::UnitWatch::open(places.bus_address);
  if (!watch) return std::unexpected(answer_fault(watch.error()));
  return Systemd{std::move(control), std::move(*watch)};
}

void read_manifest(const host::Root& root, const Places& places, Planned& planned) {
  auto manifest = enforcer::read_manifest(root, places.state_directory);
  if (manifest) {
    planned.manifest = std::move(*manifest);
  } else {
    planned.warnings.push_back(manifest.error().message());
  }
}

}  // namespace

Request make_request(const CommandLine& line) {
  Request request;
  request.verb = line.command == Command::revert ? enforcer::Verb::revert : enforcer::Verb::apply;
  for (const auto& word : line.units) request.units.push_back(to_unit_name(word));
  request.retry = line.retry;
  request.force = line.force;
  return request;
}

std::string to_unit_name(std::string_view word) {
  std::string name(word);
  return name.find('.') == std::string::npos ? name + ".service" : name;
}

std::expected<Planned, Answer> make_plan(const CommandLine& line, const Request& request) {
  const auto opened = host::Root::open();
  if (!opened) return std::unexpected(answer_fault(opened.error()));
  const auto& root = *opened;
  auto loaded = load(root, line.places);
  if (!loaded) return std::unexpected(loaded.error());
  Planned planned{.settings = std::move(*loaded), .manifest = {}, .plan = {}, .context = {}, .warnings = {}};
  read_manifest(root, line.places, planned);
  auto systemd = connect(line.places);
  if (!systemd) return std::unexpected(systemd.error());
  const auto survey = enforcer::take_survey(root, planned.settings, *systemd->watch, systemd->control,
                                            planned.manifest, request);
  if (!survey) return std::unexpected(answer_fault(survey.error()));
  auto plan = enforcer::decide_request(*survey, planned.manifest, request);
  if (!plan) {
    auto answer = answer_fault(plan.error());
    answer.err += suggest(*survey, planned.manifest, request);
    return std::unexpected(std::move(answer));
  }
  preflight::DirectRunner runner;
  preflight::Preflight preflight(root, runner, {.canary = line.places.canary});
  enforcer::check_items(*plan, *survey, preflight);
  planned.plan = std::move(*plan);
  planned.context = {.observed = find_observed(planned.settings),
                     .named = {request.units.begin(), request.units.end()},
                     .unread = find_unread(planned.plan, *survey),
                     .next_step = ""};
  if (is_default(line.places)) warn_of_distrust(root, planned.settings, planned);
  if (::geteuid() != 0 && was_refused_a_file(planned.plan))
    planned.warnings.emplace_back("not all files are open to you; sudo allocctl plan may see more");
  return planned;
}

}  // namespace allocd::ctl
