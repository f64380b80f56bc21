// SPDX-License-Identifier: Apache-2.0
// Metrics of the exporter, of the observer and of the parts of its work.
#include "metrics/rows.hpp"

namespace allocd::metrics {
namespace {

using snapshot::Collector;
using snapshot::Enforcer;
using snapshot::Snapshot;

constexpr Type kGauge = Type::gauge;
constexpr Type kCounter = Type::counter;

// A moment that never came is not a moment in 1970.
std::optional<double> moment(double seconds) {
  return seconds > 0 ? std::optional(seconds) : std::nullopt;
}

template <auto Member>
void enforcer_number(const Snapshot& snapshot, const Sink& out) {
  if (snapshot.enforcer.known) out.add(snapshot.enforcer.*Member);
}
// A closed set, whatever the manifest says.
std::string_view verb_of(const Enforcer& enforcer) {
  for (const std::string_view verb : {"reconcile", "apply", "revert"}) {
    if (enforcer.last_run_verb == verb) return verb;
  }
  return "unknown";
}
template <auto Member>
void last_run(const Snapshot& snapshot, const Sink& out) {
  if (snapshot.enforcer.known && snapshot.enforcer.last_run_at > 0)
    out.add(snapshot.enforcer.*Member, {{"verb", verb_of(snapshot.enforcer)}});
}
template <auto Member>
void last_plan(const Snapshot& snapshot, const Sink& out) {
  if (snapshot.enforcer.known && snapshot.enforcer.last_plan_at > 0) out.add(snapshot.enforcer.*Member);
}

constexpr Row kExporterRows[] = {
    {{"allocd_exporter_build_info", kGauge, Scope::exporter, "version", "1, with the version of the exporter",
      "the program that answers the scrape"},
     [](const ExporterFacts& e, const Sink& out) { out.add(1, {{"version", e.version}}); }},
    {{"allocd_exporter_start_time_seconds", kGauge, Scope::exporter, "", "When the exporter started",
      "clock of the exporter"},
     [](const ExporterFacts& e, const Sink& out) { out.add(moment(e.started_at)); }},
    {{"allocd_exporter_snapshot_fetch_duration_seconds", kGauge, Scope::exporter, "",
      "Time it took to fetch and read the snapshot for this page", "clock of the exporter"},
     [](const ExporterFacts& e, const Sink& out) { out.add(e.fetch_duration); }},
    {{"allocd_exporter_snapshot_fetch_errors_total", kCounter, Scope::exporter, "",
      "Snapshots that could not be fetched or read", "the exporter"},
     [](const ExporterFacts& e, const Sink& out) { out.add(e.fetch_errors); }},
    {{"allocd_exporter_connections_dropped_total", kCounter, Scope::exporter, "",
      "Connections closed without an answer: silent, slow, malformed or one too many", "the exporter"},
     [](const ExporterFacts& e, const Sink& out) { out.add(e.connections_dropped); }},
};

constexpr Row kObserverRows[] = {
    {{"allocd_build_info", kGauge, Scope::observer, "version,revision,compiler",
      "1, with the version of the observer, the commit it was built from (unknown: it was not told) and the "
      "compiler",
      "the observer's build"},
     [](const Snapshot& s, const Sink& out) {
       out.add(1, {{"version", s.version}, {"revision", s.revision}, {"compiler", s.compiler}});
     }},
    {{"allocd_snapshot_timestamp_seconds", kGauge, Scope::observer, "",
      "When the sample behind this page was taken; its age is time() minus this", "clock of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(moment(s.taken_at)); }},
    {{"allocd_sample_interval_seconds", kGauge, Scope::observer, "", "Configured time between two samples",
      "observe.interval in the configuration"},
     [](const Snapshot& s, const Sink& out) { out.add(s.interval); }},
    {{"allocd_sample_duration_seconds", kGauge, Scope::observer, "", "Wall time of the last sample",
      "clock of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.sample_duration); }},
    {{"allocd_sample_cpu_seconds", kGauge, Scope::observer, "",
      "CPU time of the last sample, user and system", "CLOCK_PROCESS_CPUTIME_ID of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.sample_cpu); }},
    {{"allocd_sample_lateness_seconds", kGauge, Scope::observer, "", "How late the last sample began",
      "timer of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.sample_lateness); }},
    {{"allocd_samples_total", kCounter, Scope::observer, "", "Samples taken", "the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.samples); }},
    {{"allocd_observer_cpu_seconds_total", kCounter, Scope::observer, "",
      "CPU time of the observer, user and system", "getrusage of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.cpu_seconds); }},
    {{"allocd_observer_resident_memory_bytes", kGauge, Scope::observer, "", "Resident memory of the observer",
      "VmRSS in the observer's own status file"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.resident); }},
    {{"allocd_observer_start_time_seconds", kGauge, Scope::observer, "", "When the observer started",
      "clock of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(moment(s.started_at)); }},
    {{"allocd_evidence_reads_total", kCounter, Scope::observer, "",
      "Processes whose allocator was looked for", "the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.evidence_reads); }},
    {{"allocd_evidence_deadlines_total", kCounter, Scope::observer, "",
      "Such looks that were given up at their deadline", "the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.evidence_deadlines); }},
    {{"allocd_costly_reads_total", kCounter, Scope::observer, "",
      "Reads of files that walk the page tables of a process; 0 unless a service asks for them",
      "the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.costly_reads); }},
    {{"allocd_costly_read_seconds_total", kCounter, Scope::observer, "",
      "Time these took, all of it inside a process's memory lock at worst", "clock of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.own.costly_seconds); }},
    {{"allocd_bus_connected", kGauge, Scope::observer, "", "1 if the observer is connected to the system bus",
      "sd-bus"},
     [](const Snapshot& s, const Sink& out) { out.add(s.bus.connected); }},
    {{"allocd_bus_reconnects_total", kCounter, Scope::observer, "", "Connections to the bus after the first",
      "sd-bus"},
     [](const Snapshot& s, const Sink& out) { out.add(s.bus.reconnects); }},
    {{"allocd_bus_timeouts_total", kCounter, Scope::observer, "", "Calls to systemd that met their deadline",
      "sd-bus"},
     [](const Snapshot& s, const Sink& out) { out.add(s.bus.timeouts); }},
    {{"allocd_bus_errors_total", kCounter, Scope::observer, "", "Calls to systemd that failed", "sd-bus"},
     [](const Snapshot& s, const Sink& out) { out.add(s.bus.errors); }},
    {{"allocd_config_last_reload_successful", kGauge, Scope::observer, "",
      "1 if the configuration on disk was accepted when it was last read; 0: an older one is in force",
      "the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(s.config.last_reload_successful); }},
    {{"allocd_config_last_reload_success_timestamp_seconds", kGauge, Scope::observer, "",
      "When a configuration was last accepted", "clock of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(moment(s.config.last_success_at)); }},
    {{"allocd_enforcer_applied_total", kCounter, Scope::observer, "",
      "Drop-ins the enforcer has written; like all its figures without a sample while its manifest cannot be "
      "read",
      "manifest of the enforcer"},
     enforcer_number<&Enforcer::applied_total>},
    {{"allocd_enforcer_rolled_back_total", kCounter, Scope::observer, "",
      "Drop-ins taken back because a unit did not live under them", "manifest of the enforcer"},
     enforcer_number<&Enforcer::rolled_back_total>},
    {{"allocd_enforcer_reverted_total", kCounter, Scope::observer, "",
      "Drop-ins removed because nothing asks for them any more, or by hand", "manifest of the enforcer"},
     enforcer_number<&Enforcer::reverted_total>},
    {{"allocd_enforcer_restarts_total", kCounter, Scope::observer, "", "Units restarted by their policy",
      "manifest of the enforcer"},
     enforcer_number<&Enforcer::restarts_total>},
    {{"allocd_enforcer_last_run_timestamp_seconds", kGauge, Scope::observer, "verb",
      "When the enforcer last ran, and what for (reconcile: by itself); this and what follows of its last "
      "run "
      "without a sample if it never did",
      "manifest of the enforcer"},
     last_run<&Enforcer::last_run_at>},
    {{"allocd_enforcer_last_run_success", kGauge, Scope::observer, "verb",
      "1 if its last run did all there was to do", "manifest of the enforcer"},
     last_run<&Enforcer::last_run_success>},
    {{"allocd_enforcer_last_run_changes", kGauge, Scope::observer, "verb",
      "Drop-ins its last run wrote or removed", "manifest of the enforcer"},
     last_run<&Enforcer::last_run_changes>},
    {{"allocd_enforcer_last_run_blocked", kGauge, Scope::observer, "verb",
      "Policies its last run could not apply", "manifest of the enforcer"},
     last_run<&Enforcer::last_run_blocked>},
    {{"allocd_enforcer_last_plan_timestamp_seconds", kGauge, Scope::observer, "",
      "When the enforcer last made a plan for more than single units: by itself for what is enforced, or for "
      "all "
      "when an operator applied all; without a sample if it never did, as with mode observe until then",
      "manifest of the enforcer"},
     last_plan<&Enforcer::last_plan_at>},
    {{"allocd_enforcer_last_plan_changes", kGauge, Scope::observer, "",
      "Drop-ins that plan was to write or remove", "manifest of the enforcer"},
     last_plan<&Enforcer::last_plan_changes>},
    {{"allocd_enforcer_last_plan_blocked", kGauge, Scope::observer, "", "Policies that plan found blocked",
      "manifest of the enforcer"},
     last_plan<&Enforcer::last_plan_blocked>},
    {{"allocd_node_mappings_limit", kGauge, Scope::observer, "", "Most mappings a process may have",
      "sysctl vm.max_map_count"},
     [](const Snapshot& s, const Sink& out) {
       if (s.max_map_count > 0) out.add(s.max_map_count);
     }},
    {{"allocd_node_read_timestamp_seconds", kGauge, Scope::observer, "",
      "When the state of the machine was last read; when that is more than three intervals ago nothing is "
      "said "
      "about it",
      "clock of the observer"},
     [](const Snapshot& s, const Sink& out) { out.add(moment(s.node.read_at)); }},
    {{"allocd_node_read_duration_seconds", kGauge, Scope::observer, "", "How long that took",
      "clock of the observer"},
     [](const Snapshot& s, const Sink& out) {
       if (s.node.known) out.add(s.node.duration);
     }},
    {{"allocd_collector_success", kGauge, Scope::collector, "collector",
      "1 if this part of the last sample succeeded", "the observer"},
     [](const Collector& c, const Sink& out) { out.add(c.success); }},
    {{"allocd_collector_duration_seconds", kGauge, Scope::collector, "collector",
      "Wall time of this part in its last run", "clock of the observer"},
     [](const Collector& c, const Sink& out) { out.add(c.duration); }},
    {{"allocd_collector_cpu_seconds", kGauge, Scope::collector, "collector",
      "CPU time of this part in its last run, user and system; no sample for a part that runs on the loop, "
      "which "
      "never waits: its duration tells",
      "clock of the part's own thread"},
     [](const Collector& c, const Sink& out) {
       if (c.cpu > 0) out.add(c.cpu);
     }},
    {{"allocd_collector_last_success_timestamp_seconds", kGauge, Scope::collector, "collector",
      "When this part last succeeded", "clock of the observer"},
     [](const Collector& c, const Sink& out) { out.add(moment(c.last_success_at)); }},
    {{"allocd_collector_permission_errors", kGauge, Scope::collector, "collector",
      "Things this part was not permitted to read in its last run", "EPERM and EACCES"},
     [](const Collector& c, const Sink& out) { out.add(c.permission_errors); }},
    {{"allocd_collector_errors_total", kCounter, Scope::collector, "collector", "Errors of this part",
      "the observer"},
     [](const Collector& c, const Sink& out) { out.add(c.errors); }},
};

}  // namespace

std::span<const Row> exporter_rows() {
  return kExporterRows;
}
std::span<const Row> observer_rows() {
  return kObserverRows;
}

const MetricDoc& observer_up_doc() {
  static constexpr MetricDoc kDoc{
      kObserverUp,
      kGauge,
      Scope::exporter,
      "",
      "1 if this page is made from a fresh snapshot of the observer; when it is 0 "
      "nothing is said about units",
      "snapshot socket"};
  return kDoc;
}

}  // namespace allocd::metrics
