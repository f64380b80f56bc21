// SPDX-License-Identifier: Apache-2.0
#include "unitfile/environment.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "unitfile/environment_file.hpp"
#include "unitfile/environment_lists.hpp"
#include "unitfile/utf8.hpp"

namespace allocd::unitfile {

namespace {

struct NameAndValue {
  std::string_view name;
  std::string_view value;
  bool has_value = false;
};

NameAndValue split_assignment(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return {.name = text};
  return {.name = text.substr(0, equals), .value = text.substr(equals + 1), .has_value = true};
}

EnvironmentFilePath file_path_of(const ListEntry& entry) {
  const bool ignore_missing = entry.text.starts_with('-');
  return {.path = entry.text.substr(ignore_missing ? 1 : 0),
          .ignore_missing = ignore_missing,
          .named_in = entry.place.path,
          .line = entry.place.line};
}

class Computation {
 public:
  explicit Computation(const UnitSources& sources)
      : sources_(sources), lists_(list_environment_settings(sources.files, sources.specifiers)) {
    out_.can_start = lists_.can_load;
    out_.doubts = sources.doubts;
    for (auto& doubt : lists_.doubts) out_.doubts.push_back(std::move(doubt));
  }

  Environment run() {
    for (const auto& text : sources_.manager_environment) add_manager(text);
    for (const auto& entry : lists_.pass) add_passed(entry);
    for (const auto& entry : lists_.environment) {
      const auto [name, value, has_value] = split_assignment(entry.text);
      add(name, contribution(Origin::environment, entry, value));
    }
    for (const auto& entry : lists_.files) {
      if (!entry.reset_by) add_files(entry);
    }
    for (const auto& entry : lists_.unset) {
      const auto [name, value, has_value] = split_assignment(entry.text);
      auto removal = contribution(Origin::unset_environment, entry, value);
      removal.only_if_equal = has_value;
      add(name, std::move(removal));
    }
    for (auto& [name, variable] : out_.variables) decide(variable);
    return std::move(out_);
  }

 private:
  static Contribution contribution(Origin origin, const ListEntry& entry, std::string_view value) {
    Contribution out{.origin = origin, .path = entry.place.path, .line = entry.place.line, .value = {}};
    out.value = value;
    out.is_resolved = entry.is_resolved;
    out.reset_by = entry.reset_by;
    return out;
  }

  void add(std::string_view name, Contribution contribution) {
    out_.variables[std::string(name)].contributions.push_back(std::move(contribution));
  }

  void add_manager(std::string_view text) {
    const auto [name, value, has_value] = split_assignment(text);
    if (!has_value || !is_variable_name(name) || !is_valid_utf8(value)) return;
    const auto found = sources_.manager_places.find(std::string(text));
    const Place place = found == sources_.manager_places.end() ? Place{} : found->second;
    add(name,
        {.origin = Origin::manager, .path = place.path, .line = place.line, .value = std::string(value)});
  }

  void add_passed(const ListEntry& entry) {
    if (!sources_.process_one_environment) {
      if (entry.reset_by) return;
      return doubt(entry.place,
                   fmt::format("whether systemd itself has {} to pass is not known here", entry.text));
    }
    for (const auto& text : *sources_.process_one_environment) {
      const auto [name, value, has_value] = split_assignment(text);
      if (!has_value || name != entry.text || !is_valid_utf8(value)) continue;
      return add(name, contribution(Origin::pass_environment, entry, value));  // getenv(3) takes the first
    }
  }

  void add_files(const ListEntry& entry) {
    const auto wanted = file_path_of(entry);
    const auto found = sources_.environment_files.find(wanted.path);
    if (!entry.is_resolved) return;  // a doubt says so already
    if (found == sources_.environment_files.end()) {
      return doubt(entry.place, fmt::format("{} was not read", wanted.path));
    }
    const auto& [outcome, files, cause] = found->second;
    if (outcome == EnvironmentFileText::Outcome::unreadable) {
      doubt(entry.place, fmt::format("what {} sets is not known here: {}", wanted.path, cause));
    }
    if (outcome == EnvironmentFileText::Outcome::absent && !wanted.ignore_missing) {
      doubt(entry.place, fmt::format("there is no file {}; systemd does not start the unit", wanted.path));
      out_.can_start = false;
    }
    for (const auto& file : files) add_file(entry, file, wanted.ignore_missing);
  }

  void add_file(const ListEntry& entry, const SourceText& file, bool ignore_missing) {
    const auto content = parse(file);
    for (const auto& problem : content.problems) doubt({file.path, problem.line}, problem.what);
    if (!content.refusal.empty()) {
      doubt(entry.place, fmt::format("systemd cannot read {} ({}) and {}", file.path, content.refusal,
                                     ignore_missing ? "skips it" : "does not start the unit"));
      if (!ignore_missing) out_.can_start = false;
    }
    for (const auto& [name, value, line] : content.assignments) {
      add(name, {.origin = Origin::environment_file, .path = file.path, .line = line, .value = value});
    }
  }

  EnvironmentFileContent parse(const SourceText& file) {
    constexpr unsigned kNewCommentRule = 254;
    if (sources_.systemd_version != 0 && sources_.systemd_version < kNewCommentRule) {
      return parse_environment_file(file.text, CommentRule::continues);
    }
    auto content = parse_environment_file(file.text);
    if (sources_.systemd_version == 0 &&
        content != parse_environment_file(file.text, CommentRule::continues)) {
      doubt({file.path, 1},
            "a comment ends with a backslash: systemd before 254 takes the next line as part of it");
    }
    return content;
  }

  static void decide(Variable& variable) {
    Contribution* setter = nullptr;
    for (auto& each : variable.contributions) {
      if (!each.reset_by && each.origin != Origin::unset_environment) setter = &each;
    }
    if (setter == nullptr) return;
    variable.value = setter->value;
    for (auto& each : variable.contributions) {
      const bool removes = !each.reset_by && each.origin == Origin::unset_environment &&
                           (!each.only_if_equal || each.value == variable.value);
      if (!removes) continue;
      variable.value.clear();
      each.wins = true;
      return;
    }
    variable.is_set = true;
    setter->wins = true;
  }

  void doubt(const Place& place, std::string_view why) { out_.doubts.push_back(render_doubt(place, why)); }

  const UnitSources& sources_;
  EnvironmentLists lists_;
  Environment out_;
};

}  // namespace

std::vector<EnvironmentFilePath> list_environment_files(const UnitSources& sources) {
  const auto lists = list_environment_settings(sources.files, sources.specifiers);
  std::vector<EnvironmentFilePath> paths;
  for (const auto& entry : lists.files) {
    if (!entry.reset_by && entry.is_resolved) paths.push_back(file_path_of(entry));
  }
  return paths;
}

Environment compute_environment(const UnitSources& sources) {
  return Computation(sources).run();
}

}  // namespace allocd::unitfile
