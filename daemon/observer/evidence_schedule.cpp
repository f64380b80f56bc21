// SPDX-License-Identifier: Apache-2.0
#include "observer/evidence_schedule.hpp"

#include <algorithm>
#include <functional>

namespace allocd::observer {

namespace {

// True when something became known that was not.
bool take_reading(TrackedProcess& process, const Reading& reading) {
  const engine::RoleClaim before = process.role();
  if (reading.command_line) process.take_title(*reading.command_line);
  const bool is_renamed = !(process.role() == before);
  return (reading.identification && process.take(*reading.identification)) || is_renamed;
}

}  // namespace

void EvidenceSchedule::watch(std::map<std::string, UnitTracker>& trackers) {
  watched_.clear();
  for (auto& [unit, tracker] : trackers) {
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

void EvidenceSchedule::submit_due(Clock::time_point now, const settings::Observe& pace) {
  while (!due_.empty() && due_.top().first <= now) {
    const std::size_t index = due_.top().second;
    due_.pop();
    ask(watched_[index], now, pace);
    due_.emplace(watched_[index].process->next_due(), index);
  }
}

// A refusal is not repeated: the process is asked again when its schedule says so.
void EvidenceSchedule::ask(const Watched& watched, Clock::time_point now, const settings::Observe& pace) {
  TrackedProcess& process = *watched.process;
  const auto want = process.due(now);
  if (!want) return;
  const auto submitted = pool_.submit(*watched.unit, watched.id, process.handle(), *want);
  if (submitted == Submitted::full) pool_was_full_ = true;
  if (submitted == Submitted::unit_is_stuck && want == Want::evidence) process.take(make_unit_is_stuck());
  process.schedule_next(*want, now, pace);
}

std::optional<Clock::time_point> EvidenceSchedule::next_due() const {
  if (due_.empty()) return std::nullopt;
  return due_.top().first;
}

bool EvidenceSchedule::take_evidence() {
  bool is_news = false;
  for (const EvidenceResult& result : pool_.collect()) {
    for (const Watched& watched : std::ranges::equal_range(watched_, result.id, {}, &Watched::id)) {
      is_news = take_reading(*watched.process, result.reading) || is_news;
      if (result.timed_out) timed_out_.push_back({*watched.unit, result.id.pid});
    }
  }
  return is_news;
}

}  // namespace allocd::observer
