// SPDX-License-Identifier: Apache-2.0
// Any bytes as a unit file and as an environment file: no crash, places inside the file, and whatever was
// read can be written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "unitfile/drop_in_text.hpp"
#include "unitfile/environment.hpp"
#include "unitfile/environment_file.hpp"
#include "unitfile/quote.hpp"
#include "unitfile/unit_text.hpp"

namespace {

using namespace allocd::unitfile;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_unit(const std::string& text) {
  const auto lines = static_cast<std::uint32_t>(text.size()) + 1;
  const auto parsed = parse_unit_text(text);
  for (const auto& each : parsed.assignments) require(each.line > 0 && each.line <= lines);
  for (const auto& each : parsed.problems) require(each.line > 0 && each.line <= lines);
  UnitSources sources;
  sources.files = {{"/u/a@b.service", text}, {"/u/a@.service.d/x.conf", text}};
  sources.specifiers = Specifiers::of_unit("a@b.service", "/u/a@b.service");
  sources.manager_environment = {"A=1"};
  sources.process_one_environment.emplace().emplace_back("A=2");
  for (const auto& path : list_environment_files(sources)) {
    sources.environment_files[path.path] = {
        .outcome = EnvironmentFileText::Outcome::read, .files = {{path.path, text}}, .cause = {}};
  }
  for (const auto& [name, variable] : compute_environment(sources).variables) {
    require(is_variable_name(name));
    sources.files = {{"/again", "[Service]\n" + render_environment_line(name, variable.value)}};
    require(compute_environment(sources).variables.at(name).contributions.back().value == variable.value);
  }
}

void check_environment_file(const std::string& text) {
  for (const auto rule : {CommentRule::ends_with_line, CommentRule::continues}) {
    const auto content = parse_environment_file(text, rule);
    require(content.refusal.empty() || content.assignments.empty());
    std::string again;
    for (const auto& each : content.assignments) {
      require(each.line > 0 && each.line <= text.size() + 1);
      again += render_environment_file_line(each.name, each.value) + "\n";
    }
    const auto back = parse_environment_file(again, rule);
    require(std::ranges::equal(content.assignments, back.assignments, [](const auto& one, const auto& other) {
      return one.name == other.name && one.value == other.value;
    }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  check_unit(text);
  check_environment_file(text);
  require(decide_ownership(text + "x") != Ownership::ours || decide_ownership(text) != Ownership::ours);
  static_cast<void>(decide_ownership("# Written by allocd " + text));
  return 0;
}
