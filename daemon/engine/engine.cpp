// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "engine/command.hpp"
#include "engine/rules.hpp"

namespace allocd::engine {

namespace {

// More of a command line than this is arguments nobody needs; the kernel hands out up to megabytes.
constexpr std::size_t kMaxCmdline = std::size_t{32} << 10U;

// setproctitle(3) pads with NUL, others with blanks.
std::string_view strip_padding(std::string_view text) {
  const auto last = text.find_last_not_of(std::string_view("\0 \t\n", 4));
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

// A process that renamed itself shows one string and nothing after it.
std::optional<Title> title_of(Words words) {
  if (words.size() != 1) return std::nullopt;
  return parse_title(strip_padding(words[0]));
}

Role role_of_command(const Command& command) {
  if (const auto match = match_command(command)) return match->role;
  return command.role;
}

RoleClaim claim_from_comm(std::string_view comm) {
  if (const auto title = parse_comm_title(comm)) return title->claim;
  if (const auto match = match_comm(comm)) return {.role = match->role, .ranks = {}};
  const std::vector<std::string> word{std::string(comm)};
  const Command command = parse_command(word);
  if (command.form == Form::interpreter) return {.role = Role::starting, .ranks = {}};
  return {.role = command.role, .ranks = {}};
}

}  // namespace

std::vector<std::string> split_cmdline(std::string_view cmdline) {
  std::vector<std::string> words;
  for (const auto word : base::split(cmdline, '\0')) words.emplace_back(word);
  while (!words.empty() && words.back().empty()) words.pop_back();
  return words;
}

Engine decide_engine(std::span<const std::string> argv) {
  if (const auto title = title_of(argv)) return title->engine;
  for (const Command& command : find_final_commands(argv)) {
    const auto match = match_command(command);
    if (match && match->engine != Engine::unknown) return match->engine;
  }
  return Engine::unknown;
}

RoleClaim decide_role(std::string_view cmdline, std::string_view comm) {
  comm = strip_padding(comm);
  const auto words = split_cmdline(strip_padding(cmdline.substr(0, kMaxCmdline)));
  if (words.empty()) return claim_from_comm(comm);
  if (const auto title = title_of(words)) return title->claim;
  const RoleClaim claim{.role = role_of_command(parse_command(words)), .ranks = {}};
  // setproctitle that could not find the argument area still sets comm.
  if (claim.role == Role::starting || claim.role == Role::other) {
    if (const auto title = parse_comm_title(comm)) return title->claim;
  }
  return claim;
}

bool is_container_client(std::span<const std::string> argv) {
  return std::ranges::any_of(find_final_commands(argv),
                             [](const Command& command) { return command.form == Form::container_client; });
}

}  // namespace allocd::engine
