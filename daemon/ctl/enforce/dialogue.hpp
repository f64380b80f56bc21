// SPDX-License-Identifier: Apache-2.0
// A command that shows something, asks, and goes on. A seam, so that tests can answer.
#pragma once

#include <string_view>

namespace allocd::ctl {

class Dialogue {
 public:
  virtual ~Dialogue() = default;
  // Whether somebody is there to answer: standard input and output are a terminal.
  [[nodiscard]] virtual bool can_ask() const = 0;
  // On standard output, at once. False when it cannot be written.
  [[nodiscard]] virtual bool show(std::string_view text) = 0;
  virtual void warn(std::string_view text) = 0;  // on standard error
  // One line of answer; only "y" and "yes" mean yes.
  [[nodiscard]] virtual bool confirm(std::string_view question) = 0;
};

class StandardDialogue final : public Dialogue {
 public:
  [[nodiscard]] bool can_ask() const override;
  [[nodiscard]] bool show(std::string_view text) override;
  void warn(std::string_view text) override;
  [[nodiscard]] bool confirm(std::string_view question) override;
};

}  // namespace allocd::ctl
