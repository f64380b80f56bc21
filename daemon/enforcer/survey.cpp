// SPDX-License-Identifier: Apache-2.0
#include "enforcer/survey.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "enforcer/digest.hpp"
#include "enforcer/quadlet.hpp"
#include "host/drop_in.hpp"
#include "host/owned_file.hpp"
#include "policy/selection.hpp"
#include "preflight/program.hpp"
#include "unitfile/read.hpp"

namespace allocd::enforcer {

namespace {

using host::UnitFacts;
using settings::Wanted;

policy::ProgramKind to_plan_kind(preflight::ProgramKind kind) {
  switch (kind) {
    case preflight::ProgramKind::dynamic_glibc:
      return policy::ProgramKind::dynamic_glibc;
    case preflight::ProgramKind::dynamic_musl:
      return policy::ProgramKind::dynamic_musl;
    case preflight::ProgramKind::static_elf:
      return policy::ProgramKind::static_program;
    default:
      return policy::ProgramKind::unknown;
  }
}

// The target under which the fuse may have taken this unit's drop-in back.
const TargetRecord* find_latch(const Manifest& manifest, const UnitFacts& facts) {
  std::vector<std::string> owners{facts.name};
  if (auto whole = host::template_of(facts.name)) owners.push_back(*whole);
  if (auto quadlet = host::quadlet_of(facts.source_path)) owners.push_back(*quadlet);
  for (const auto& owner : owners) {
    const auto found = manifest.targets.find(owner);
    if (found != manifest.targets.end() && !found->second.rolled_back.empty()) return &found->second;
  }
  return nullptr;
}

void read_program_of(const host::Root& root, const UnitFacts& facts, policy::UnitInput& input) {
  if (facts.exec_start.empty() || facts.exec_start[0].empty()) return;
  const auto program = preflight::read_program(root, facts.exec_start[0][0], facts.root_directory);
  input.program = to_plan_kind(program.kind);
  // NoNewPrivileges= keeps setuid from taking effect. File capabilities it only keeps from being gained: to
  // the dynamic linker the execution is secure all the same (cap_bprm_creds_from_file in
  // security/commoncap.c).
  input.is_secure_execution =
      program.has_file_capabilities || (program.is_setuid && !facts.no_new_privileges);
}

// Whether BindPaths= or BindReadOnlyPaths= shows the host's own file at its own place.
bool is_bound(const UnitFacts& facts, const std::string& path) {
  return std::ranges::any_of(facts.bind_paths, [&](const host::BindPath& bind) {
    const bool is_within =
        path == bind.destination || path.starts_with(bind.destination == "/" ? "/" : bind.destination + "/");
    return is_within && bind.source == bind.destination;
  });
}

// The library of a service with a root of its own, and all that is preloaded behind it.
bool are_bound(const UnitFacts& facts, const settings::Service& service, const FoundLibrary& library) {
  const bool is_inside = library.in_root && facts.root_image.empty();
  return !is_inside && is_bound(facts, library.path) &&
         std::ranges::all_of(service.extra_preload,
                             [&](const std::string& path) { return is_bound(facts, path); });
}

class Surveyor {
 public:
  Surveyor(const host::Root& root, const Manifest& manifest, const Request& request, Survey& survey)
      : root_(root), manifest_(manifest), request_(request), survey_(survey) {}

  void add(const UnitFacts& facts, const unitfile::Machine& machine) {
    policy::UnitInput input;
    input.name = facts.name;
    input.service = policy::find_service(*survey_.settings, facts.name);
    input.load_state = facts.load_state;
    input.fragment_path = facts.fragment_path;
    input.source_path = facts.source_path;
    input.exec_start = facts.exec_start;
    input.root_directory = facts.root_directory;
    input.root_image = facts.root_image;
    input.on_disk = owned_files_of(facts);
    if (input.service != nullptr && input.service->allocator != Wanted::any)
      add_wanted(facts, machine, input);
    survey_.inputs.push_back(std::move(input));
  }

 private:
  std::vector<policy::OwnedFile> owned_files_of(const UnitFacts& facts) const {
    const auto paths = host::owned_paths_of(facts.name, facts.source_path);
    std::vector<policy::OwnedFile> files;
    std::ranges::copy_if(survey_.owned, std::back_inserter(files), [&](const policy::OwnedFile& file) {
      return std::ranges::count(paths, file.path) > 0;
    });
    return files;
  }

