// SPDX-License-Identifier: Apache-2.0
#include "drift/detector.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace allocd::drift {

namespace {

constexpr std::int64_t kWarmFrom = 6;
constexpr std::int64_t kWarmTo = 30;
constexpr std::int64_t kHoursOfALow = 6;
constexpr std::int64_t kMostLows = 60;
constexpr double kForecastFrom = 2.75 * kHour;
constexpr double kForecast = 4 * kHour;
constexpr double kNearLimit = 0.8;
// What is above is no uptime (30,000 years) and no memory, and would not fit where they are kept.
constexpr double kLongestUptime = 1e12;
constexpr double kMostMemory = 0x1p80;

bool is_figure(double value) {
  return std::isfinite(value) && value >= 0;
}

bool is_usable(const Sample& sample) {
  return is_figure(sample.uptime) && sample.uptime < kLongestUptime && is_figure(sample.memory) &&
         sample.memory < kMostMemory;
}

// Lowest of each six hours of this life, the newest of which may not be over.
std::vector<std::optional<double>> lows_of_six_hours(const SlotRing& lows, std::int64_t hours) {
  std::vector<std::optional<double>> found;
  const std::int64_t end = (hours + kHoursOfALow - 1) / kHoursOfALow;
  for (auto six = std::max<std::int64_t>(0, end - kMostLows); six < end; ++six)
    found.push_back(lowest(lows, six * kHoursOfALow, std::min((six + 1) * kHoursOfALow, hours)));
  return found;
}

}  // namespace

Detector::Detector(LifeState state) : state_(std::move(state)) {
  draw_lines();
  decide();
}

bool Detector::feed(const Sample& sample) {
  if (!is_usable(sample) || sample.uptime <= state_.memory.last_uptime) return false;
  const std::int64_t before = state_.memory.running.hour;
  smoothed_ = state_.memory.feed(sample.uptime, sample.memory);
  if (state_.memory.running.hour != before) end_hour(before);
  if (smoothed_ && state_.recent.feed(sample.uptime, *smoothed_)) draw_lines();
  state_.peaks.samples += 1;
  state_.peaks.at_peak += sample.at_peak ? 1 : 0;
  memory_ = sample.memory;
  limit_kind_ = sample.limit ? sample.limit_kind : LimitKind::none;
  limit_ = sample.limit;
  feed_roles(sample);
  if (state_.memory.running.hour != before) decide();
  return true;
}

// `before`: the hour that has ended; -1 with the first sample.
void Detector::end_hour(std::int64_t before) {
  auto& peaks = state_.peaks;
  if (before >= 0) {
    peaks.hourly_samples.put(before, peaks.samples);
    peaks.hourly_at_peak.put(before, peaks.at_peak);
  }
  peaks.hourly_samples.put(hours() - 1, std::nullopt);
  peaks.hourly_at_peak.put(hours() - 1, std::nullopt);
  peaks.samples = peaks.at_peak = 0;
  const auto low = before >= kWarmFrom && before < kWarmTo ? state_.memory.lows.at(before) : std::nullopt;
  if (low) state_.warm_floor = std::min(state_.warm_floor.value_or(*low), *low);
}

void Detector::feed_roles(const Sample& sample) {
  role_memory_.assign(sample.roles.begin(), sample.roles.end());
  bool is_news = false;
  for (const auto& [role, memory] : sample.roles) {
    auto at = std::ranges::lower_bound(state_.roles, role, {}, &RoleSeries::role);
    if (at == state_.roles.end() || at->role != role) at = state_.roles.insert(at, RoleSeries{.role = role});
    // The hour of a role that was away ends when it is back, later than the unit's.
    const auto before = at->series.running.hour;
    (void)at->series.feed(sample.uptime, memory);
    is_news = is_news || at->series.running.hour != before;
  }
  if (is_news) decide_roles();
}

void Detector::decide() {
  const auto& memory = state_.memory;
  verdict_ = decide_verdict(memory.lows, memory.highs, hours());
  lows_ = lows_of_six_hours(memory.lows, hours());
  decide_roles();
}

