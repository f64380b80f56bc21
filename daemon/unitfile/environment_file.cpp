// SPDX-License-Identifier: Apache-2.0
#include "unitfile/environment_file.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/text.hpp"
#include "unitfile/utf8.hpp"

namespace allocd::unitfile {

namespace {

bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || is_line_end(c);
}

// Text whose plain blanks at the end do not count. Quoted and escaped ones do.
class Trimmed {
 public:
  void add(char c) {
    if (!is_blank(c)) {
      end_ = std::string::npos;
    } else if (end_ == std::string::npos) {
      end_ = text_.size();
    }
    text_ += c;
  }
  void add_kept(char c) { text_ += c; }
  void keep_blanks() { end_ = std::string::npos; }
  [[nodiscard]] std::string take() {
    if (end_ != std::string::npos) text_.resize(end_);
    end_ = std::string::npos;
    return std::exchange(text_, {});
  }

 private:
  std::string text_;
  std::size_t end_ = std::string::npos;
};

class Parser {
 public:
  explicit Parser(CommentRule rule) : rule_(rule) {}

  EnvironmentFileContent parse(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return refuse("a NUL in it");
    char before = '\0';
    for (const char c : text) {
      take(c);
      // CR LF is one line to people, and a CR alone is one to systemd.
      if (c == '\r' || (c == '\n' && before != '\r')) ++line_;
      before = c;
      if (!out_.refusal.empty()) return std::move(out_);
    }
    const bool has_value = state_ != State::before_name && state_ != State::name &&
                           state_ != State::comment && state_ != State::comment_escape;
    if (has_value) {
      if (state_ != State::value) value_.keep_blanks();
      push();
    }
    return std::move(out_);
  }

 private:
  enum class State {
    before_name,
    name,
    before_value,  // also after a closing quote
    value,
    value_escape,
    single_quoted,
    double_quoted,
    double_quoted_escape,
    comment,
    comment_escape,
  };

  void take(char c) {
    switch (state_) {
      case State::before_name:
        return take_before_name(c);
      case State::name:
        return take_name(c);
      case State::before_value:
        return take_before_value(c);
      case State::value:
        return take_value(c);
      case State::value_escape:
        if (!is_line_end(c)) value_.add_kept(c);
        state_ = State::value;
        return;
      case State::single_quoted:
        return take_quoted(c, '\'');
      case State::double_quoted:
        return take_quoted(c, '"');
      case State::double_quoted_escape:
        return take_double_quoted_escape(c);
      case State::comment:
        if (c == '\\') state_ = State::comment_escape;
        if (is_line_end(c)) state_ = State::before_name;
        return;
      case State::comment_escape:
        state_ = is_line_end(c) && rule_ == CommentRule::ends_with_line ? State::before_name : State::comment;
        return;
    }
  }

  void take_before_name(char c) {
    if (c == '#' || c == ';') {
      state_ = State::comment;
    } else if (!is_blank(c)) {
      start_ = line_;
      name_.add(c);
      state_ = State::name;
    }
  }

  void take_name(char c) {
    if (is_line_end(c)) {
      out_.problems.push_back({start_, "no '='"});
      static_cast<void>(name_.take());
      state_ = State::before_name;
    } else if (c == '=') {
      state_ = State::before_value;
    } else {
      name_.add(c);
    }
  }

  void take_before_value(char c) {
    if (is_line_end(c)) {
      push();
    } else if (c == '\'') {
      state_ = State::single_quoted;
    } else if (c == '"') {
      state_ = State::double_quoted;
    } else if (c == '\\') {
      state_ = State::value_escape;
    } else if (!is_blank(c)) {
      value_.add(c);
      state_ = State::value;
    }
  }

  void take_value(char c) {
    if (is_line_end(c)) {
      push();
    } else if (c == '\\') {
      value_.keep_blanks();
      state_ = State::value_escape;
    } else {
      value_.add(c);
    }
  }

  void take_quoted(char c, char quote) {
    if (c == quote) {
      state_ = State::before_value;
    } else if (c == '\\' && quote == '"') {
      state_ = State::double_quoted_escape;
    } else {
      value_.add_kept(c);
    }
  }

  void take_double_quoted_escape(char c) {
    constexpr std::string_view kNeedEscape = "\"\\`$";
    state_ = State::double_quoted;
    if (c == '\n') return;
    if (kNeedEscape.find(c) == std::string_view::npos) value_.add_kept('\\');
    value_.add_kept(c);
  }

  void push() {
    state_ = State::before_name;
    std::string name = name_.take();
    std::string value = value_.take();
    if (!is_valid_utf8(name) || !is_valid_utf8(value)) {
      static_cast<void>(refuse("not valid UTF-8"));
      out_.problems.push_back({start_, "not valid UTF-8"});
    } else if (!is_variable_name(name)) {
      out_.problems.push_back({start_, "'" + base::escape_for_terminal(name) + "' is no variable name"});
    } else {
      out_.assignments.push_back({std::move(name), std::move(value), start_});
    }
  }

  EnvironmentFileContent& refuse(std::string why) {
    out_.refusal = std::move(why);
    out_.assignments.clear();
    return out_;
  }

  CommentRule rule_;
  State state_ = State::before_name;
  Trimmed name_;
  Trimmed value_;
  std::uint32_t line_ = 1;
  std::uint32_t start_ = 1;
  EnvironmentFileContent out_;
};

}  // namespace

EnvironmentFileContent parse_environment_file(std::string_view text, CommentRule rule) {
  return Parser(rule).parse(text);
}

bool is_variable_name(std::string_view text) {
  const auto is_name_character = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && (text[0] < '0' || text[0] > '9') && std::ranges::all_of(text, is_name_character);
}

}  // namespace allocd::unitfile
