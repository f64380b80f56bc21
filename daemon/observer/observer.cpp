// SPDX-License-Identifier: Apache-2.0
#include "observer/observer.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/build_facts.hpp"
#include "host/message_id.hpp"
#include "kernel/system.hpp"
#include "observer/read_process.hpp"
#include "observer/status_line.hpp"
#include "policy/selection.hpp"
#include "settings/load.hpp"

namespace allocd::observer {

namespace {

using host::Priority;
using std::chrono::microseconds;
using std::chrono::milliseconds;
namespace id = host::message_id;

// How long the first sample waits for a systemd that does not answer before it goes without.
constexpr std::chrono::seconds kBusPatience{5};
// News brings the next sample forward, at most this often.
constexpr milliseconds kEarliestNext{1000};
constexpr std::uint64_t kAccuracyUsec = 10'000;

std::uint64_t to_usec(Clock::time_point at) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<microseconds>(at.time_since_epoch()).count());
}

double to_seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// One sample, taken by hand, is no part of what the service learns over days.
std::string drift_directory(const Options& options) {
  if (options.once || options.state_directory.empty()) return "";
  return options.state_directory + "/drift";
}

base::Result<void> check(int result, const char* what) {
  if (result < 0) return base::fault_from_errno("set up", what, -result);
  return {};
}

}  // namespace

Observer::Observer(Options options, settings::Settings settings, host::Root root, host::Journal& journal,
                   SnapshotBoard& board)
    : options_(std::move(options)),
      settings_(std::move(settings)),
      root_(std::move(root)),
      journal_(journal),
      board_(board),
      pool_(make_process_reader(), settings_.observe.read_deadline),
      sampler_(root_, pool_),
      change_log_(journal),
      started_(Clock::now()),
      gate_(started_),
      started_at_(kernel::realtime_now()) {
  config_.last_success_at = started_at_;
  config_.files = settings_.files;
  config_.built_in_discovery = policy::uses_built_in_discovery(settings_);
}

base::Result<int> Observer::run() {
  sd_event* loop = nullptr;
  if (const int error = sd_event_default(&loop); error < 0)
    return base::fault_from_errno("create", "the event loop", -error);
  loop_.reset(loop);
  auto units =
      host::make_unit_manager(loop, {.address = options_.bus_address}, [this] { on_units_changed(); });
  if (!units) return std::unexpected(units.error());
  units_ = std::move(*units);
  units_->select(policy::select_units(settings_));
  if (auto added = add_sources(); !added) return std::unexpected(added.error());
  auto side = SideWatch::start(loop, root_, settings_, [this] {
    if (!ready_) sample_soon();
  });
  if (!side) return std::unexpected(side.error());
  side_ = std::move(*side);
  auto drift_event = SideEvent::make();
  if (!drift_event) return std::unexpected(drift_event.error());
  drift_ = std::make_unique<DriftWatch>(root_, drift_directory(options_), journal_, std::move(*drift_event));
  if (!options_.once) {
    enforcement_ = std::make_unique<Enforcement>(
        loop, root_, journal_, Enforcement::Options{options_.look_now_path, sampler_.manifest_directory()},
        [this] { on_files_changed(); });
  }
  const int code = sd_event_loop(loop);
  if (code >= 0) drift_->save_all();
  // The bus must go before the loop does.
  service_.reset();
  enforcement_.reset();
  drift_.reset();
  side_.reset();
  units_.reset();
  if (code < 0) return base::fault_from_errno("run", "the event loop", -code);
  return code;
}

