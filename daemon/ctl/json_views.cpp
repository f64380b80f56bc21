// SPDX-License-Identifier: Apache-2.0
#include "ctl/json_views.hpp"

#include <algorithm>

#include "base/json_writer.hpp"
#include "ctl/advice.hpp"
#include "ctl/drift_words.hpp"
#include "ctl/enforce/environment_view.hpp"
#include "ctl/node_words.hpp"
#include "ctl/summary.hpp"
#include "snapshot/json.hpp"

namespace allocd::ctl {

namespace {

using base::JsonWriter;
using snapshot::Snapshot;
using snapshot::Unit;

JsonWriter begin_document(const Snapshot& snapshot) {
  JsonWriter out;
  out.begin_object().member("schema_version", kViewSchemaVersion).member("taken_at", snapshot.taken_at);
  return out;
}

std::string end_document(JsonWriter& out) {
  return out.end_object().take() + "\n";
}

void write_counts(JsonWriter& out, std::string_view key, const auto& names, const auto& counts) {
  out.key(key).begin_object();
  for (const auto& [value, count] : counts) out.member(names.name(value), count);
  out.end_object();
}

void write_verdict(JsonWriter& out, const policy::Assessment& assessment) {
  out.member("state", policy::kStateNames.name(assessment.state));
  out.member("reason", policy::kReasonNames.name(assessment.reason));
}

void write_unit_line(JsonWriter& out, const Unit& unit) {
  const auto sum = summarise(unit);
  const double since = running_since(unit);
  out.begin_object().member("name", unit.name).member("service", unit.service).member("up", unit.up);
  write_verdict(out, unit.assessment);
  write_counts(out, "active", allocator::kKindNames, sum.active);
  out.member("processes", sum.processes).member("resident", sum.resident).member("anonymous", sum.anonymous);
  out.member("started_at", since > 0 ? std::optional(since) : std::nullopt);
  out.key("drift");
  unit.drift.known ? out.value(drift::kStateNames.name(unit.drift.state)) : out.null();
  out.end_object();
}

void write_config(JsonWriter& out, const snapshot::ConfigState& config) {
  out.key("config").begin_object();
  out.member("last_reload_successful", config.last_reload_successful);
  out.member("last_success_at", config.last_success_at);
  out.member("built_in_discovery", config.built_in_discovery);
  out.key("files").begin_array();
  for (const auto& file : config.files) out.value(file);
  out.end_array().member("error", config.error).end_object();
}

void write_links(JsonWriter& out, const policy::Assessment& assessment) {
  out.key("chain").begin_array();
  for (std::size_t i = 0; i < assessment.chain.size(); ++i) {
    const auto& link = assessment.chain[i];
    out.begin_object().member("link", policy::kLinkNames[i]);
    out.member("verdict", policy::kVerdictNames.name(link.verdict)).member("evidence", link.evidence);
    out.end_object();
  }
  out.end_array();
}

void write_differing(JsonWriter& out, const Unit& unit) {
  out.key("differing_processes").begin_array();
  for (const auto& process : unit.processes) {
    if (is_settled(process.state)) continue;
    out.begin_object().member("pid", process.pid).member("start_ticks", process.start_ticks);
    out.member("role", engine::kRoleNames.name(process.role));
    out.member("active", allocator::kKindNames.name(process.evidence.active));
    out.member("state", policy::kStateNames.name(process.state));
    out.member("reason", policy::kReasonNames.name(process.reason));
    out.member("detail", process.evidence.detail).end_object();
  }
  out.end_array();
}

}  // namespace

std::string render_status_json(const Snapshot& snapshot, double now) {
  const auto node = summarise(snapshot);
  auto out = begin_document(snapshot);
  out.member("version", snapshot.version).member("node", snapshot.hostname);
  out.member("started_at", snapshot.started_at).member("interval", snapshot.interval);
  out.member("age", sample_age(snapshot, now)).member("stale", is_stale(snapshot, now));
  write_config(out, snapshot.config);
  out.key("bus").begin_object().member("connected", snapshot.bus.connected);
  out.member("last_error", snapshot.bus.last_error).end_object();
  out.member("processes_unreadable", node.unreadable).member("evidence_pending", node.pending);
  out.member("processes_dropped", node.dropped);
  write_counts(out, "states", policy::kStateNames, node.states);
  out.key("units").begin_array();
  for (const auto& unit : snapshot.units) write_unit_line(out, unit);
  out.end_array();
  return end_document(out);
}

std::string render_list_json(const Snapshot& snapshot) {
  auto out = begin_document(snapshot);
  out.key("units").begin_array();
  for (const auto& unit : snapshot.units) {
    out.begin_object().member("name", unit.name).member("service", unit.service);
    out.member("engine", engine::kEngineNames.name(unit.engine));
    write_verdict(out, unit.assessment);
    out.end_object();
  }
  out.end_array();
  return end_document(out);
}

std::string render_show_json(const Snapshot& snapshot, const Unit& unit) {
  auto out = begin_document(snapshot);
  snapshot::write_unit(out.key("unit"), unit);
  return end_document(out);
}

std::string render_node_json(const Snapshot& snapshot) {
  auto out = begin_document(snapshot);
  out.member("hostname", snapshot.hostname);
  out.key("as_declared");
  if (snapshot.node.known) {
    out.value(is_as_declared(snapshot.node));
  } else {
    out.null();
  }
  snapshot::write_node(out.key("node"), snapshot.node);
  snapshot::write_model_files(out.key("model_files"), snapshot.model_files);
  return end_document(out);
}

std::string render_drift_json(const Snapshot& snapshot, std::span<const Unit> units) {
  auto out = begin_document(snapshot);
  out.member("drifting", std::ranges::any_of(units, is_drifting, &Unit::drift));
  out.key("units").begin_array();
  for (const auto& unit : units) {
    out.begin_object().member("name", unit.name).member("service", unit.service).member("up", unit.up);
    write_counts(out, "active", allocator::kKindNames, summarise(unit).active);
    out.member("glibc_heaps", glibc_heaps_of(unit));
    snapshot::write_drift(out.key("drift"), unit.drift);
    out.end_object();
  }
  out.end_array();
  return end_document(out);
}

std::string render_explain_json(const Snapshot& snapshot, const Unit& unit) {
  const auto& assessment = unit.assessment;
  const auto advice = advice_for(assessment.reason, unit.name);
  const std::size_t broken = first_broken_link(assessment);
  auto out = begin_document(snapshot);
  out.member("unit", unit.name);
  write_verdict(out, assessment);
  const bool settled = is_settled(assessment.state) || broken == policy::kLinkCount;
  out.key("first_broken_link");
  if (settled) {
    out.null();
  } else {
    out.value(policy::kLinkNames.at(broken));
  }
  write_links(out, assessment);
  write_environment(out.key("environment"), unit.environment);
  out.member("meaning", advice.meaning).member("action", advice.action);
  write_differing(out, unit);
  return end_document(out);
}

}  // namespace allocd::ctl
