// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "settings/load.hpp"
#include "settings/problem_list.hpp"
#include "settings/reading.hpp"
#include "settings/source_lines.hpp"
#include "settings/yaml_document.hpp"

namespace allocd::settings {

namespace {

void add_error(ProblemList& problems, const TextError& error) {
  problems.add(error.place, error.message, error.hint);
}

// Bytes, then YAML, then keys: a stage that fails hides the later ones of its file, for they would blame
// what is not to blame.
void read_source(const SourceLines& source, ProblemList& problems, Seen& seen, Settings& settings) {
  if (source.text().size() > kLargestFile) {
    return problems.add({}, fmt::format("the file is larger than {} bytes", kLargestFile),
                        "split it into several files");
  }
  for (const auto& error : check_text(source)) add_error(problems, error);
  if (!problems.empty()) return;
  const auto document = parse_document(source);
  if (!document) return add_error(problems, document.error());
  if (!*document) return;
  check_document(**document, problems);
  Reading reading{problems, seen};
  read_document(reading, **document, settings);
}

}  // namespace

Loaded parse_settings(const std::vector<SourceText>& sources) {
  Settings settings;
  Seen seen;
  std::vector<Problem> all;
  for (const auto& [name, text] : sources) {
    const SourceLines source(text);
    ProblemList problems(name, source);
    read_source(source, problems, seen, settings);
    std::ranges::move(problems.take(), std::back_inserter(all));
    settings.files.push_back(name);
  }
  if (!all.empty()) return std::unexpected(std::move(all));
  return settings;
}

}  // namespace allocd::settings
