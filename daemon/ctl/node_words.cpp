// SPDX-License-Identifier: Apache-2.0
#include "ctl/node_words.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/figures.hpp"

namespace allocd::ctl {

namespace {

using node::ExpectationState;

std::string line_text(const kernel::PressureLine& line) {
  return fmt::format("{:.1f}, {:.1f}, {:.1f} %", line.avg10, line.avg60, line.avg300);
}

std::size_t count_in(const snapshot::Node& node, ExpectationState state) {
  return static_cast<std::size_t>(
      std::ranges::count(node.expectations, state, &node::ExpectationResult::state));
}

}  // namespace

std::string known(std::string_view name, const std::optional<std::uint64_t>& bytes) {
  return bytes ? fmt::format("{} {}", name, format_bytes(*bytes)) : "";
}

std::string join_known(std::initializer_list<std::string> parts) {
  std::string out;
  for (const auto& part : parts) {
    if (part.empty()) continue;
    out += out.empty() ? "" : ", ";
    out += part;
  }
  return out;
}

std::string bytes_or_dash(const std::optional<std::uint64_t>& bytes) {
  return bytes ? format_bytes(*bytes) : "-";
}

std::string pressure_text(const kernel::Pressure& pressure) {
  auto text = "waiting " + line_text(pressure.some);
  if (pressure.full) text += "; stalled " + line_text(*pressure.full);
  return text + " (10s, 1m, 5m)";
}

NodeVerdict node_verdict(const snapshot::Node& node) {
  if (!node.known) return {"not read yet", Style::warning};
  const auto missed = count_in(node, ExpectationState::missed);
  const auto unknown = count_in(node, ExpectationState::unknown);
  const auto unread = node::count_errors(node.state);
  const auto all = count_of(node.expectations.size(), "expectation", "expectations");
  NodeVerdict verdict;
  if (node.expectations.empty()) {
    verdict.text = "nothing is declared of it";
  } else if (missed > 0) {
    verdict = {fmt::format("{} of {} missed", missed, all), Style::bad};
  } else if (unknown == 0) {
    verdict = {fmt::format("{} met", all), Style::good};
  }
  if (unknown > 0) {
    verdict.text += fmt::format("{}{} of {} unknown", verdict.text.empty() ? "" : ", ", unknown, all);
  }
  if (unread > 0) verdict.text += fmt::format("; {} could not be read", count_of(unread, "file", "files"));
  if (unknown + unread > 0 && verdict.style != Style::bad) verdict.style = Style::warning;
  return verdict;
}

bool is_as_declared(const snapshot::Node& node) {
  return std::ranges::all_of(node.expectations,
                             [](const auto& result) { return result.state == ExpectationState::met; });
}

}  // namespace allocd::ctl
