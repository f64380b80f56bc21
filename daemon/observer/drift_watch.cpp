// SPDX-License-Identifier: Apache-2.0
#include "observer/drift_watch.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "drift/state_text.hpp"
#include "host/message_id.hpp"
#include "observer/drift_sample.hpp"
#include "observer/side_collector.hpp"

namespace allocd::observer {

namespace {

using host::Priority;
namespace id = host::message_id;
using std::chrono::milliseconds;

// For so long the last verdict stands while processes cannot be read.
constexpr double kPatience = 900;
// A unit that is not there any more is remembered for so long, beyond its file.
constexpr double kRememberUnseen = drift::kDay;
constexpr std::size_t kMostUnits = 1024;
constexpr double kRetry = 60;
constexpr double kNextLoad = 60;
constexpr double kFirstCleaning = drift::kHour;
// What is due is written over so long, whatever the pace of samples: with 50 units and a sample each 10
// seconds, one at a time.
constexpr double kSpread = 600;
// Together less than TimeoutStopSec= of the unit.
constexpr milliseconds kLaneAtStop{1500};
constexpr milliseconds kWritingAtStop{2500};

void wait_for(const SideEvent& event, Clock::duration patience) {
  pollfd wanted{event.fd(), POLLIN, 0};
  const auto left = std::chrono::ceil<milliseconds>(std::max(patience, Clock::duration(0)));
  static_cast<void>(::poll(&wanted, 1, static_cast<int>(left.count())));
}

}  // namespace

DriftWatch::DriftWatch(const host::Root& root, std::string directory, host::Journal& journal,
                       std::shared_ptr<SideEvent> event)
    : root_(root),
      directory_(std::move(directory)),
      journal_(journal),
      event_(std::move(event)),
      lane_(event_) {
  collector_.name = "drift";
  if (directory_.empty()) return;
  const auto made = drift::make_state_directory(root_, directory_);
  note_run(collector_, {}, made ? "" : made.error().message());
  note_writing(collector_.last_error);
}

void DriftWatch::follow(snapshot::Snapshot& snapshot, const IsWhole& is_whole, const DriftTime& now) {
  const double since_last = now_.since_boot > 0 ? now.since_boot - now_.since_boot : 0;
  now_ = now;
  event_->clear();
  lane_.collect();
  for (auto& unit : snapshot.units) follow_unit(unit, snapshot, is_whole(unit.name), now);
  forget(now.since_boot);
  if (directory_.empty()) return;
  start_work(now.since_boot, since_last);
  show_collector(collector_, lane_, Clock::now(), snapshot);
  std::ranges::sort(snapshot.collectors, {}, &snapshot::Collector::name);
}

void DriftWatch::follow_unit(snapshot::Unit& unit, const snapshot::Snapshot& snapshot, bool is_whole,
                             const DriftTime& now) {
  Entry& entry = entry_of(unit.name, now.since_boot);
  entry.seen_at = now.since_boot;
  if (entry.load_at) return;
  if (is_whole && !unit.up) {
    entry.history.forget_now();
    unit.drift = entry.history.report_of_ended();
    return;
  }
  auto made = is_whole ? make_drift_sample(unit, snapshot, now.since_boot, now.realtime) : std::nullopt;
  if (!made) {
    entry.history.forget_now();
    if (entry.fed_at > 0 && now.since_boot - entry.fed_at < kPatience) unit.drift = entry.history.report();
    return;
  }
  made->sample.roles = made->roles;
  if (entry.history.feed(made->key, now.realtime, made->sample)) entry.fed_at = now.since_boot;
  unit.drift = entry.history.report();
}

DriftWatch::Entry& DriftWatch::entry_of(const std::string& unit, double now) {
  const auto [found, is_new] = entries_.try_emplace(unit, drift::UnitHistory(unit));
  auto& entry = found->second;
  const bool is_time = is_new || (entry.load_at && now >= *entry.load_at);
  if (is_time && !directory_.empty()) load(unit, entry, now);
  return entry;
}

// A file that may be good is waited for: what is learnt meanwhile would be written over it.
void DriftWatch::load(const std::string& unit, Entry& entry, double now) {
  auto loaded = drift::load_state(root_, directory_, unit);
  if (loaded.is_unread) {
    note_unread(unit, loaded, !entry.load_at);
    entry.load_at = now + kNextLoad;
    return;
  }
  entry.load_at.reset();
  if (!loaded.problem.empty()) note_aside(unit, loaded);
  if (loaded.history) entry.history = std::move(*loaded.history);
  entry.saved_hour = entry.history.hours();
}

void DriftWatch::forget(double now) {
  std::erase_if(entries_, [&](const auto& entry) { return now - entry.second.seen_at > kRememberUnseen; });
  while (entries_.size() > kMostUnits) {
    const auto longest =
        std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.seen_at; });
    // All are there: then they are what there is to watch.
    if (longest->second.seen_at == now) return;
    entries_.erase(longest);
  }
}