  void add_wanted(const UnitFacts& facts, const unitfile::Machine& machine, policy::UnitInput& input) {
    const auto& service = *input.service;
    input.persist = settings::effective_persist(*survey_.settings, service);
    input.covers_template = policy::covers_template(*survey_.settings, service, facts.name);
    input.sources =
        unitfile::read_sources(root_, facts.name, facts.fragment_path, facts.drop_in_paths, machine);
    input.quadlet = read_quadlet(root_, facts);
    read_program_of(root_, facts, input);
    std::string identity;
    if (service.allocator != Wanted::glibc) {
      const auto& library = library_of(service, facts.root_directory);
      input.library = library.path;
      input.library_problem = library.problem;
      input.library_is_unfit = library.is_unfit;
      input.library_in_root = library.in_root;
      input.library_is_bound = are_bound(facts, service, library);
      identity = library.identity;
    }
    survey_.digests[facts.name] = digest_of(service, identity);
    input.rolled_back = latch_of(facts);
  }

  const FoundLibrary& library_of(const settings::Service& service, const std::string& root_directory) {
    const auto [at, is_new] = libraries_.try_emplace({service.name, root_directory});
    if (is_new) at->second = find_library_of(root_, service, root_directory);
    return at->second;
  }

  std::string latch_of(const UnitFacts& facts) const {
    const auto* record = find_latch(manifest_, facts);
    if (record == nullptr || record->digest != survey_.digests[facts.name]) return "";
    const bool is_named = std::ranges::count(request_.units, facts.name) > 0;
    // A revert by hand is undone by hand; what the fuse took back wants to be asked for by name.
    if (request_.verb == Verb::apply && record->rolled_back == kRevertedByHand && is_named) return "";
    return request_.retry && (is_named || request_.units.empty()) ? "" : record->rolled_back;
  }

  const host::Root& root_;
  const Manifest& manifest_;
  const Request& request_;
  Survey& survey_;
  std::map<std::pair<std::string, std::string>, FoundLibrary> libraries_;
};

// Units whose drop-in of ours lies on disk though no policy selects them any more.
std::vector<std::string> names_of_owned(const std::vector<policy::OwnedFile>& owned) {
  std::set<std::string> names;
  for (const auto& file : owned) {
    const std::string owner = host::owner_of(file.path);
    if (owner.ends_with(".service") && !owner.contains("@.")) names.insert(owner);
  }
  return {names.begin(), names.end()};
}

// A template of which no instance is loaded, or a quadlet, is nobody's unit: a stand-in says what lies there.
void add_stand_ins(Survey& survey) {
  std::set<std::string> seen;
  for (const auto& input : survey.inputs) {
    for (const auto& file : input.on_disk) seen.insert(file.path);
  }
  std::map<std::string, policy::UnitInput> stand_ins;
  for (const auto& file : survey.owned) {
    if (seen.contains(file.path)) continue;
    auto& input = stand_ins[host::owner_of(file.path)];
    input.name = host::owner_of(file.path);
    input.on_disk.push_back(file);
  }
  for (auto& [name, input] : stand_ins) survey.inputs.push_back(std::move(input));
}

}  // namespace

std::vector<policy::OwnedFile> read_owned_files(const host::Root& root, uid_t owner) {
  std::vector<policy::OwnedFile> files;
  for (const auto units :
       {host::kSystemUnits, host::kRuntimeUnits, host::kSystemQuadlets, host::kRuntimeQuadlets}) {
    const auto names = root.list_directory(units);
    if (!names) continue;
    for (const auto& directory : *names) {
      if (!directory.ends_with(".d")) continue;
      for (const auto name : {host::kDropInName, host::kEnvironmentFileName}) {
        const std::string path = fmt::format("{}/{}/{}", units, directory, name);
        const auto state = host::read_state(root, path);
        if (!state || state->kind == host::FileState::Kind::absent) continue;
        files.push_back({path,
                         state->kind == host::FileState::Kind::regular && state->owner == owner &&
                             state->directory_owner == owner && state->is_readable,
                         state->text});
      }
    }
  }
  return files;
}

base::Result<Survey> take_survey(const host::Root& root, const settings::Settings& settings, UnitWatch& watch,
                                 host::SystemdControl& control, const Manifest& manifest,
                                 const Request& request) {
  Survey survey;
  survey.settings = &settings;
  survey.owned = read_owned_files(root);
  auto selection = policy::select_units(settings);
  for (auto& name : names_of_owned(survey.owned)) selection.names.push_back(std::move(name));
  if (auto read = watch.read(selection, kReadLimit); !read) return std::unexpected(read.error());
  const auto environment = control.environment();
  if (!environment) return std::unexpected(environment.error());
  survey.units = watch.units();
  Surveyor surveyor(root, manifest, request, survey);
  const auto machine = unitfile::read_machine(root, *environment, control.version().value_or(""));
  for (const auto& [name, facts] : survey.units) surveyor.add(facts, machine);
  add_stand_ins(survey);
  return survey;
}

}  // namespace allocd::enforcer