base::Result<void> Observer::add_sources() {
  sd_event* loop = loop_.get();
  std::array<sd_event_source*, 7> made{};
  next_sample_ = Clock::now();
  const std::uint64_t never = UINT64_MAX;
  const std::array<int, 6> results{
      sd_event_add_time(loop, &made[0], CLOCK_MONOTONIC, to_usec(next_sample_), kAccuracyUsec,
                        &on_sample_timer, this),
      sd_event_add_io(loop, &made[1], pool_.event_fd(), EPOLLIN, &on_evidence, this),
      sd_event_add_time(loop, &made[2], CLOCK_MONOTONIC, never, kAccuracyUsec, &on_evidence_timer, this),
      sd_event_add_signal(loop, &made[3], SIGHUP, &on_reload, this),
      sd_event_add_signal(loop, &made[4], SIGTERM, &on_stop, this),
      sd_event_add_signal(loop, &made[5], SIGINT, &on_stop, this)};
  sample_timer_.reset(made[0]);
  evidence_io_.reset(made[1]);
  evidence_timer_.reset(made[2]);
  hangup_.reset(made[3]);
  terminate_.reset(made[4]);
  interrupt_.reset(made[5]);
  for (const int result : results) {
    if (auto checked = check(result, "an event source"); !checked) return checked;
  }
  std::uint64_t watchdog = 0;
  if (sd_watchdog_enabled(0, &watchdog) > 0) {
    watchdog_ = microseconds(watchdog);
    const int result = sd_event_add_time_relative(loop, &made[6], CLOCK_MONOTONIC, watchdog / 3,
                                                  kAccuracyUsec, &on_watchdog, this);
    watchdog_timer_.reset(made[6]);
    return check(result, "the watchdog timer");
  }
  return {};
}

int Observer::on_sample_timer(sd_event_source* /*source*/, std::uint64_t scheduled, void* self) {
  auto& observer = *static_cast<Observer*>(self);
  const double lateness = to_seconds(Clock::now().time_since_epoch()) - static_cast<double>(scheduled) * 1e-6;
  observer.arm_sample(Clock::now() + observer.settings_.observe.interval);
  observer.take_sample(std::max(0.0, lateness));
  return 0;
}

int Observer::on_evidence(sd_event_source* /*source*/, int /*fd*/, std::uint32_t /*events*/, void* self) {
  auto& observer = *static_cast<Observer*>(self);
  observer.evidence_news_ = observer.sampler_.evidence().take_evidence() || observer.evidence_news_;
  observer.log_timeouts();
  // One early sample for a whole batch of processes, when the last of them has been read.
  if (observer.pool_.counts().waiting == 0 && (observer.evidence_news_ || !observer.ready_))
    observer.sample_soon();
  return 0;
}

int Observer::on_evidence_timer(sd_event_source* /*source*/, std::uint64_t /*now*/, void* self) {
  auto& observer = *static_cast<Observer*>(self);
  const auto now = Clock::now();
  observer.pool_.expire(now);
  observer.sampler_.evidence().submit_due(now, observer.settings_.observe);
  observer.arm_evidence();
  return 0;
}

int Observer::on_watchdog(sd_event_source* source, std::uint64_t now, void* self) {
  auto& observer = *static_cast<Observer*>(self);
  sd_event_source_set_time(source, now + static_cast<std::uint64_t>(observer.watchdog_.count()) / 3);
  sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
  const auto verdict =
      observer.gate_.judge(Clock::now(), observer.settings_.observe.interval, observer.watchdog_);
  if (verdict.may_feed) sd_notify(0, "WATCHDOG=1");
  if (verdict.stalled_for) {
    observer.journal_.log(
        Priority::error, id::kStalled, "No sample has been finished; the watchdog is not fed.",
        {{"ALLOCD_CAUSE", fmt::format("no sample for {:.0f} s", to_seconds(*verdict.stalled_for))}});
  }
  return 0;
}

int Observer::on_reload(sd_event_source* /*source*/, const signalfd_siginfo* /*info*/, void* self) {
  static_cast<Observer*>(self)->reload();
  return 0;
}

int Observer::on_stop(sd_event_source* /*source*/, const signalfd_siginfo* /*info*/, void* self) {
  auto& observer = *static_cast<Observer*>(self);
  sd_notify(0, "STOPPING=1");
  observer.journal_.log(Priority::info, id::kStopping, "Stopping.", {});
  return sd_event_exit(observer.loop_.get(), 0);
}

