// SPDX-License-Identifier: Apache-2.0
#include "observer/sampler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "engine/engine.hpp"
#include "observer/assess.hpp"
#include "observer/locality.hpp"
#include "observer/role_sums.hpp"
#include "observer/selection.hpp"
#include "policy/selection.hpp"
#include "policy/wanted_variables.hpp"

namespace allocd::observer {

namespace {

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double from_usec(std::uint64_t usec) {
  return static_cast<double>(usec) * 1e-6;
}

engine::Engine decide_unit_engine(const host::UnitFacts& facts) {
  for (const auto& argv : facts.exec_start) {
    if (const auto engine = engine::decide_engine(argv); engine != engine::Engine::unknown) return engine;
  }
  return engine::Engine::unknown;
}

std::string find_variable(const std::vector<std::string>& environment, std::string_view name) {
  std::string value;
  for (const std::string& entry : environment) {
    const std::string_view text = entry;
    if (text.starts_with(name) && text.substr(name.size()).starts_with('='))
      value = text.substr(name.size() + 1);
  }
  return value;
}

snapshot::Memory to_memory(const kernel::ProcessStatus& status) {
  return {status.resident,      status.anonymous, status.file,   status.shared,      status.swap,
          status.peak_resident, status.locked,    status.pinned, status.page_tables, status.hugetlb};
}

snapshot::Unit describe(const host::UnitFacts& facts) {
  snapshot::Unit unit;
  unit.name = facts.name;
  unit.engine = decide_unit_engine(facts);
  unit.load_state = facts.load_state;
  unit.active_state = facts.active_state;
  unit.sub_state = facts.sub_state;
  unit.fragment_path = facts.fragment_path;
  unit.drop_in_paths = facts.drop_in_paths;
  unit.control_group = facts.control_group;
  unit.invocation_id = facts.invocation_id;
  unit.main_pid = facts.main_pid;
  unit.restarts = facts.restarts;
  unit.started_at = from_usec(facts.active_enter_usec);
  unit.need_daemon_reload = facts.need_daemon_reload;
  unit.preload = find_variable(facts.environment, "LD_PRELOAD");
  unit.malloc_conf = find_variable(facts.environment, "MALLOC_CONF");
  return unit;
}

// True when something became known that was not.
bool take_reading(TrackedProcess& process, const Reading& reading) {
  const engine::RoleClaim before = process.role();
  if (reading.command_line) process.take_title(*reading.command_line);
  const bool is_renamed = !(process.role() == before);
  return (reading.identification && process.take(*reading.identification)) || is_renamed;
}

}  // namespace

struct Sampler::Run {
  const settings::Settings& settings;
  const host::BusState& bus;
  Clock::time_point now;
  kernel::StartClock start_clock;
  snapshot::Snapshot snapshot;
  std::uint64_t permission_errors = 0;
  std::uint64_t evidence_permission_errors = 0;
  std::uint64_t evidence_failures = 0;
  std::uint64_t read_errors = 0;
  double list_seconds = 0;
  double read_seconds = 0;
  std::string cgroup_error;

