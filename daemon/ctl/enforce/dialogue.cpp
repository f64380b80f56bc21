// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/dialogue.hpp"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "base/text.hpp"

namespace allocd::ctl {

namespace {

bool write_all(std::FILE* stream, std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  return std::fflush(stream) == 0 && written;
}

// Unbuffered: what follows the line stays for whoever reads next.
std::string read_line() {
  std::string line;
  for (char c = 0; ::read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

}  // namespace

bool StandardDialogue::can_ask() const {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

bool StandardDialogue::show(std::string_view text) {
  return write_all(stdout, text);
}

void StandardDialogue::warn(std::string_view text) {
  static_cast<void>(write_all(stderr, text));
}

bool StandardDialogue::confirm(std::string_view question) {
  if (!show(std::string(question) + " [y/N] ")) return false;
  const std::string line = read_line();
  const auto word = base::trim(line);
  return word == "y" || word == "Y" || word == "yes" || word == "Yes" || word == "YES";
}

}  // namespace allocd::ctl
