// SPDX-License-Identifier: Apache-2.0
#include "enforcer/manifest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "base/unique_fd.hpp"
#include "host/whole_file.hpp"

namespace allocd::enforcer {

namespace {

using nlohmann::json;

constexpr std::uint32_t kSchemaVersion = 1;

json to_json(const policy::FuseMemory& fuse) {
  return {{"phase", policy::kFusePhaseNames.name(fuse.phase)},
          {"invocation", fuse.invocation},
          {"restarts", fuse.restarts},
          {"up_since", fuse.up_since},
          {"unhealthy", fuse.unhealthy},
          {"asked_at", fuse.asked_at},
          {"why", fuse.why}};
}

json to_json(const UnitRecord& unit) {
  json whole = to_json(unit.fuse);
  whole["restarted_by_us"] = unit.restarted_by_us;
  whole["is_owed"] = unit.is_owed;
  return whole;
}

json to_json(const StartRecord& start) {
  json whole = to_json(start.unit);
  whole["environment"] = start.environment;
  return whole;
}

json to_json(const TargetRecord& target) {
  json units = json::object();
  for (const auto& [name, unit] : target.units) units[name] = to_json(unit);
  return {{"service", target.service},
          {"digest", target.digest},
          {"paths", target.paths},
          {"made_directories", target.made_directories},
          {"automatic", target.automatic},
          {"applied_at", target.applied_at},
          {"loaded_at", target.loaded_at},
          {"environment", target.environment},
          {"units", std::move(units)},
          {"rolled_back", target.rolled_back},
          {"rolled_back_at", target.rolled_back_at}};
}

json to_json(const LastPlan& plan) {
  return {{"at", plan.at}, {"changes", plan.changes}, {"blocked", plan.blocked}};
}

json to_json(const LastRun& run) {
  return {{"at", run.at},       {"verb", run.verb},       {"success", run.success},
          {"error", run.error}, {"changed", run.changed}, {"blocked", run.blocked}};
}

// get_to takes any number, and casts what does not fit.
template <std::unsigned_integral Number>
void read_count(const json& from, Number& out) {
  if (!from.is_number_unsigned()) throw std::invalid_argument("not a count");
  const auto value = from.get<std::uint64_t>();
  if (value > std::numeric_limits<Number>::max()) throw std::out_of_range("a count that is too large");
  out = static_cast<Number>(value);
}

// Members that came after the first version of schema_version 1; a manifest without them is older.
template <typename Value>
void read_newer(const json& from, const char* name, Value& out) {
  const auto found = from.find(name);
  if (found == from.end()) return;
  if constexpr (std::unsigned_integral<Value> && !std::same_as<Value, bool>) {
    read_count(*found, out);
  } else {
    found->get_to(out);
  }
}

UnitRecord unit_from(const json& from) {
  UnitRecord unit;
  const auto phase = policy::kFusePhaseNames.parse(from.at("phase").get<std::string>());
  if (!phase) throw std::invalid_argument("unknown phase");
  unit.fuse.phase = *phase;
  from.at("invocation").get_to(unit.fuse.invocation);
  read_count(from.at("restarts"), unit.fuse.restarts);
  from.at("up_since").get_to(unit.fuse.up_since);
  from.at("why").get_to(unit.fuse.why);
  from.at("restarted_by_us").get_to(unit.restarted_by_us);
  read_newer(from, "unhealthy", unit.fuse.unhealthy);
  read_newer(from, "asked_at", unit.fuse.asked_at);
  read_newer(from, "is_owed", unit.is_owed);
  return unit;
}

StartRecord start_from(const json& from) {
  StartRecord start;
  from.at("environment").get_to(start.environment);
  start.unit = unit_from(from);
  return start;
}

TargetRecord target_from(const json& from) {
  TargetRecord target;
  from.at("service").get_to(target.service);
  from.at("digest").get_to(target.digest);
  from.at("paths").get_to(target.paths);
  from.at("made_directories").get_to(target.made_directories);
  from.at("automatic").get_to(target.automatic);
  from.at("applied_at").get_to(target.applied_at);
  read_newer(from, "loaded_at", target.loaded_at);
  read_newer(from, "environment", target.environment);
  for (const auto& [name, unit] : from.at("units").items()) target.units[name] = unit_from(unit);
  from.at("rolled_back").get_to(target.rolled_back);
  from.at("rolled_back_at").get_to(target.rolled_back_at);
  return target;
}

LastRun run_from(const json& from) {
  LastRun run;
  from.at("at").get_to(run.at);
  from.at("verb").get_to(run.verb);
  from.at("success").get_to(run.success);
  from.at("error").get_to(run.error);
  read_count(from.at("changed"), run.changed);
  read_count(from.at("blocked"), run.blocked);
  return run;
}

Manifest manifest_from(const json& from) {
  Manifest manifest;
  for (const auto& [name, target] : from.at("targets").items()) manifest.targets[name] = target_from(target);
  if (const auto starts = from.find("starts"); starts != from.end()) {
    for (const auto& [name, start] : starts->items()) manifest.starts[name] = start_from(start);
  }
  read_newer(from, "boot", manifest.boot);
  read_count(from.at("applied_total"), manifest.applied_total);
  read_count(from.at("reverted_total"), manifest.reverted_total);
  read_count(from.at("rolled_back_total"), manifest.rolled_back_total);
  read_count(from.at("restarts_total"), manifest.restarts_total);
  manifest.reload_needed = from.value("reload_needed", false);
  from.at("automatic_runs").get_to(manifest.automatic_runs);
  if (from.contains("blocked")) from.at("blocked").get_to(manifest.blocked);
  manifest.last_run = run_from(from.at("last_run"));
  if (const auto plan = from.find("last_plan"); plan != from.end()) {
    plan->at("at").get_to(manifest.last_plan.at);
    read_count(plan->at("changes"), manifest.last_plan.changes);
    read_count(plan->at("blocked"), manifest.last_plan.blocked);
  }
  return manifest;
}

}  // namespace

std::string render_manifest(const Manifest& manifest) {
  json targets = json::object();
  for (const auto& [name, target] : manifest.targets) targets[name] = to_json(target);
  json starts = json::object();
  for (const auto& [name, start] : manifest.starts) starts[name] = to_json(start);
  const json whole = {{"schema_version", kSchemaVersion},
                      {"targets", std::move(targets)},
                      {"starts", std::move(starts)},
                      {"boot", manifest.boot},
                      {"applied_total", manifest.applied_total},
                      {"reverted_total", manifest.reverted_total},
                      {"rolled_back_total", manifest.rolled_back_total},
                      {"restarts_total", manifest.restarts_total},
                      {"reload_needed", manifest.reload_needed},
                      {"automatic_runs", manifest.automatic_runs},
                      {"blocked", manifest.blocked},
                      {"last_run", to_json(manifest.last_run)},
                      {"last_plan", to_json(manifest.last_plan)}};
  // Unit names may hold any byte.
  return whole.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

base::Result<Manifest> parse_manifest(std::string_view text) {
  try {
    const json whole = json::parse(text);
    std::uint32_t version = 0;
    read_count(whole.at("schema_version"), version);
    if (version != kSchemaVersion) {
      return base::fault("understand", "the enforcer's manifest",
                         "its schema_version is " + std::to_string(version) + ", this allocd knows " +
                             std::to_string(kSchemaVersion));
    }
    return manifest_from(whole);
  } catch (const std::exception& error) {
    return base::fault("understand", "the enforcer's manifest", error.what());
  }
}

std::string render_last_words(const Manifest& manifest) {
  json targets = json::object();
  for (const auto& [name, target] : manifest.targets) {
    if (!target.journal.empty()) targets[name] = target.journal;
  }
  // Journal lines may hold any byte.
  return targets.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

void parse_last_words(std::string_view text, Manifest& manifest) {
  try {
    const auto words = json::parse(text).get<std::map<std::string, std::vector<std::string>>>();
    for (auto& [name, target] : manifest.targets) {
      if (const auto found = words.find(name); found != words.end()) target.journal = found->second;
    }
  } catch (const json::exception&) {
    return;  // they only illustrate
  }
}

base::Result<Manifest> read_manifest(const host::Root& root, const std::string& directory) {
  const auto text = root.read_file(directory + "/" + kManifestName);
  if (!text && text.error().code == ENOENT) return Manifest{};
  if (!text) return std::unexpected(text.error());
  auto manifest = parse_manifest(*text);
  const auto words = root.read_file(directory + "/" + kLastWordsName);
  if (manifest && words) parse_last_words(*words, *manifest);
  return manifest;
}

base::Result<Manifest> take_manifest(const host::Root& root, const std::string& directory,
                                     std::string& moved_to) {
  auto manifest = read_manifest(root, directory);
  if (manifest || manifest.error().code != 0) return manifest;
  const auto now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const std::string aside = std::string(kManifestName) + ".bad-" + std::to_string(now);
  const auto handle = root.open_directory(directory);
  if (!handle) return std::unexpected(handle.error());
  if (::renameat(handle->get(), kManifestName, handle->get(), aside.c_str()) != 0)
    return base::fault_from_errno("move aside", directory + "/" + kManifestName, errno);
  moved_to = directory + "/" + aside;
  return Manifest{};
}

base::Result<void> write_manifest(const host::Root& root, const std::string& directory,
                                  const Manifest& manifest) {
  auto words = render_last_words(manifest);
  const auto before = root.read_file(directory + "/" + kLastWordsName);
  const bool is_same = before ? *before == words : words == render_last_words({});
  if (!is_same) {
    auto written = host::write_whole_file(root, directory, kLastWordsName, words, 0600);
    if (!written) return written;
  }
  return host::write_whole_file(root, directory, kManifestName, render_manifest(manifest), 0644);
}

}  // namespace allocd::enforcer
