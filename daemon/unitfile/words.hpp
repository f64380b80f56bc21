// SPDX-License-Identifier: Apache-2.0
// Splitting a value into words the way systemd does (systemd.syntax(7), "Quoting"): blanks separate, '...'
// and
// "..." hold together and may stand in the middle of a word, and escapes mean the same inside either quote as
// outside. Values come from parse_unit_text: no newline, no NUL. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace allocd::unitfile {

// What a backslash does: begin a C escape, of which systemd refuses those it does not know, or keep the next
// character as it is.
enum class Escapes { c_style, literal };

class Words {
 public:
  enum class Step { word, end, malformed };

  Words(std::string_view text, Escapes escapes) : rest_(text), escapes_(escapes) {}
  // After `malformed` there is no more to be had: systemd drops the rest of the value.
  [[nodiscard]] Step next(std::string& word);

 private:
  [[nodiscard]] char take();
  [[nodiscard]] bool take_escape(std::string& word);

  std::string_view rest_;
  Escapes escapes_;
};

// Takes one C escape, without its backslash, off `rest` and appends what it stands for. False for one that
// systemd does not know, and for a NUL.
[[nodiscard]] bool take_c_escape(std::string_view& rest, std::string& out);

}  // namespace allocd::unitfile