void DriftWatch::start_work(double now, double since_last) {
  if (lane_.busy_since() || (retry_at_ && now < *retry_at_)) return;
  // On a full disk old files may be what is in the way.
  if (is_failing_ && start_cleaning(now)) return;
  std::vector<Write> due;
  for (const auto& [unit, entry] : entries_) {
    const bool is_changed = !entry.load_at && entry.fed_at > entry.saved_at;
    // When an hour of its life has ended, and once more when the unit is gone.
    const bool is_time = entry.history.hours() != entry.saved_hour || entry.seen_at != now;
    if (is_changed && is_time) due.push_back({unit, "", entry.fed_at, entry.history.hours()});
  }
  if (due.empty()) {
    static_cast<void>(start_cleaning(now));
    return;
  }
  // Whoever comes after the last one that was written goes first.
  std::ranges::rotate(due,
                      std::ranges::find_if(due, [&](const Write& one) { return one.unit > last_unit_; }));
  const double share = std::ceil(static_cast<double>(due.size()) * since_last / kSpread);
  due.resize(std::clamp<std::size_t>(share > 0 ? static_cast<std::size_t>(share) : 1, 1, due.size()));
  for (auto& one : due) one.text = drift::render_state(entries_.at(one.unit).history);
  last_unit_ = due.back().unit;
  start_writing(std::move(due));
}

void DriftWatch::start_writing(std::vector<Write> writes) {
  start_job([directory = directory_, writes = std::move(writes)](const host::Root& root,
                                                                 const SideLane::StillWanted& still_wanted) {
    return write_states(root, directory, writes, still_wanted);
  });
}

bool DriftWatch::start_cleaning(double now) {
  if (!clean_at_) clean_at_ = now + kFirstCleaning;
  if (now < *clean_at_) return false;
  clean_at_ = now + drift::kDay;
  std::set<std::string> used;
  for (const auto& [unit, entry] : entries_) used.insert(drift::state_name(unit));
  start_job([directory = directory_, used = std::move(used), realtime = now_.realtime](
                const host::Root& root, const SideLane::StillWanted&) -> Outcome {
    const auto removed = drift::remove_old_states(
        root, directory, realtime, [&](const std::string& name) { return used.contains(name); });
    return {.error = removed ? "" : removed.error().message()};
  });
  return true;
}

void DriftWatch::start_job(Work work) {
  auto root = root_.duplicate();
  if (!root) return note_failure(collector_, root.error().message());
  const bool has_begun =
      lane_.start([this, work = std::move(work), copy = std::make_shared<host::Root>(std::move(*root))](
                      const SideLane::StillWanted& still_wanted) -> SideLane::Done {
        auto outcome = std::make_shared<Outcome>(work(*copy, still_wanted));
        // Runs on the loop, and only while this lives.
        return [this, outcome](const SideCost& cost) { take(*outcome, cost); };
      });
  if (!has_begun) note_failure(collector_, "no thread is to be had");
}

