// SPDX-License-Identifier: Apache-2.0
// Enough of the shell's grammar (POSIX 2.3 token recognition) to find the commands in `bash -c '...'`:
//   source /opt/venv/bin/activate && exec vllm serve "$MODEL" --port 8000
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/command.hpp"

namespace allocd::engine {

namespace {

constexpr std::size_t kMaxScript = 16384;
constexpr std::size_t kMaxCommands = 64;
constexpr std::string_view kSeparators = ";|&\n(){}";
// Words that may stand before a command without changing what runs.
constexpr std::string_view kNoise[] = {"exec", "then", "do", "else", "if", "while", "until", "!", "command"};

bool is_assignment(std::string_view word) {
  const auto equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  return std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text.substr(0, kMaxScript)) {}

  std::vector<std::vector<std::string>> split() {
    while (at_ < text_.size() && commands_.size() < kMaxCommands) step();
    end_command();
    return std::move(commands_);
  }

 private:
  void step() {
    const char c = text_[at_++];
    if (c == '\'' || c == '"') {
      take_quoted(c);
    } else if (c == '\\') {
      in_word_ = true;
      if (at_ < text_.size()) word_ += text_[at_++];
    } else if (c == '#' && !in_word_) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (kSeparators.find(c) != std::string_view::npos && !is_part_of_word(c)) {
      end_command();
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      end_word();
    } else {
      in_word_ = true;
      word_ += c;
    }
  }

  // "${X}" and "2>&1" are parts of words, not separators.
  [[nodiscard]] bool is_part_of_word(char c) const {
    return (c == '{' && word_.ends_with('$')) || (c == '}' && word_.find("${") != std::string::npos) ||
           (c == '&' && word_.ends_with('>'));
  }

  void take_quoted(char quote) {
    in_word_ = true;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      word_ += text_[at_++];
    }
    ++at_;
  }

  void end_word() {
    if (in_word_) take_word(std::exchange(word_, {}));
    in_word_ = false;
  }

  void take_word(std::string word) {
    if (current_.empty() && (is_assignment(word) || std::ranges::find(kNoise, word) != std::end(kNoise)))
      return;
    current_.push_back(std::move(word));
  }

  void end_command() {
    end_word();
    if (!current_.empty()) commands_.push_back(std::exchange(current_, {}));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string word_;
  bool in_word_ = false;
  std::vector<std::string> current_;
  std::vector<std::vector<std::string>> commands_;
};

}  // namespace

std::vector<std::vector<std::string>> split_shell_text(std::string_view text) {
  return Splitter(text).split();
}

}  // namespace allocd::engine
