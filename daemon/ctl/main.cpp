// SPDX-License-Identifier: Apache-2.0
// allocctl: arguments, one answer, both streams, an exit code.
#include <cstdio>
#include <string>

#include "ctl/answer.hpp"
#include "ctl/command_line.hpp"
#include "ctl/terminal.hpp"

namespace {

bool write_all(std::FILE* stream, const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  return std::fflush(stream) == 0 && written;
}

int finish(int code, const std::string& out, const std::string& err) {
  write_all(stderr, err);
  if (write_all(stdout, out)) return code;
  write_all(stderr, "allocctl: cannot write to standard output\n");
  return allocd::ctl::kFailure;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace allocd::ctl;
  const auto line = parse_command_line(argc, argv);
  if (!line) return finish(line.error().code, line.error().out, line.error().err);
  StandardDialogue dialogue;
  const auto answer = run(*line, read_render_options(line->color), dialogue);
  return finish(answer.code, answer.out, answer.err);
}