void Observer::on_units_changed() {
  if (sample_timer_) sample_soon();
}

void Observer::on_files_changed() {
  sampler_.distrust_files();
  sample_soon();
}

// Also before the first complete sample: what is watched early is not missed.
void Observer::follow_enforcement() {
  if (!enforcement_) return;
  enforcement_->watch(sampler_.drop_in_directories());
  if (ready_) enforcement_->consider(*board_.latest(), settings_, sampler_.grounds());
  sampler_.note_enforcement_problem(enforcement_->problem());
}

void Observer::arm_sample(Clock::time_point at) {
  next_sample_ = at;
  sd_event_source_set_time(sample_timer_.get(), to_usec(at));
  sd_event_source_set_enabled(sample_timer_.get(), SD_EVENT_ONESHOT);
}

void Observer::sample_soon() {
  const auto now = Clock::now();
  const auto spacing = std::min<milliseconds>(kEarliestNext, settings_.observe.interval);
  const auto at = ready_ ? std::max(now, last_sample_ + spacing) : now;
  if (at < next_sample_) arm_sample(at);
}

void Observer::arm_evidence() {
  const auto now = Clock::now();
  auto at = sampler_.evidence().next_due();
  // A read in progress, or one that begins at once.
  auto late = pool_.next_deadline();
  if (!late && pool_.counts().waiting > 0) late = now + settings_.observe.read_deadline;
  if (late) at = at ? std::min(*at, *late) : late;
  if (!at) return;
  sd_event_source_set_time(evidence_timer_.get(), to_usec(std::max(*at, now)));
  sd_event_source_set_enabled(evidence_timer_.get(), SD_EVENT_ONESHOT);
}

void Observer::take_sample(double lateness) {
  const auto begun = Clock::now();
  const double cpu_before = kernel::own_cpu_seconds();
  pool_.expire(begun);
  sampler_.evidence().take_evidence();
  evidence_news_ = false;
  auto snapshot = sampler_.sample(settings_, units_->units(), units_->state(), begun);
  sampler_.evidence().submit_due(begun, settings_.observe);
  side_->follow(snapshot, sampler_, settings_);
  drift_->follow(snapshot, [this](const std::string& unit) { return sampler_.is_whole(unit); },
                 {kernel::realtime_now(), kernel::since_boot_now()});
  describe_observer(snapshot, cpu_before, begun, lateness);
  last_sample_ = Clock::now();
  gate_.note_sample(last_sample_);
  arm_evidence();
  if (!ready_ && !is_first_complete(last_sample_)) {
    arm_sample(std::min(next_sample_, last_sample_ + milliseconds(250)));
    return;
  }
  change_log_.note(snapshot);
  const auto status = fmt::format("STATUS={}", render_status_line(snapshot));
  board_.publish(std::move(snapshot));
  sd_notify(0, status.c_str());  // what it says can be read
  if (!ready_) become_ready();
  follow_enforcement();
}

bool Observer::is_first_complete(Clock::time_point now) {
  const bool bus_done = units_->state().complete || now > started_ + kBusPatience;
  const bool evidence_done =
      pool_.counts().waiting == 0 || now > started_ + kBusPatience + settings_.observe.read_deadline;
  const bool node_done = side_->knows_node() || now > started_ + kBusPatience;
  return bus_done && evidence_done && node_done;
}

void Observer::become_ready() {
  ready_ = true;
  if (options_.once) {
    sd_event_exit(loop_.get(), 0);
    return;
  }
  serve_snapshots();
  sd_notify(0, "READY=1");
  journal_.log(Priority::info, id::kReady,
               fmt::format("allocd {} is ready: {}.", ALLOCD_VERSION, render_status_line(*board_.latest())),
               {});
}

