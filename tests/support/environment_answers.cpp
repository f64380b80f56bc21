// SPDX-License-Identifier: Apache-2.0
// allocd's side of the comparison with systemd's own environments. Reads the files of the machine it runs on.
// A line of stdin is a JSON object, a line of stdout the answer to it. Exit 2 on a line that is neither of:
//
//   machine  {"machine": true, "manager", "version"} gives {"specifiers", "version", "places"} as allocd
//   reads them compute  {"unit", "fragment", "drop_ins", "manager", "process_one", "specifiers", "version"}
//            gives {"unit", "environment" (all of it), "setting" (Environment= alone), "can_start", "doubts"}
//   write    {"header": {"unit", "policy", "version"}, "variables": [[NAME, VALUE]...], "file"}
//            gives {"drop_in", "environment_file": owned texts that set the variables, "pattern": "file" as a
//            value}
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/root.hpp"
#include "unitfile/drop_in_text.hpp"
#include "unitfile/environment.hpp"
#include "unitfile/quote.hpp"
#include "unitfile/read.hpp"

namespace {

using namespace allocd;
using nlohmann::json;

json settings_of(const unitfile::Environment& environment) {
  json out = json::object();
  for (const auto& [name, variable] : environment.variables) {
    for (const auto& each : variable.contributions) {
      if (each.origin == unitfile::Origin::environment && !each.reset_by) out[name] = each.value;
    }
  }
  return out;
}

json values_of(const unitfile::Environment& environment) {
  json out = json::object();
  for (const auto& [name, variable] : environment.variables) {
    if (variable.is_set) out[name] = variable.value;
  }
  return out;
}

// As every program of allocd reads it.
unitfile::Machine machine_of(const host::Root& root, const json& question) {
  return unitfile::read_machine(root, question.at("manager").get<std::vector<std::string>>(),
                                question.at("version").get<std::string>());
}

json compute(const host::Root& root, const json& question) {
  auto sources = unitfile::read_sources(
      root, question.at("unit").get<std::string>(), question.at("fragment").get<std::string>(),
      question.at("drop_ins").get<std::vector<std::string>>(), machine_of(root, question));
  for (const auto& [letter, value] : question.at("specifiers").items()) {
    sources.specifiers.values[letter.at(0)] = value.get<std::string>();
  }
  unitfile::read_environment_files(root, sources);
  sources.process_one_environment = question.at("process_one").get<std::vector<std::string>>();
  const auto environment = unitfile::compute_environment(sources);
  return {{"unit", question.at("unit")},
          {"environment", values_of(environment)},
          {"setting", settings_of(environment)},
          {"can_start", environment.can_start},
          {"doubts", environment.doubts}};
}

json write(const json& question) {
  const auto& words = question.at("header");
  const unitfile::DropInHeader header{.unit = words.at("unit").get<std::string>(),
                                      .policy = words.at("policy").get<std::string>(),
                                      .version = words.at("version").get<std::string>()};
  unitfile::DropInBody drop_in{{"[Service]"}};
  unitfile::DropInBody environment_file;
  for (const auto& variable : question.at("variables")) {
    const auto name = variable.at(0).get<std::string>();
    const auto value = variable.at(1).get<std::string>();
    drop_in.lines.push_back(unitfile::render_environment_line(name, value));
    environment_file.lines.push_back(unitfile::render_environment_file_line(name, value));
  }
  return {{"drop_in", unitfile::render_owned_text(header, drop_in)},
          {"environment_file", unitfile::render_owned_text(header, environment_file)},
          {"pattern", unitfile::escape_file_pattern(question.at("file").get<std::string>())}};
}

json describe(const unitfile::Machine& machine) {
  json specifiers = json::object();
  for (const auto& [letter, value] : machine.specifiers) specifiers[std::string(1, letter)] = value;
  json places = json::object();
  for (const auto& [text, place] : machine.manager_places)
    places[text] = place.path + ":" + std::to_string(place.line);
  return {{"specifiers", specifiers}, {"version", machine.systemd_version}, {"places", places}};
}

json answer(const host::Root& root, const json& question) {
  if (question.contains("machine")) return describe(machine_of(root, question));
  return question.contains("variables") ? write(question) : compute(root, question);
}

}  // namespace

int main() {
  const auto root = host::Root::open();
  if (!root) return 2;
  std::string line;
  try {
    while (std::getline(std::cin, line)) std::cout << answer(*root, json::parse(line)).dump() << '\n';
  } catch (const std::exception& error) {
    std::fprintf(stderr, "environment_answers: %s\n", error.what());
    return 2;
  }
  return 0;
}