  void note_cgroup_error(std::string error) {
    if (cgroup_error.empty()) cgroup_error = std::move(error);
  }
};

Sampler::Sampler(const host::Root& root, EvidencePool& pool)
    : root_(root),
      preload_files_(root),
      unit_files_(root),
      enforcer_(root),
      policy_digests_([&root](const settings::Service& service, const std::string& root_directory) {
        return enforcer::read_digest(root, service, root_directory);
      }),
      pool_(pool),
      tree_(root, kernel::find_cgroup_mount(root)),
      memory_(root),
      system_(kernel::read_system_facts(root)) {
  if (auto proc = kernel::open_process_directory(root)) proc_ = std::move(*proc);
}

snapshot::Snapshot Sampler::sample(const settings::Settings& settings,
                                   const std::map<std::string, host::UnitFacts>& units,
                                   const host::BusState& bus, Clock::time_point now) {
  ++number_;
  Run run{.settings = settings, .bus = bus, .now = now};
  refresh_machine(bus);
  enforcer_.refresh();
  grounds_.clear();
  partly_seen_.clear();
  run.snapshot.enforcer = enforcer_.summary();
  for (const auto& [name, facts] : units) add_unit(run, facts);
  // A unit named in full has its series also before systemd has said anything of it.
  for (const auto& name : policy::select_units(settings).names) {
    if (!units.contains(name)) add_unit(run, {.name = name});
  }
  add_cgroups(run);
  finish(run);
  return std::move(run.snapshot);
}

// Specifiers are what they were when systemd last read its unit files.
void Sampler::refresh_machine(const host::BusState& bus) {
  const bool is_same = machine_read_ && machine_read_ == bus.units_load_usec &&
                       bus.manager_environment == machine_.manager_environment &&
                       bus.systemd_version == systemd_version_;
  if (is_same) return;
  machine_ = unitfile::read_machine(root_, bus.manager_environment, bus.systemd_version);
  machine_read_ = bus.units_load_usec;
  systemd_version_ = bus.systemd_version;
}

void Sampler::add_unit(Run& run, const host::UnitFacts& facts) {
  snapshot::Unit unit = describe(facts);
  add_unit_placement(facts, unit);
  if (const auto* service = policy::find_service(run.settings, facts.name)) {
    unit.service = service->name;
    unit.wanted = service->allocator;
    unit.mode = settings::effective_mode(run.settings, *service);
  }
  const Gaps gaps = sample_unit(run, unit);
  assess(unit, make_setting(run, unit, facts, gaps), gaps);
  unit.roles = sum_roles(unit.processes);
  run.snapshot.units.push_back(std::move(unit));
}

policy::UnitSetting Sampler::make_setting(const Run& run, snapshot::Unit& unit, const host::UnitFacts& facts,
                                          const Gaps& gaps) {
  auto setting = make_unit_setting(unit, &facts, gaps);
  // Where nothing is asked for, nothing is read.
  if (unit.wanted == settings::Wanted::any || !setting.bus_available) return setting;
  const auto& files = unit_files_.look(facts, machine_, kernel::realtime_now());
  add_files(files, setting, unit);
  if (const auto* service = policy::find_service(run.settings, facts.name))
    setting.wanted_variables = policy::decide_wanted_variables(*service, setting);
  const double loaded_at = preload_files_.loaded_at(facts, from_usec(run.bus.units_load_usec));
  setting.loaded_at = std::max(loaded_at, files.changed_at);
  const auto* record = enforcer_.find(facts);
  if (record != nullptr) add_record(*record, facts, setting, unit);
  note_grounds(run, unit, facts, files, record);
  if (enforcer_.is_at_work() && !setting.drop_in_present) unit.drop_in.applied_at = 0;
  return setting;
}

void Sampler::note_grounds(const Run& run, const snapshot::Unit& unit, const host::UnitFacts& facts,
                           const UnitFilesView& files, const enforcer::TargetRecord* record) {
  const auto* service = policy::find_service(run.settings, facts.name);
  if (service == nullptr || unit.mode != settings::Mode::enforce) return;
  const auto& digest =
      policy_digests_.look(*service, facts.root_directory, run.now, run.settings.observe.recheck_interval);
  const bool is_latched = record != nullptr && !record->rolled_back.empty();
  grounds_[unit.name] = {.files = files.digest,
                         .policy = digest.is_whole ? digest.text : "",
                         .latched = is_latched ? record->digest : ""};
}

void Sampler::add_cgroups(Run& run) {
  for (const auto& [service, pattern] : cgroup_selectors(run.settings)) {
    auto paths = tree_.match(pattern);
    // A group named in full has its series also while it is not there.
    if (paths.empty() && !base::has_glob_characters(pattern)) paths.push_back(pattern);
    if (paths.size() > kMaxGroupsPerSelector) {
      run.note_cgroup_error(fmt::format("cgroup: {} matches {} groups, the first {} are watched", pattern,
                                        paths.size(), kMaxGroupsPerSelector));
      paths.resize(kMaxGroupsPerSelector);
    }
    for (auto& path : paths) {
      // Two patterns may match one group: the first service that selects it has it, as with units.
      if (std::ranges::count(run.snapshot.units, path, &snapshot::Unit::name) > 0) continue;
      snapshot::Unit unit;
      unit.name = path;
      unit.control_group = path;
      unit.source = settings::SelectorKind::cgroup;
      unit.service = service->name;
      unit.wanted = service->allocator;
      const Gaps gaps = sample_unit(run, unit);
      assess(unit, make_unit_setting(unit, nullptr, gaps), gaps);
      unit.roles = sum_roles(unit.processes);
      run.snapshot.units.push_back(std::move(unit));
    }
  }
}

Gaps Sampler::sample_unit(Run& run, snapshot::Unit& unit) {
  Gaps gaps;
  UnitTracker& tracker = trackers_[unit.name];
  memory_.sample(unit, run.now, run.settings.observe.node_interval);
  if (unit.control_group.empty()) {
    tracker.clear();
  } else {
    const auto sample = tracker.sample(tree_, unit.control_group, proc_.get(), number_,
                                       run.settings.observe.max_processes_per_unit, run.now);
    // A unit between stop and start has a path and no group: down, not an error.
    const bool is_error = !sample.listed && unit.active_state == "active";
    if (is_error) run.note_cgroup_error(sample.error);
    if (sample.truncated) run.note_cgroup_error(unit.name + ": more control groups than are read");
    gaps.unseen = sample.dropped + sample.permission_errors + sample.read_errors + (is_error ? 1 : 0) +
                  (sample.truncated ? 1 : 0);
    if (gaps.unseen > 0) partly_seen_.insert(unit.name);
    run.list_seconds += sample.list_seconds;
    run.read_seconds += sample.read_seconds;
    unit.processes_dropped = sample.dropped;
    unit.permission_errors = sample.permission_errors;
    run.permission_errors += sample.permission_errors;
    run.read_errors += sample.read_errors;
    for (const auto& [pid, process] : tracker.processes()) {
      add_process(run, unit, sample, process);
      const auto& known = process.identification();
      if (!known || known->outcome == allocator::Outcome::early) gaps.pending.push_back(pid);
    }
    unit.up = sample.listed && !unit.processes.empty();
  }
  unit.processes_seen = tracker.seen();
  unit.processes_vanished = tracker.vanished();
  return gaps;
}

void Sampler::add_process(Run& run, snapshot::Unit& unit, const UnitSample& sample,
                          const TrackedProcess& tracked) {
  snapshot::Process& process = unit.processes.emplace_back();
  process.pid = tracked.id().pid;
  process.start_ticks = tracked.id().start_ticks;
  process.started_at = run.start_clock.to_realtime(process.start_ticks);
  process.comm = tracked.comm();
  if (tracked.group < sample.groups.size()) process.cgroup = sample.groups[tracked.group];
  process.role = tracked.role().role;
  process.ranks = tracked.role().ranks;
  process.memory = to_memory(tracked.status());
  process.threads = static_cast<std::uint32_t>(std::min<std::uint64_t>(tracked.status().threads, UINT32_MAX));
  process.minor_faults = tracked.minor_faults();
  process.major_faults = tracked.major_faults();
  const auto& placement = tracked.placement();
  process.placement = {placement.thp_enabled, placement.cpus_allowed, placement.mems_allowed, {}};
  if (unit.engine == engine::Engine::unknown) unit.engine = tracked.engine();
  const auto& known = tracked.identification();
  if (!known) {
    process.evidence.detail = "not read yet";
    ++unit.evidence_pending;
    return;
  }
  process.evidence = known->evidence;
  process.placement.gpus = known->devices;
  if (known->outcome == allocator::Outcome::early) ++unit.evidence_pending;
  if (known->outcome == allocator::Outcome::not_permitted) {
    process.reason = policy::Reason::not_permitted;
    ++unit.permission_errors;
    ++run.evidence_permission_errors;
  }
  if (known->outcome == allocator::Outcome::given_up || known->outcome == allocator::Outcome::failed) {
    ++run.evidence_failures;
  }
}

void Sampler::finish(Run& run) {
  std::ranges::sort(run.snapshot.units, {}, &snapshot::Unit::name);
  std::erase_if(trackers_, [&](const auto& entry) {
    return !std::ranges::binary_search(run.snapshot.units, entry.first, {}, &snapshot::Unit::name);
  });
  const auto is_watched = [&](const std::string& unit) { return trackers_.contains(unit); };
  preload_files_.forget_unless(is_watched);
  unit_files_.forget_unless(is_watched);
  memory_.forget_unless(is_watched);
  index_processes();
  note_collector("units", run.bus.connected && run.bus.complete,
                 seconds_since(run.now) - run.list_seconds - run.read_seconds - memory_.seconds(),
                 run.bus.last_error);
  note_collector("cgroups", run.cgroup_error.empty(), run.list_seconds, run.cgroup_error);
  note_collector("processes", proc_ && run.read_errors == 0, run.read_seconds,
                 proc_ ? "a process could not be read" : "the process directory cannot be opened");
  note_evidence(run.evidence_failures);
  note_memory();
  const std::string& trouble = enforcer_.problem().empty() ? enforcement_problem_ : enforcer_.problem();
  note_collector("enforcement", trouble.empty(), 0, trouble);
  collectors_["processes"].permission_errors = run.permission_errors;
  collectors_["allocators"].permission_errors = run.evidence_permission_errors;
  for (const auto& [name, collector] : collectors_) run.snapshot.collectors.push_back(collector);
  run.snapshot.boot_id = system_.boot_id;
  run.snapshot.hostname = system_.hostname;
  run.snapshot.kernel_release = system_.release;
  run.snapshot.max_map_count = system_.max_map_count;
}

void Sampler::note_evidence(std::uint64_t failures) {
  const EvidenceCounts counts = pool_.counts();
  std::string error;
  if (counts.exhausted) {
    error = fmt::format("no allocator is read: all {} readers wait for processes that hold their memory lock",
                        counts.stuck);
  } else if (std::exchange(pool_was_full_, false)) {
    error = "more processes wait to be read than the queue takes";
  } else if (failures > 0) {
    error = "some evidence could not be read in time";
  }
  note_collector("allocators", error.empty(), counts.read_seconds - evidence_seconds_, error);
  evidence_seconds_ = counts.read_seconds;
}

void Sampler::note_memory() {
  auto totals = memory_.take_totals();
  note_collector("cgroup_memory", totals.errors == 0, totals.seconds, std::move(totals.error));
  collectors_["cgroup_memory"].permission_errors = totals.permission_errors;
}

void Sampler::note_collector(const std::string& name, bool success, double duration, std::string error) {
  snapshot::Collector& collector = collectors_[name];
  collector.name = name;
  collector.success = success;
  collector.duration = duration;
  if (success) {
    collector.last_success_at = kernel::realtime_now();
    collector.last_error.clear();
  } else {
    ++collector.errors;
    collector.last_error = std::move(error);
  }
}

void Sampler::index_processes() {
  watched_.clear();
  for (auto& [unit, tracker] : trackers_) {
    for (auto& [pid, process] : tracker.processes()) watched_.push_back({process.id(), &process, &unit});
  }
  std::ranges::sort(watched_, {}, &Watched::id);
  std::vector<ProcessId> ids;
  std::vector<Due> due;
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    ids.push_back(watched_[i].id);
    due.emplace_back(watched_[i].process->next_due(), i);
  }
  pool_.retain(ids);
  due_ = decltype(due_)(std::greater<>(), std::move(due));
}