void Observer::serve_snapshots() {
  auto service = SnapshotService::make(board_);
  if (!service) return note_unserved(options_.socket_path, service.error());
  service_ = std::move(*service);
  for (const auto& [path, detail] :
       {std::pair{options_.socket_path, snapshot::Detail::everything},
        std::pair{options_.summary_socket_path, snapshot::Detail::without_processes}}) {
    if (auto added = service_->add(path, detail); !added) note_unserved(path, added.error());
  }
  auto started = service_->start();
  if (started) return;
  service_.reset();  // refused, readers need not wait for an answer
  note_unserved(options_.socket_path, started.error());
}

void Observer::note_unserved(const std::string& path, const base::Fault& fault) {
  journal_.log(Priority::error, id::kSnapshotSocketFailed,
               fmt::format("{}; allocctl or the exporter will not find this daemon.", fault.message()),
               {{"ALLOCD_PATH", path}, {"ALLOCD_CAUSE", fault.cause}});
  // By hand, with an exporter that would have nothing to show, or another allocd's.
  if (!options_.listen_addresses.empty()) sd_event_exit(loop_.get(), 1);
}

void Observer::describe_observer(snapshot::Snapshot& snapshot, double cpu_before, Clock::time_point begun,
                                 double lateness) {
  snapshot.version = ALLOCD_VERSION;
  snapshot.revision = base::build_revision();
  snapshot.compiler = base::build_compiler();
  snapshot.sequence = ++sequence_;
  snapshot.taken_at = kernel::realtime_now();
  snapshot.started_at = started_at_;
  snapshot.interval = to_seconds(settings_.observe.interval);
  snapshot.config = config_;
  const host::BusState& bus = units_->state();
  snapshot.bus = {bus.connected, bus.reconnects, bus.timeouts, bus.errors, bus.last_error};
  const EvidenceCounts counts = pool_.counts();
  snapshot.own.pid = static_cast<std::uint32_t>(::getpid());
  snapshot.own.resident = kernel::read_own_resident(root_);
  snapshot.own.cpu_seconds = kernel::own_cpu_seconds();
  snapshot.own.sample_cpu = snapshot.own.cpu_seconds - cpu_before;
  snapshot.own.sample_duration = to_seconds(Clock::now() - begun);
  snapshot.own.sample_lateness = lateness;
  snapshot.own.samples = sequence_;
  snapshot.own.evidence_reads = counts.reads;
  snapshot.own.evidence_deadlines = counts.deadlines;
}

void Observer::reload() {
  sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", to_usec(Clock::now())).c_str());
  auto loaded = settings::load_settings(root_, options_.config_file, options_.config_directory);
  if (loaded) {
    settings_ = std::move(*loaded);
    config_ = {.last_reload_successful = true,
               .last_success_at = kernel::realtime_now(),
               .built_in_discovery = policy::uses_built_in_discovery(settings_),
               .files = settings_.files};
    pool_.set_deadline(settings_.observe.read_deadline);
    units_->select(policy::select_units(settings_));
    side_->configure(settings_);
    journal_.log(Priority::notice, id::kConfigLoaded, "The configuration was read again.",
                 {{"ALLOCD_CONFIG", fmt::format("{}", fmt::join(settings_.files, " "))}});
  } else {
    config_.last_reload_successful = false;
    config_.error = settings::render_problems(loaded.error());
    journal_.log(
        Priority::error, id::kConfigRejected,
        fmt::format("The new configuration has errors; the old one stays in force.\n{}", config_.error),
        {{"ALLOCD_CONFIG", options_.config_file}});
  }
  if (ready_) sd_notify(0, "READY=1");  // else the first sample says so
  arm_sample(Clock::now());
}

void Observer::log_timeouts() {
  for (const auto& [unit, pid] : sampler_.evidence().take_timed_out()) {
    journal_.log(
        Priority::warning, id::kEvidenceTimedOut,
        fmt::format("{}: process {} could not be read within the deadline; its allocator is shown as last "
                    "known.",
                    unit, pid),
        {{"ALLOCD_UNIT", unit}, {"ALLOCD_PID", std::to_string(pid)}});
  }
}

}  // namespace allocd::observer
