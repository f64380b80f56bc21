// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "ctl/answer.hpp"
#include "ctl/figures.hpp"
#include "ctl/terminal_text.hpp"
#include "host/root.hpp"
#include "settings/load.hpp"

namespace allocd::ctl {

namespace {

Answer judge(const settings::Loaded& loaded, std::string_view name) {
  if (!loaded) return answer_problems(loaded.error(), name);
  std::size_t selectors = 0;
  for (const auto& service : loaded->services) selectors += service.selectors.size();
  return {kDone,
          fmt::format("{}: ok, {}, {}\n", printable(name, false),
                      count_of(loaded->services.size(), "service", "services"),
                      count_of(selectors, "selector", "selectors")),
          ""};
}

Answer check_file(const std::string& file) {
  auto text = host::read_file_at(AT_FDCWD, file.c_str());
  if (!text) return answer_fault(text.error());
  return judge(settings::parse_settings({{file, std::move(*text)}}), file);
}

// What allocd itself would read; an absent main file leaves the built-in defaults.
Answer check_installed(const Places& places) {
  const auto root = host::Root::open();
  if (!root) return answer_fault(root.error());
  const auto loaded = settings::load_settings(*root, places.config_file, places.config_directory);
  if (!loaded) return judge(loaded, places.config_file);
  if (loaded->files.empty())
    return {kDone, "no configuration: ok, units that run a known engine are observed\n", ""};
  const auto more = loaded->files.size() - 1;
  return judge(
      loaded, more == 0 ? loaded->files.front() : fmt::format("{} and {} more", loaded->files.front(), more));
}

}  // namespace

Answer answer_fault(const base::Fault& fault) {
  const int code = fault.code == EACCES || fault.code == EPERM ? kNoPrivilege : kFailure;
  return {code, "", fmt::format("allocctl: {}\n", printable(fault.message(), false))};
}

Answer answer_problems(const std::vector<settings::Problem>& problems, std::string_view name) {
  return {kBadConfiguration, "",
          fmt::format("{}allocctl: {}: {}\n", settings::render_problems(problems), printable(name, false),
                      count_of(problems.size(), "problem", "problems"))};
}

Answer check_config(const CommandLine& line) {
  return line.file ? check_file(*line.file) : check_installed(line.places);
}

}  // namespace allocd::ctl