void Sampler::visit_processes(const std::string& unit,
                              const std::function<void(const TrackedProcess&)>& visit) const {
  const auto tracker = trackers_.find(unit);
  if (tracker == trackers_.end()) return;
  for (const auto& [pid, process] : tracker->second.processes()) visit(process);
}

void Sampler::submit_due(Clock::time_point now, const settings::Observe& pace) {
  while (!due_.empty() && due_.top().first <= now) {
    const std::size_t index = due_.top().second;
    due_.pop();
    ask(watched_[index], now, pace);
    due_.emplace(watched_[index].process->next_due(), index);
  }
}

// A refusal is not repeated: the process is asked again when its schedule says so.
void Sampler::ask(const Watched& watched, Clock::time_point now, const settings::Observe& pace) {
  TrackedProcess& process = *watched.process;
  const auto want = process.due(now);
  if (!want) return;
  const auto submitted = pool_.submit(*watched.unit, watched.id, process.handle(), *want);
  if (submitted == Submitted::full) pool_was_full_ = true;
  if (submitted == Submitted::unit_is_stuck && want == Want::evidence) process.take(make_unit_is_stuck());
  process.schedule_next(*want, now, pace);
}

std::optional<Clock::time_point> Sampler::next_due() const {
  if (due_.empty()) return std::nullopt;
  return due_.top().first;
}

bool Sampler::take_evidence() {
  bool is_news = false;
  for (const EvidenceResult& result : pool_.collect()) {
    for (const Watched& watched : std::ranges::equal_range(watched_, result.id, {}, &Watched::id)) {
      is_news = take_reading(*watched.process, result.reading) || is_news;
      if (result.timed_out) timed_out_.push_back({*watched.unit, result.id.pid});
    }
  }
  return is_news;
}

std::vector<Sampler::TimedOut> Sampler::take_timed_out() {
  return std::exchange(timed_out_, {});
}

}  // namespace allocd::observer
