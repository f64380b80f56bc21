// SPDX-License-Identifier: Apache-2.0
#include "unitfile/environment_lists.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "unitfile/environment_file.hpp"
#include "unitfile/path_text.hpp"
#include "unitfile/unit_text.hpp"
#include "unitfile/utf8.hpp"
#include "unitfile/words.hpp"

namespace allocd::unitfile {

namespace {

bool is_assignment(std::string_view text) {
  const auto equals = text.find('=');
  return equals != std::string_view::npos && is_variable_name(text.substr(0, equals)) && is_valid_utf8(text);
}
bool is_name_or_assignment(std::string_view text) {
  return is_variable_name(text) || is_assignment(text);
}

class Gatherer {
 public:
  explicit Gatherer(const Specifiers& specifiers) : specifiers_(specifiers) {}

  void take_file(const SourceText& file, bool is_fragment) {
    const UnitText text = parse_unit_text(file.text);
    for (const auto& problem : text.problems) doubt({file.path, problem.line}, problem.what);
    // systemd loads a unit whose drop-in it could not read to the end, but not one whose own file it could
    // not.
    if (is_fragment && !text.is_whole) out_.can_load = false;
    for (const auto& assignment : text.assignments) {
      if (assignment.section == "Service") take({file.path, assignment.line}, assignment);
    }
  }

  EnvironmentLists finish() { return std::move(out_); }

 private:
  using IsValid = bool (*)(std::string_view);

  void take(const Place& place, const Assignment& assignment) {
    const auto& [section, key, value, line] = assignment;
    if (key == "Environment") {
      take_words(out_.environment, place, value, Escapes::c_style, is_assignment);
    } else if (key == "PassEnvironment") {
      take_words(out_.pass, place, value, Escapes::literal, is_variable_name);
    } else if (key == "UnsetEnvironment") {
      take_words(out_.unset, place, value, Escapes::c_style, is_name_or_assignment);
    } else if (key == "EnvironmentFile") {
      take_path(place, value);
    } else if (key == "PAMName" && !value.empty()) {
      doubt(place, "PAM modules may set variables too");
    }
  }

  static void reset(std::vector<ListEntry>& list, const Place& place) {
    for (auto& entry : list) {
      if (!entry.reset_by) entry.reset_by = place;
    }
  }

  void take_words(std::vector<ListEntry>& list, const Place& place, std::string_view value, Escapes escapes,
                  IsValid is_valid) {
    if (value.empty()) return reset(list, place);
    Words words(value, escapes);
    std::string word;
    for (;;) {
      const auto step = words.next(word);
      if (step == Words::Step::end) return;
      if (step == Words::Step::malformed) {
        return doubt(place,
                     "bad quotes or an unknown escape; systemd skips from there to the end of the line");
      }
      const auto expanded = expand(place, word);
      if (!expanded) continue;
      if (!is_valid(expanded->text)) {
        doubt(place, fmt::format("skipped, not valid: {}", expanded->text));
      } else {
        list.push_back(
            {expanded->text, place, std::nullopt, expanded->outcome == Expansion::Outcome::expanded});
      }
    }
  }

  void take_path(const Place& place, std::string_view value) {
    if (value.empty()) return reset(out_.files, place);
    const auto expanded = expand(place, value);
    if (!expanded) return;
    std::string_view path = expanded->text;
    const bool ignore_missing = path.starts_with('-');
    if (ignore_missing) path.remove_prefix(1);
    const auto simple = is_valid_utf8(path) ? simplify_path(path) : std::nullopt;
    if (!simple) return doubt(place, fmt::format("skipped, not an absolute plain path: {}", path));
    out_.files.push_back({(ignore_missing ? "-" : "") + *simple, place, std::nullopt,
                          expanded->outcome == Expansion::Outcome::expanded});
  }

  std::optional<Expansion> expand(const Place& place, std::string_view text) {
    auto expanded = expand_specifiers(text, specifiers_);
    if (expanded.outcome == Expansion::Outcome::refused) {
      doubt(place, fmt::format("skipped, systemd cannot expand %{}: {}", expanded.specifier, text));
      return std::nullopt;
    }
    if (expanded.outcome == Expansion::Outcome::unresolved) {
      doubt(place, fmt::format("what %{} stands for is not known here: {}", expanded.specifier, text));
    }
    return expanded;
  }

  void doubt(const Place& place, std::string_view why) { out_.doubts.push_back(render_doubt(place, why)); }

  const Specifiers& specifiers_;
  EnvironmentLists out_;
};

}  // namespace

std::string render_doubt(const Place& place, std::string_view why) {
  return base::escape_for_terminal(fmt::format("{}:{}: {}", place.path, place.line, why));
}

EnvironmentLists list_environment_settings(const std::vector<SourceText>& files,
                                           const Specifiers& specifiers) {
  Gatherer gatherer(specifiers);
  for (std::size_t i = 0; i < files.size(); ++i) gatherer.take_file(files[i], i == 0);
  return gatherer.finish();
}

}  // namespace allocd::unitfile
