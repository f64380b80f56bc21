// SPDX-License-Identifier: Apache-2.0
// Sees through what stands in front of a server in a command line: env, sudo, nice, uv run, bash -c, python
// -m.
//
// A process that is a wrapper is not yet the server it starts, so the outermost layer and what lies under it
// are told apart. Options of wrappers are known from tables: an unknown option is taken to stand alone.
// Nothing here knows an inference engine. Bounded work for any input. Pure; safe from any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"

namespace allocd::engine {

using Words = std::span<const std::string>;

enum class Form {
  nothing,           // no word at all
  program,           // `name` is the file name of a binary or script, `path` as it was written
  module,            // python -m: `name` is the dotted module
  code,              // python -c: `name` is the code
  interpreter,       // python without anything to run that we can see
  shell,             // a shell; `scripts` are the simple commands of its -c text, empty for a script file
  wrapper,           // `arguments` is the command it will run
  container_client,  // docker run and kin, and the shims that stand beside a container
};

struct Command {
  Form form = Form::nothing;
  std::string name;
  std::string path;
  std::vector<std::string> arguments;
  std::vector<std::vector<std::string>> scripts;
  Role role = Role::other;  // of a wrapper or container client as a process of its own
};

// The outermost layer of `words`.
[[nodiscard]] Command parse_command(Words words);

// Every command that running `words` may end in, wrappers and shells removed; at most a few dozen.
[[nodiscard]] std::vector<Command> find_final_commands(Words words);

// The simple commands of a shell text, unquoted, without assignments, redirections or expansion.
[[nodiscard]] std::vector<std::vector<std::string>> split_shell_text(std::string_view text);

[[nodiscard]] std::string_view file_name(std::string_view path);

}  // namespace allocd::engine
