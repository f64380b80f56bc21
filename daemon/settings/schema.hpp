// SPDX-License-Identifier: Apache-2.0
// Every key a settings file may hold: one table for the readers and for the reference page.
//
// A key's name, type, default, range, meaning and reader stand in one row, so that what is documented is
// what is read. Pure; safe from any thread.
#pragma once

#include <span>
#include <string>

namespace allocd::settings {

struct KeyDoc {
  std::string path;           // "observe.interval", "services.NAME.select[].unit"
  std::string type;           // "duration", "whole number", "word", "text", "map", "list"
  std::string default_value;  // "" when there is none
  std::string range;          // what is accepted
  std::string meaning;        // one sentence
  bool operator==(const KeyDoc&) const = default;
};

[[nodiscard]] std::span<const KeyDoc> documented_keys();

}  // namespace allocd::settings
