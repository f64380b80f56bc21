// SPDX-License-Identifier: Apache-2.0
#include "ctl/paint.hpp"

namespace allocd::ctl {

namespace {

// ECMA-48 SGR, the sixteen colours every terminal has.
std::string_view sequence(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::heading:
      return "\x1b[1m";
    case Style::good:
      return "\x1b[32m";
    case Style::warning:
      return "\x1b[33m";
    case Style::bad:
      return "\x1b[1;31m";
    case Style::faint:
      return "\x1b[2m";
  }
  return "";
}

}  // namespace

std::string paint(const RenderOptions& options, Style style, std::string_view text) {
  const auto on = sequence(style);
  if (!options.color || on.empty() || text.empty()) return std::string(text);
  return std::string(on).append(text).append("\x1b[0m");
}

Style style_of(policy::State state) {
  switch (state) {
    case policy::State::compliant:
      return Style::good;
    case policy::State::violation:
      return Style::bad;
    case policy::State::pending_restart:
    case policy::State::not_applied:
    case policy::State::not_enforceable:
    case policy::State::rolled_back:
    case policy::State::unknown:
      return Style::warning;
    case policy::State::inactive:
    case policy::State::exempt:
      return Style::faint;
  }
  return Style::plain;
}

Style style_of(drift::State state) {
  switch (state) {
    case drift::State::warming:
      return Style::faint;
    case drift::State::normal:
      return Style::good;
    case drift::State::watch:
    case drift::State::drift:
      return Style::warning;
    case drift::State::exhaustion:
      return Style::bad;
  }
  return Style::plain;
}

}  // namespace allocd::ctl
