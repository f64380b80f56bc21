// SPDX-License-Identifier: Apache-2.0
// Words and figures that the views of memory share. Pure.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/paint.hpp"
#include "kernel/pressure.hpp"
#include "snapshot/model.hpp"

namespace allocd::ctl {

// "total 512.0G"; "" for a figure that was not read.
[[nodiscard]] std::string known(std::string_view name, const std::optional<std::uint64_t>& bytes);
// What is not empty of these, with commas.
[[nodiscard]] std::string join_known(std::initializer_list<std::string> parts);
// "1.5G"; "-" for what was not read.
[[nodiscard]] std::string bytes_or_dash(const std::optional<std::uint64_t>& bytes);
// "waiting 0.1, 1.4, 0.9 %; stalled 0.0, 0.6, 0.4 % (10s, 1m, 5m)"
[[nodiscard]] std::string pressure_text(const kernel::Pressure& pressure);

// What the machine comes to, in one line.
struct NodeVerdict {
  std::string text;  // "2 of 6 expectations are missed; 1 file could not be read"
  Style style = Style::plain;
};
[[nodiscard]] NodeVerdict node_verdict(const snapshot::Node& node);
// Whether every expectation is met; one that could not be read is not.
[[nodiscard]] bool is_as_declared(const snapshot::Node& node);

}  // namespace allocd::ctl
