// SPDX-License-Identifier: Apache-2.0
#include "observer/enforcement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "enforcer/manifest.hpp"
#include "host/drop_in.hpp"
#include "host/touch_file.hpp"

namespace allocd::observer {

namespace {

using std::chrono::milliseconds;

// A drop-in and the file beside it come in one go, and the enforcer's manifest soon after them.
constexpr milliseconds kDebounce{250};

// Where directories of drop-ins come and go.
bool is_unit_directory(const std::string& directory) {
  return directory == host::kSystemUnits || directory == host::kRuntimeUnits ||
         directory == host::kSystemQuadlets || directory == host::kRuntimeQuadlets;
}

// One problem for one message, however long it lasts.
void log_once(host::Journal& journal, const std::string& before, const std::string& now) {
  if (!now.empty() && now != before) journal.log(host::Priority::warning, "", now + ".", {});
}

}  // namespace

Enforcement::Enforcement(sd_event* loop, const host::Root& root, host::Journal& journal, Options options,
                         std::function<void()> on_files_changed)
    : root_(root),
      journal_(journal),
      options_(std::move(options)),
      watch_(loop, root, [this](const auto& change) { on_change(change); }) {
  // Without a timer there is still every sample.
  static_cast<void>(debounce_.open(loop, std::move(on_files_changed)));
  static_cast<void>(retry_.open(loop, [this] { decide(); }));
}

void Enforcement::watch(const std::set<std::string>& directories) {
  std::set<std::string> all = directories;
  if (!directories.empty()) {
    for (const auto units : {host::kSystemUnits, host::kRuntimeUnits}) all.emplace(units);
    all.insert(options_.manifest_directory);
  }
  const std::string before = watch_.problem();
  watch_.watch(all);
  log_once(journal_, before, watch_.problem());
}

void Enforcement::on_change(const host::DirectoryWatch::Change& change) {
  const bool is_other_unit = is_unit_directory(change.directory) && !change.name.ends_with(".d");
  const bool is_manifest = change.directory == options_.manifest_directory;
  const bool is_other_file = is_manifest && !change.name.empty() && change.name != enforcer::kManifestName;
  // Temporary files, ours and others'.
  if (is_other_unit || is_other_file || change.name.starts_with('.')) return;
  debounce_.arm_if_idle(kDebounce);
}

void Enforcement::consider(const snapshot::Snapshot& snapshot, const settings::Settings& settings,
                           const GroundsByUnit& grounds) {
  wishes_ = list_wishes(snapshot, settings, grounds, std::chrono::system_clock::now());
  decide();
}

void Enforcement::decide() {
  const auto now = EnforcementTrigger::Time::clock::now();
  if (trigger_.decide(wishes_, now)) {
    const auto touched = host::apply_touch(root_, options_.look_now);
    const std::string problem = touched ? "" : touched.error().message();
    log_once(journal_, touch_problem_, problem);
    touch_problem_ = problem;
  }
  if (const auto next = trigger_.next()) {
    const auto wait = std::chrono::ceil<milliseconds>(*next - now);
    retry_.arm(std::max(wait, milliseconds(0)));
  } else {
    retry_.disarm();
  }
}

std::string Enforcement::problem() const {
  return watch_.problem().empty() ? touch_problem_ : watch_.problem();
}

}  // namespace allocd::observer