void Detector::decide_roles() {
  role_verdicts_.clear();
  for (const auto& [role, series] : state_.roles) {
    role_verdicts_.push_back({.role = role,
                              .memory = std::nullopt,
                              .floor = lowest(series.lows, hours() - 24, hours()),
                              .slope = decide_slope(series.lows, hours())});
  }
}

void Detector::draw_lines() {
  line_ = state_.recent.draw_line();
  hour_line_ = state_.recent.draw_line(kPartsOfTwoHours / 2);
}

// A night's job rises as steeply, but for minutes: the last hour alone has to lead past the limit too, and
// what the week before has seen is no news.
bool Detector::is_exhausting() const {
  if (!limit_ || !line_ || !hour_line_ || !smoothed_ || !verdict_.lows_rise) return false;
  const double uptime = state_.memory.last_uptime;
  const auto leads_past = [&](const Line& line) {
    return line.slope > 0 && line.at(uptime + kForecast) > *limit_;
  };
  return uptime >= kForecastFrom && *smoothed_ > kNearLimit * *limit_ &&
         *smoothed_ > verdict_.old_ceiling.value_or(0) && leads_past(*line_) && leads_past(*hour_line_);
}

State Detector::decide_state(bool exhaustion) const {
  if (exhaustion) return State::exhaustion;
  if (verdict_.slow || verdict_.fast) return State::drift;
  if (verdict_.watch) return State::watch;
  return verdict_.is_founded ? State::normal : State::warming;
}

std::optional<double> Detector::time_to_limit(bool exhaustion) const {
  if (!limit_) return std::nullopt;
  std::optional<double> time;
  if (verdict_.slope && *verdict_.slope > 0 && verdict_.ceiling)
    time = std::max(0.0, *limit_ - *verdict_.ceiling) / *verdict_.slope;
  if (!exhaustion) return time;
  const double soon = std::max(0.0, *limit_ - *smoothed_) / line_->slope;
  return std::min(soon, time.value_or(soon));
}

std::optional<double> Detector::share_at_peak() const {
  const auto& peaks = state_.peaks;
  double samples = peaks.samples;
  double at_peak = peaks.at_peak;
  for (auto hour = peaks.hourly_samples.first(); hour < peaks.hourly_samples.end(); ++hour) {
    samples += peaks.hourly_samples.at(hour).value_or(0);
    at_peak += peaks.hourly_at_peak.at(hour).value_or(0);
  }
  if (samples == 0) return std::nullopt;
  return at_peak / samples;
}

std::vector<RoleReport> Detector::role_reports() const {
  std::vector<RoleReport> reports;
  for (auto report : role_verdicts_) {
    const auto now = std::ranges::find(role_memory_, report.role, &RoleMemory::role);
    if (now != role_memory_.end()) report.memory = now->memory;
    // A role that has not been there for a day has nothing to tell.
    if (report.memory || report.floor) reports.push_back(report);
  }
  return reports;
}

Report Detector::report() const {
  const bool exhaustion = is_exhausting();
  Report report{.known = state_.memory.last_uptime >= 0,
                .state = decide_state(exhaustion),
                .slow = verdict_.slow,
                .fast = verdict_.fast,
                .exhaustion = exhaustion,
                .kind = verdict_.kind,
                .window = static_cast<double>(verdict_.hours_seen) * kHour,
                .needed = static_cast<double>(kHoursNeeded) * kHour,
                .memory = memory_,
                .floor = verdict_.floor,
                .ceiling = verdict_.ceiling,
                .warm_floor = state_.warm_floor,
                .slope = verdict_.slope,
                .rising = verdict_.rising,
                .limit_kind = limit_kind_,
                .limit = limit_,
                .time_to_limit = time_to_limit(exhaustion),
                .at_peak = share_at_peak(),
                .lows = lows_,
                .roles = role_reports()};
  if (report.floor && report.ceiling && *report.ceiling > 0)
    report.falls = (*report.ceiling - *report.floor) / *report.ceiling;
  return report;
}

// Not the smoothed value: a sample that is missing does not end an exhaustion.
void Detector::forget_now() {
  memory_.reset();
  role_memory_.clear();
}

}  // namespace allocd::drift
