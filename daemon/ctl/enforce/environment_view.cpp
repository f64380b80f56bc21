// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/environment_view.hpp"

#include <fmt/format.h>

#include "ctl/lines.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Contribution;
using snapshot::Variable;
using unitfile::Origin;

std::string place_of(const Contribution& contribution) {
  if (contribution.path.empty()) return "systemd's own environment";
  if (contribution.line == 0) return contribution.path;
  return fmt::format("{}:{}", contribution.path, contribution.line);
}

std::string deed_of(const Contribution& contribution) {
  const bool unsets = contribution.origin == Origin::unset_environment;
  std::string deed = contribution.value.empty() && unsets
                         ? std::string("removes it")
                         : fmt::format("{} {}", unsets ? "removes" : "sets",
                                       contribution.value.empty() ? "nothing" : contribution.value);
  if (contribution.is_reset) deed += " (and is reset further down)";
  return deed;
}

void add_variable(std::string& out, const Variable& variable, const RenderOptions& options) {
  add_prose(out, options,
            variable.is_set ? fmt::format("{}={}", variable.name, variable.value)
                            : fmt::format("{} is not set", variable.name),
            2);
  for (const auto& contribution : variable.contributions) {
    add_labelled(out, options,
                 {.label = contribution.wins ? "wins" : "",
                  .text = fmt::format("{} {}", place_of(contribution), deed_of(contribution)),
                  .indent = 4,
                  .label_width = 4,
                  .label_style = Style::good});
  }
}

}  // namespace

void add_environment(std::string& out, const snapshot::Environment& environment,
                     const RenderOptions& options) {
  if (!environment.known || (environment.variables.empty() && environment.doubts.empty())) return;
  add_heading(out, options, "Environment at the next start");
  for (const auto& variable : environment.variables) add_variable(out, variable, options);
  for (const auto& doubt : environment.doubts)
    add_labelled(out, options,
                 {.label = "?", .text = doubt, .label_width = 1, .label_style = Style::warning});
}

void write_environment(base::JsonWriter& out, const snapshot::Environment& environment) {
  if (!environment.known) {
    out.null();
    return;
  }
  out.begin_object().key("variables").begin_array();
  for (const auto& variable : environment.variables) {
    out.begin_object().member("name", variable.name).member("is_set", variable.is_set);
    out.member("value", variable.value).key("contributions").begin_array();
    for (const auto& one : variable.contributions) {
      out.begin_object().member("origin", kOriginNames.name(one.origin));
      out.member("path", one.path).member("line", one.line).member("value", one.value);
      out.member("wins", one.wins).member("is_reset", one.is_reset).end_object();
    }
    out.end_array().end_object();
  }
  out.end_array().key("doubts").begin_array();
  for (const auto& doubt : environment.doubts) out.value(doubt);
  out.end_array().end_object();
}

}  // namespace allocd::ctl
