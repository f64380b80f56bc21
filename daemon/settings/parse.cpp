// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <deque>
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

// Problems keep the line they blame, so a file is kept for as long as they may be added to.
struct OpenFile {
  explicit OpenFile(const SourceText& source) : lines(source.text), problems(source.name, lines) {}
  SourceLines lines;
  ProblemList problems;
};

// Bytes, then YAML, then keys: a stage that fails hides the later ones of its file, for they would blame
// what is not to blame.
void read_source(OpenFile& file, std::size_t number, Seen& seen, Settings& settings) {
  auto& problems = file.problems;
  if (file.lines.text().size() > kLargestFile) {
    return problems.add({}, fmt::format("the file is larger than {} bytes", kLargestFile),
                        "split it into several files");
  }
  for (const auto& error : check_text(file.lines)) add_error(problems, error);
  if (!problems.empty()) return;
  const auto document = parse_document(file.lines);
  if (!document) return add_error(problems, document.error());
  if (!*document) return;
  check_document(**document, problems);
  Reading reading{problems, seen, number};
  read_document(reading, **document, settings);
}

// The mode of all may stand in any file, so that this is judged when every file has been read.
void check_idle_keys(const Seen& seen, const Settings& settings, std::deque<OpenFile>& files) {
  for (const auto& idle : seen.idle_keys) {
    const auto service = std::ranges::find(settings.services, idle.service, &Service::name);
    if (service == settings.services.end() || service->mode.value_or(settings.mode) != Mode::enforce)
      continue;
    files.at(idle.file).problems.add(
        idle.place,
        fmt::format("'{}' cannot be enforced: service '{}' selects no unit", idle.key, idle.service),
        "a control group is only observed; remove the key, or write 'mode: observe' beside it");
  }
}

}  // namespace

Loaded parse_settings(const std::vector<SourceText>& sources) {
  Settings settings;
  Seen seen;
  std::deque<OpenFile> files;
  for (const auto& source : sources) {
    const auto number = files.size();
    read_source(files.emplace_back(source), number, seen, settings);
    settings.files.push_back(source.name);
  }
  check_idle_keys(seen, settings, files);
  std::vector<Problem> all;
  for (auto& file : files) std::ranges::move(file.problems.take(), std::back_inserter(all));
  if (!all.empty()) return std::unexpected(std::move(all));
  return settings;
}

}  // namespace allocd::settings
