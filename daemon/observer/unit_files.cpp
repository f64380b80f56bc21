// SPDX-License-Identifier: Apache-2.0
#include "observer/unit_files.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "enforcer/quadlet.hpp"
#include "host/drop_in.hpp"
#include "host/system_directories.hpp"
#include "policy/candidate.hpp"
#include "policy/desired.hpp"
#include "policy/preload.hpp"
#include "unitfile/checksum.hpp"
#include "unitfile/read.hpp"

namespace allocd::observer {

namespace {

using unitfile::EnvironmentFileText;
using unitfile::Origin;

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

std::int64_t to_nanoseconds(const timespec& time) {
  return (std::int64_t{time.tv_sec} * 1'000'000'000) + time.tv_nsec;
}

snapshot::Variable to_shown(std::string_view name, const unitfile::Variable& variable) {
  snapshot::Variable shown{std::string(name), variable.value, variable.is_set, {}};
  for (const auto& each : variable.contributions)
    shown.contributions.push_back(
        {each.origin, each.path, each.line, each.value, each.wins, each.reset_by.has_value()});
  return shown;
}

// Made of places and names alone: a line of a file may hold a secret.
std::vector<std::string> list_doubts(const unitfile::UnitSources& sources,
                                     const unitfile::Environment& environment) {
  std::vector<std::string> doubts = sources.doubts;  // files that cannot be read, and why
  for (const auto& file : unitfile::list_environment_files(sources)) {
    const auto found = sources.environment_files.find(file.path);
    if (found == sources.environment_files.end()) continue;
    const auto place = fmt::format("{}:{}: ", file.named_in, file.line);
    if (found->second.outcome == EnvironmentFileText::Outcome::unreadable)
      doubts.push_back(place + fmt::format("what {} sets is not known: {}", file.path, found->second.cause));
    if (found->second.outcome == EnvironmentFileText::Outcome::absent && !file.ignore_missing)
      doubts.push_back(place +
                       fmt::format("there is no file {}; systemd does not start the unit", file.path));
  }
  for (const auto name : policy::kVariables) {
    const auto found = environment.variables.find(std::string(name));
    if (found == environment.variables.end()) continue;
    for (const auto& each : found->second.contributions) {
      if (!each.is_resolved)
        doubts.push_back(
            fmt::format("{}:{}: {} has a specifier that is not known here", each.path, each.line, name));
    }
  }
  if (!environment.can_start) doubts.emplace_back("as its files are, systemd does not start the unit");
  for (auto& doubt : doubts) doubt = base::escape_for_terminal(doubt);
  return doubts;
}

snapshot::Environment to_environment(const unitfile::UnitSources& sources,
                                     const unitfile::Environment& environment) {
  snapshot::Environment shown;
  shown.known = true;
  for (const auto name : policy::kVariables) {
    const auto found = environment.variables.find(std::string(name));
    if (found != environment.variables.end()) shown.variables.push_back(to_shown(name, found->second));
  }
  shown.doubts = list_doubts(sources, environment);
  return shown;
}

// Files after the last one that sets the preload: each would win over it.
std::vector<std::string> list_unread(const unitfile::UnitSources& sources,
                                     const unitfile::Variable& preload) {
  std::vector<std::string> unread;
  for (const auto& file : unitfile::list_environment_files(sources)) {
    const auto found = sources.environment_files.find(file.path);
    if (found == sources.environment_files.end()) continue;
    const bool sets_it = std::ranges::any_of(found->second.files, [&](const unitfile::SourceText& text) {
      return std::ranges::any_of(preload.contributions, [&](const auto& each) {
        return each.origin == Origin::environment_file && each.path == text.path;
      });
    });
    if (sets_it) unread.clear();
    if (found->second.outcome == EnvironmentFileText::Outcome::unreadable) unread.push_back(file.path);
  }
  return unread;
}

// Whether what was read is what systemd has: a unit file we may not read can name files that it knows of.
bool is_whole(const unitfile::UnitSources& sources, const host::UnitFacts& facts) {
  const auto files = unitfile::list_environment_files(sources);
  return std::ranges::all_of(facts.environment_files, [&](const host::EnvironmentFile& loaded) {
    return std::ranges::count(files, loaded.path, &unitfile::EnvironmentFilePath::path) > 0;
  });
}

// Of the three variables alone.
unitfile::Environment keep_shown(unitfile::Environment environment) {
  std::erase_if(environment.variables, [](const auto& entry) {
    return std::ranges::find(policy::kVariables, entry.first) == policy::kVariables.end();
  });
  return environment;
}

policy::PreloadSources to_preload_sources(const unitfile::UnitSources& sources,
                                          const unitfile::Environment& environment,
                                          const unitfile::Variable& preload) {
  auto others = keep_shown(environment).variables;
  others.erase(std::string(policy::kPreloadVariable));
  return {.variable = preload,
          .unread = list_unread(sources, preload),
          .others = std::move(others),
          .own = keep_shown(unitfile::compute_environment(policy::without_owned(sources)))};
}

const unitfile::Contribution* find_winner(const unitfile::Variable& variable) {
  const auto found = std::ranges::find(variable.contributions, true, &unitfile::Contribution::wins);
  return found == variable.contributions.end() ? nullptr : &*found;
}

// The path of the program below RootDirectory=.
std::string program_of(const host::UnitFacts& facts) {
  if (facts.exec_start.empty() || facts.exec_start.front().empty()) return "";
  const bool has_root = !facts.root_directory.empty() && facts.root_directory != "/";
  return (has_root ? facts.root_directory : "") + facts.exec_start.front().front();
}

// Of texts, not of times: a generator writes its files anew with each daemon-reload. An environment file may
// be made anew with each start; what counts of it is what it sets.
std::string digest_texts(const unitfile::UnitSources& sources) {
  std::string all;
  for (const auto& file : sources.files)
    all += fmt::format("{} {}\n{}", file.path, file.text.size(), file.text);
  return unitfile::sha256_hex(all);
}

// Every file whose change matters.
std::vector<std::string> list_paths(const unitfile::UnitSources& sources, const host::UnitFacts& facts) {
  std::vector<std::string> paths = host::owned_paths_of(facts.name, facts.source_path);
  if (auto program = program_of(facts); !program.empty()) paths.push_back(std::move(program));
  for (const auto& file : sources.files) paths.push_back(file.path);
  for (const auto& [path, text] : sources.environment_files) {
    paths.push_back(path);
    for (const auto& file : text.files) paths.push_back(file.path);
    // A pattern: what it matches changes with its directory.
    paths.push_back(directory_of(path.substr(0, path.find_first_of("*?["))));
  }
  std::erase(paths, "");
  std::ranges::sort(paths);
  paths.erase(std::ranges::unique(paths).begin(), paths.end());
  return paths;
}

// PrivateTmp= gives the observer a /tmp of its own: what is not there is not known to be absent.
void doubt_temporary_files(unitfile::UnitSources& sources) {
  namespace directories = host::system_directories;
  for (auto& [path, text] : sources.environment_files) {
    const bool is_temporary = path.starts_with(std::string(directories::kTemporary) + "/") ||
                              path.starts_with(std::string(directories::kLargeTemporary) + "/");
    if (!is_temporary || text.outcome != EnvironmentFileText::Outcome::absent) continue;
    text.outcome = EnvironmentFileText::Outcome::unreadable;
    text.cause = "the observer does not see the host's temporary files";
  }
}

// Whether podman's generator has read our drop-in: the client is told to set what it sets.
bool is_in_command(const snapshot::DropIn& drop_in, const unitfile::Environment& environment,
                   const host::UnitFacts& facts) {
  const auto told = policy::list_container_environment(facts.exec_start);
  bool is_told = false;
  for (const auto& [name, variable] : environment.variables) {
    for (const auto& each : variable.contributions) {
      if (each.path != drop_in.path || !each.wins) continue;
      if (std::ranges::count(told, fmt::format("{}={}", name, each.value)) == 0) return false;
      is_told = true;
    }
  }
  return is_told;
}

unitfile::Variable find_before(const policy::PreloadSources& before, const std::string& name) {
  if (name == policy::kPreloadVariable) return before.variable;
  const auto found = before.others.find(name);
  return found == before.others.end() ? unitfile::Variable{} : found->second;
}

}  // namespace

const UnitFilesView& UnitFiles::look(const host::UnitFacts& facts, const unitfile::Machine& machine,
                                     double now) {
  Known& known = units_[facts.name];
  auto key = key_of(facts, machine);
  const bool is_same = !known.is_first && known.generation == generation_ && known.key == key;
  if (is_same && is_current(known.stamps)) return known.view;
  known.key = std::move(key);
  known.generation = generation_;
  read(facts, machine, now, known);
  return known.view;
}

void UnitFiles::forget_unless(const std::function<bool(const std::string&)>& is_watched) {
  const auto is_gone = [&](const auto& entry) { return !is_watched(entry.first); };
  if (std::erase_if(units_, is_gone) == 0) return;
  std::erase_if(directories_of_, is_gone);
  index_directories();
}

UnitFiles::Key UnitFiles::key_of(const host::UnitFacts& facts, const unitfile::Machine& machine) {
  Key key{{facts.fragment_path, facts.source_path, facts.root_directory},
          facts.drop_in_paths,
          machine.manager_environment,
          {}};
  for (const auto& file : facts.environment_files) key.back().push_back(file.path);
  if (!facts.exec_start.empty()) key.push_back(facts.exec_start.front());
  for (const auto& [specifier, value] : machine.specifiers) key.push_back({{specifier}, value});
  for (const auto& [text, place] : machine.manager_places)
    key.push_back({text, fmt::format("{}:{}", place.path, place.line)});
  key.push_back({fmt::format("{}", machine.systemd_version)});
  return key;
}

UnitFiles::Stamp UnitFiles::stamp(const std::string& path) const {
  const auto status = root_.status(path);
  if (!status) return {.error = status.error().code == 0 ? -1 : status.error().code};
  return {.error = 0,
          .inode = status->st_ino,
          .size = status->st_size,
          .modified = to_nanoseconds(status->st_mtim),
          .changed = to_nanoseconds(status->st_ctim)};
}

UnitFiles::Stamps UnitFiles::stamp_all(const std::vector<std::string>& paths) const {
  Stamps stamps;
  for (const auto& path : paths) stamps.emplace_back(path, stamp(path));
  return stamps;
}

bool UnitFiles::is_current(const Stamps& stamps) const {
  return std::ranges::all_of(stamps, [&](const auto& entry) { return stamp(entry.first) == entry.second; });
}

// Stamps are taken between two reads: what changes after them is seen by the next look.
void UnitFiles::read(const host::UnitFacts& facts, const unitfile::Machine& machine, double now,
                     Known& known) {
  ++reads_;
  const auto read_sources = [&] {
    auto sources =
        unitfile::read_sources(root_, facts.name, facts.fragment_path, facts.drop_in_paths, machine);
    doubt_temporary_files(sources);
    return sources;
  };
  auto paths = list_paths(read_sources(), facts);
  for (auto& file : enforcer::read_quadlet(root_, facts)) paths.push_back(std::move(file.path));
  known.stamps = stamp_all(paths);
  const auto unit_sources = read_sources();
  const auto quadlet = enforcer::read_quadlet(root_, facts);
  const bool is_quadlet = !quadlet.empty();
  const auto sources = is_quadlet ? policy::quadlet_sources(quadlet, unit_sources.specifiers) : unit_sources;
  const auto environment = unitfile::compute_environment(sources);
  const auto found = environment.variables.find(std::string(policy::kPreloadVariable));
  const unitfile::Variable preload =
      found == environment.variables.end() ? unitfile::Variable{} : found->second;

  UnitFilesView& view = known.view;
  for (const auto name : policy::kVariables)
    note_change(environment, std::string(name), now, known.is_first, view);
  view.preload.reset();
  if (is_quadlet || is_whole(sources, facts))
    view.preload = to_preload_sources(sources, environment, preload);
  view.environment = to_environment(sources, environment);
  view.drop_in = read_drop_in(root_, facts);
  view.is_quadlet = is_quadlet;
  if (is_quadlet) view.drop_in.loaded = is_in_command(view.drop_in, environment, facts);
  view.starts_script = read_starts_script(root_, facts);
  const Stamp program = stamp(program_of(facts));
  view.digest = fmt::format("{} {} {} {} {} {}", digest_texts(unit_sources) + digest_texts(sources),
                            program.error, program.inode, program.size, program.modified, program.changed);
  known.is_first = false;

  std::set<std::string> directories;
  for (const auto& path : host::owned_paths_of(facts.name, facts.source_path))
    directories.insert(directory_of(path));
  if (auto& before = directories_of_[facts.name]; before != directories) {
    before = std::move(directories);
    index_directories();
  }
}

// When a variable came to what it is, where systemd need not read its own files for that.
void UnitFiles::note_change(const unitfile::Environment& environment, const std::string& name, double now,
                            bool is_first, UnitFilesView& view) const {
  const auto found = environment.variables.find(name);
  const unitfile::Variable variable =
      found == environment.variables.end() ? unitfile::Variable{} : found->second;
  bool is_changed = false;
  if (view.preload) {
    const auto before = find_before(*view.preload, name);
    is_changed = before.value != variable.value || before.is_set != variable.is_set;
  }
  const auto* winner = find_winner(variable);
  if (winner != nullptr && winner->origin == Origin::environment_file && (is_first || is_changed)) {
    const auto at = stamp(winner->path);
    view.changed_at =
        std::max(view.changed_at, static_cast<double>(std::max(at.modified, at.changed)) * 1e-9);
  } else if (is_changed) {
    view.changed_at = now;
  }
}

void UnitFiles::index_directories() {
  directories_.clear();
  for (const auto& [unit, directories] : directories_of_)
    directories_.insert(directories.begin(), directories.end());
}

}  // namespace allocd::observer
