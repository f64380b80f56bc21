// SPDX-License-Identifier: Apache-2.0
// What the enforcer is asked to do and what it says it did; how allocctl hands over the one and gets the
// other.
//
// A request is a file in a directory that only root can enter, so it is trusted as root is; it names units
// and switches, never paths or values. The observer can ask for nothing: its touch only means "look now".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"
#include "base/result.hpp"
#include "policy/plan.hpp"

namespace allocd::enforcer {

enum class Verb { reconcile, apply, revert };
inline constexpr base::EnumNames<Verb, 3> kVerbNames{{"reconcile", "apply", "revert"}};

struct Request {
  std::string id;  // [0-9a-f]{1,64}; "" for reconcile
  Verb verb = Verb::reconcile;
  std::vector<std::string> units;  // unit names, or targets; empty: all
  bool retry = false;              // try again what the fuse took back
  bool force = false;              // take back what was edited by hand
  bool operator==(const Request&) const = default;
};

struct ItemReport {
  policy::PlanItem item;
  std::string error;  // "" when it was carried out
  bool operator==(const ItemReport&) const = default;
};

struct Report {
  Request request;
  std::vector<ItemReport> items;  // those with something to do, and the blocked ones
  bool reloaded = false;          // systemd read its unit files again
  std::string reload_error;
  std::vector<std::string> restarted;  // units
  std::vector<std::string> pending;    // units that run without it until somebody restarts them
  std::string error;                   // nothing could be done: why
  bool operator==(const Report&) const = default;
};

[[nodiscard]] bool is_request_id(std::string_view id);
[[nodiscard]] std::string render_request(const Request& request);
[[nodiscard]] base::Result<Request> parse_request(std::string_view text);

[[nodiscard]] std::string render_plan(const policy::Plan& plan);  // JSON, with its schema_version
[[nodiscard]] std::string render_report(const Report& report);
[[nodiscard]] base::Result<Report> parse_report(std::string_view text);

}  // namespace allocd::enforcer
