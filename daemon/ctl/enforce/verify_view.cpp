// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/verify_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_writer.hpp"
#include "ctl/advice.hpp"
#include "ctl/figures.hpp"
#include "ctl/json_views.hpp"
#include "ctl/lines.hpp"
#include "ctl/table.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Unit;

// The link at fault; nothing where there is none, or nothing to be done.
const policy::Link* broken_link(const Unit& unit) {
  const std::size_t broken = first_broken_link(unit.assessment);
  if (is_settled(unit.assessment.state) || broken == policy::kLinkCount) return nullptr;
  return &unit.assessment.chain.at(broken);
}

std::string_view link_name(const Unit& unit) {
  return broken_link(unit) == nullptr ? "-" : policy::kLinkNames.at(first_broken_link(unit.assessment));
}

std::string_view reason_text(const Unit& unit) {
  return unit.assessment.reason == policy::Reason::none ? "-"
                                                        : policy::kReasonNames.name(unit.assessment.reason);
}

}  // namespace

UnitList units_with_policy(const snapshot::Snapshot& snapshot) {
  UnitList units;
  for (const auto& unit : snapshot.units) {
    if (unit.wanted != settings::Wanted::any) units.push_back(&unit);
  }
  return units;
}

bool are_settled(const UnitList& units) {
  return std::ranges::all_of(units, [](const Unit* unit) { return is_settled(unit->assessment.state); });
}

std::string render_verify(const UnitList& units, const RenderOptions& options) {
  std::string out;
  if (units.empty()) {
    add_prose(out, options, "No unit has a policy: there is nothing to verify.");
    return out;
  }
  Table table({{.title = "UNIT", .cut = Cut::middle},
               {.title = "STATE"},
               {.title = "LINK"},
               {.title = "REASON", .cut = Cut::end}});
  std::size_t settled = 0;
  for (const auto* unit : units) {
    const auto state = unit->assessment.state;
    if (is_settled(state)) ++settled;
    table.add_row({{unit->name},
                   {std::string(policy::kStateNames.name(state)), style_of(state)},
                   {std::string(link_name(*unit))},
                   {std::string(reason_text(*unit))}});
  }
  out = table.render(options);
  if (settled == units.size()) return out;
  out += "\n";
  add_prose(
      out, options,
      fmt::format("{} of {} are not as the policy asks. `allocctl explain UNIT` says why, `allocctl plan` "
                  "what would change.",
                  units.size() - settled, count_of(units.size(), "unit", "units")));
  return out;
}

std::string render_verify_json(const snapshot::Snapshot& snapshot, const UnitList& units) {
  base::JsonWriter out;
  out.begin_object().member("schema_version", kViewSchemaVersion).member("taken_at", snapshot.taken_at);
  out.member("compliant", are_settled(units)).key("units").begin_array();
  for (const auto* unit : units) {
    const auto* link = broken_link(*unit);
    out.begin_object().member("name", unit->name).member("service", unit->service);
    out.member("state", policy::kStateNames.name(unit->assessment.state));
    out.member("reason", policy::kReasonNames.name(unit->assessment.reason));
    out.key("broken_link");
    if (link == nullptr) {
      out.null().key("evidence").null();
    } else {
      out.value(link_name(*unit)).member("evidence", link->evidence);
    }
    out.end_object();
  }
  return out.end_array().end_object().take() + "\n";
}

}  // namespace allocd::ctl