DriftWatch::Outcome DriftWatch::write_states(const host::Root& root, const std::string& directory,
                                             const std::vector<Write>& writes,
                                             const std::function<bool()>& may_go_on) {
  Outcome outcome;
  for (const auto& one : writes) {
    if (!may_go_on()) break;
    // It may have been removed, or could not be made before.
    auto done = drift::make_state_directory(root, directory);
    if (done) done = drift::save_state(root, directory, one.unit, one.text);
    if (!done) {
      outcome.error = done.error().message();
      break;
    }
    outcome.written.push_back({one.unit, "", one.fed_at, one.hour});
  }
  return outcome;
}

void DriftWatch::take(const Outcome& outcome, const SideCost& cost) {
  for (const auto& one : outcome.written) {
    const auto at = entries_.find(one.unit);
    if (at == entries_.end()) continue;
    at->second.saved_at = one.fed_at;
    at->second.saved_hour = one.hour;
  }
  note_run(collector_, cost, outcome.error);
  note_writing(outcome.error);
}

void DriftWatch::note_writing(const std::string& error) {
  retry_at_ = error.empty() ? std::nullopt : std::optional(now_.since_boot + kRetry);
  if (error.empty() == !is_failing_) return;
  is_failing_ = !error.empty();
  if (is_failing_) {
    journal_.log(Priority::warning, id::kDriftNotKept,
                 fmt::format("What is known of memory drift cannot be kept: {}; trying again.", error),
                 {{"ALLOCD_PATH", directory_}, {"ALLOCD_CAUSE", error}});
  } else {
    journal_.log(Priority::notice, "", "What is known of memory drift is kept again.", {});
  }
}

void DriftWatch::note_aside(const std::string& unit, const drift::LoadedState& loaded) {
  // Of this file; writing may be well.
  ++collector_.errors;
  collector_.last_error = loaded.problem;
  journal_.log(
      Priority::warning, id::kDriftStateAside,
      fmt::format("{}: what was known of its memory drift cannot be used ({}) and starts anew; the file "
                  "is now {}.",
                  unit, base::escape_for_terminal(loaded.problem), loaded.path),
      {{"ALLOCD_UNIT", unit}, {"ALLOCD_PATH", loaded.path}, {"ALLOCD_CAUSE", loaded.problem}});
}

void DriftWatch::note_unread(const std::string& unit, const drift::LoadedState& loaded, bool is_first) {
  ++collector_.errors;
  collector_.success = false;
  collector_.last_error = loaded.problem;
  if (!is_first) return;
  journal_.log(
      Priority::warning, id::kDriftNotKept,
      fmt::format("{}: what is known of its memory drift cannot be read ({}); it is left as it is and "
                  "tried again.",
                  unit, base::escape_for_terminal(loaded.problem)),
      {{"ALLOCD_UNIT", unit}, {"ALLOCD_PATH", loaded.path}, {"ALLOCD_CAUSE", loaded.problem}});
}

void DriftWatch::save_all() {
  if (directory_.empty()) return;
  const auto patience = Clock::now() + kLaneAtStop;
  while (lane_.busy_since() && Clock::now() < patience) {
    event_->clear();
    if (!lane_.collect()) wait_for(*event_, patience - Clock::now());
  }
  // It still writes one of the files; the disk does not answer.
  if (lane_.busy_since()) return note_writing("the disk does not answer");
  std::vector<Write> writes;
  for (const auto& [unit, entry] : entries_) {
    if (entry.fed_at > entry.saved_at)
      writes.push_back({unit, drift::render_state(entry.history), entry.fed_at, entry.history.hours()});
  }
  const auto end = Clock::now() + kWritingAtStop;
  auto outcome = write_states(root_, directory_, writes, [&] { return Clock::now() < end; });
  if (outcome.error.empty() && outcome.written.size() < writes.size())
    outcome.error =
        fmt::format("only {} of {} files were written in time", outcome.written.size(), writes.size());
  take(outcome, {});
}

}  // namespace allocd::observer
