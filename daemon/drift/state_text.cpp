// SPDX-License-Identifier: Apache-2.0
#include "drift/state_text.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "base/json_writer.hpp"
#include "base/text.hpp"

namespace allocd::drift {

namespace {

using base::JsonWriter;
using nlohmann::json;

// ---- writing ----------------------------------------------------------------------------------------------

// Memory is counted in kB, so most figures are whole: shorter so, and as exact.
void write_figure(JsonWriter& to, double value) {
  constexpr double kExact = 9007199254740992.0;
  if (value >= 0 && value < kExact && std::floor(value) == value) {
    to.value(static_cast<std::uint64_t>(value));
  } else {
    to.value(value);
  }
}

void write_figure(JsonWriter& to, const std::optional<double>& value) {
  if (value) return write_figure(to, *value);
  to.null();
}

template <typename Value>
void write_member(JsonWriter& to, std::string_view name, const Value& value) {
  to.key(name);
  write_figure(to, value);
}

void write_ring(JsonWriter& to, std::string_view name, const SlotRing& ring) {
  to.key(name).begin_object().member("end", ring.end()).key("values").begin_array();
  for (auto slot = ring.first(); slot < ring.end() && ring.size() > 0; ++slot)
    write_figure(to, ring.at(slot));
  to.end_array().end_object();
}

void write_series(JsonWriter& to, const HourlySeries& series) {
  to.key("memory").begin_object();
  write_member(to, "last_uptime", series.last_uptime);
  to.key("window").begin_array();
  for (std::size_t i = 0; i < series.window.count; ++i) write_figure(to, series.window.values.at(i));
  to.end_array().member("hour", series.running.hour).member("parts", series.running.parts);
  write_member(to, "low", series.running.low);
  write_member(to, "high", series.running.high);
  write_ring(to, "lows", series.lows);
  write_ring(to, "highs", series.highs);
  to.end_object();
}

void write_recent(JsonWriter& to, const RecentParts& recent) {
  to.key("recent").begin_object().member("part", recent.running.part).member("count", recent.running.count);
  write_member(to, "sum", recent.running.sum);
  write_ring(to, "means", recent.means);
  to.end_object();
}

void write_peaks(JsonWriter& to, const PeakCounts& peaks) {
  to.key("peaks").begin_object();
  write_member(to, "samples", peaks.samples);
  write_member(to, "at_peak", peaks.at_peak);
  write_ring(to, "hourly_samples", peaks.hourly_samples);
  write_ring(to, "hourly_at_peak", peaks.hourly_at_peak);
  to.end_object();
}

void write_lives(JsonWriter& to, const std::vector<Life>& lives) {
  to.key("lives").begin_array();
  for (const Life& life : lives) {
    to.begin_object();
    write_member(to, "started_at", life.started_at);
    write_member(to, "ended_at", life.ended_at);
    write_member(to, "warm_floor", life.warm_floor);
    write_member(to, "last_floor", life.last_floor);
    write_member(to, "growth_per_second", life.growth_per_second);
    to.end_object();
  }
  to.end_array();
}

// ---- reading: what throws here is caught in parse_state --------------------------------------------------

// Fits a float, and is one: what is rounded to a float does not get beyond it.
constexpr double kLargest = 0x1p100;

double figure_from(const json& from) {
  if (!from.is_number()) throw std::invalid_argument("not a number");
  const auto value = from.get<double>();
  if (!std::isfinite(value) || std::abs(value) > kLargest)
    throw std::out_of_range("a number that is too large");
  return value;
}

double amount_from(const json& from) {
  const double value = figure_from(from);
  if (value < 0) throw std::out_of_range("an amount below 0");
  return value;
}

std::optional<double> optional_from(const json& from) {
  if (from.is_null()) return std::nullopt;
  return figure_from(from);
}

std::optional<double> optional_amount_from(const json& from) {
  if (from.is_null()) return std::nullopt;
  return amount_from(from);
}

template <std::integral Number>
Number count_from(const json& from) {
  if (!from.is_number_integer()) throw std::invalid_argument("not a count");
  // Far above any count of hours, and far below where sums of them end.
  constexpr std::int64_t kMost = std::int64_t{1} << 48;
  if (from.is_number_unsigned() && from.get<std::uint64_t>() > static_cast<std::uint64_t>(kMost))
    throw std::out_of_range("a count that is too large");
  const auto value = from.get<std::int64_t>();
  if (value < -1 || !std::in_range<Number>(value)) throw std::out_of_range("a count out of its range");
  return static_cast<Number>(value);
}

void read_ring(const json& from, SlotRing& ring) {
  const auto end = count_from<std::int64_t>(from.at("end"));
  const json& values = from.at("values");
  const auto size = std::min<std::int64_t>(end, static_cast<std::int64_t>(ring.size()));
  if (!values.is_array() || static_cast<std::int64_t>(values.size()) != size || end < 0)
    throw std::invalid_argument("a ring of another size");
  for (auto slot = end - size; slot < end; ++slot)
    ring.put(slot, optional_amount_from(values[static_cast<std::size_t>(slot - (end - size))]));
  ring.put(end - 1, std::nullopt);  // of a ring that keeps nothing
}

HourlySeries series_from(const json& from, HourlySeries series) {
  series.last_uptime = figure_from(from.at("last_uptime"));
  const json& window = from.at("window");
  if (!window.is_array() || window.size() > series.window.values.size())
    throw std::invalid_argument("a window of another size");
  for (const json& value : window) series.window.values.at(series.window.count++) = amount_from(value);
  series.running = {.hour = count_from<std::int64_t>(from.at("hour")),
                    .parts = count_from<std::uint16_t>(from.at("parts")),
                    .low = amount_from(from.at("low")),
                    .high = amount_from(from.at("high"))};
  read_ring(from.at("lows"), series.lows);
  read_ring(from.at("highs"), series.highs);
  const bool is_one_hour = series.lows.end() == series.hours() && series.highs.end() == series.hours();
  if (!is_one_hour || series.last_uptime > static_cast<double>(series.hours() + 1) * kHour)
    throw std::invalid_argument("hours that do not fit together");
  return series;
}

RecentParts recent_from(const json& from) {
  RecentParts recent;
  recent.running = {.part = count_from<std::int64_t>(from.at("part")),
                    .count = count_from<std::uint32_t>(from.at("count")),
                    .sum = amount_from(from.at("sum"))};
  read_ring(from.at("means"), recent.means);
  return recent;
}

PeakCounts peaks_from(const json& from) {
  PeakCounts peaks;
  peaks.samples = amount_from(from.at("samples"));
  peaks.at_peak = amount_from(from.at("at_peak"));
  read_ring(from.at("hourly_samples"), peaks.hourly_samples);
  read_ring(from.at("hourly_at_peak"), peaks.hourly_at_peak);
  return peaks;
}

std::vector<RoleSeries> roles_from(const json& from) {
  std::vector<RoleSeries> roles;
  for (const auto& [name, series] : from.items()) {
    const auto role = engine::kRoleNames.parse(name);
    if (!role) throw std::invalid_argument("an unknown role");
    RoleSeries one{.role = *role};
    one.series = series_from(series.at("memory"), one.series);
    roles.push_back(std::move(one));
  }
  std::ranges::sort(roles, {}, &RoleSeries::role);
  return roles;
}

Life life_from(const json& from) {
  return {.started_at = figure_from(from.at("started_at")),
          .ended_at = figure_from(from.at("ended_at")),
          .warm_floor = optional_amount_from(from.at("warm_floor")),
          .last_floor = optional_amount_from(from.at("last_floor")),
          .growth_per_second = optional_from(from.at("growth_per_second"))};
}

UnitHistory::Facts facts_from(const json& from) {
  UnitHistory::Facts facts;
  from.at("unit").get_to(facts.unit);
  if (!from.at("pid").is_null()) {
    facts.key = LifeKey{.boot_id = from.at("boot_id").get<std::string>(),
                        .pid = count_from<std::uint32_t>(from.at("pid")),
                        .start_ticks = count_from<std::uint64_t>(from.at("start_ticks"))};
  }
  facts.started_at = figure_from(from.at("life_started_at"));
  facts.last_at = figure_from(from.at("last_sample_at"));
  for (const json& life : from.at("lives")) {
    if (facts.lives.size() == kMostLives) throw std::invalid_argument("more lives than are kept");
    facts.lives.push_back(life_from(life));
  }
  return facts;
}

// What is ahead of the newest sample would never be reached, and hold a rule as it is for days.
void check_times(const LifeState& life) {
  const double uptime = life.memory.last_uptime;
  if (uptime < 0) return;
  const auto hours = static_cast<std::int64_t>(std::floor(uptime / kHour));
  const bool fits = life.memory.hours() == hours && life.peaks.hourly_samples.end() <= hours &&
                    life.peaks.hourly_at_peak.end() <= hours &&
                    static_cast<double>(life.recent.running.part) <= uptime / kPart;
  if (!fits) throw std::invalid_argument("times that do not fit together");
}

LifeState life_state_from(const json& from) {
  LifeState life;
  life.memory = series_from(from.at("memory"), life.memory);
  life.recent = recent_from(from.at("recent"));
  life.peaks = peaks_from(from.at("peaks"));
  life.warm_floor = optional_amount_from(from.at("warm_floor"));
  life.roles = roles_from(from.at("roles"));
  check_times(life);
  return life;
}

std::unexpected<StateFault> fault(StateProblem problem, std::string cause) {
  return std::unexpected(StateFault{problem, std::move(cause)});
}

}  // namespace

std::string render_state(const UnitHistory& history) {
  const auto& facts = history.facts();
  const auto& life = history.life();
  JsonWriter to;
  to.begin_object().member("schema_version", kStateSchema).member("unit", std::string_view(facts.unit));
  if (facts.key) {
    to.member("boot_id", std::string_view(facts.key->boot_id));
    to.member("pid", facts.key->pid).member("start_ticks", facts.key->start_ticks);
  } else {
    to.key("pid").null();
  }
  write_member(to, "life_started_at", facts.started_at);
  write_member(to, "last_sample_at", facts.last_at);
  write_series(to, life.memory);
  write_recent(to, life.recent);
  write_peaks(to, life.peaks);
  write_member(to, "warm_floor", life.warm_floor);
  to.key("roles").begin_object();
  for (const auto& [role, series] : life.roles) {
    to.key(engine::kRoleNames.name(role)).begin_object();
    write_series(to, series);
    to.end_object();
  }
  to.end_object();
  write_lives(to, facts.lives);
  to.end_object();
  return to.take() + "\n";
}

std::expected<UnitHistory, StateFault> parse_state(std::string_view text, std::string_view unit) {
  try {
    const json whole = json::parse(text);
    const auto version = count_from<std::uint32_t>(whole.at("schema_version"));
    if (version > kStateSchema) {
      return fault(StateProblem::newer, "its schema_version is " + std::to_string(version) +
                                            ", this allocd knows " + std::to_string(kStateSchema));
    }
    if (version == 0) return fault(StateProblem::damaged, "its schema_version is 0");
    auto facts = facts_from(whole);
    if (facts.unit != base::to_valid_utf8(unit))
      return fault(StateProblem::of_another_unit, "it is of " + base::escape_for_terminal(facts.unit));
    facts.unit = unit;
    return UnitHistory(std::move(facts), life_state_from(whole));
  } catch (const std::exception& error) {
    return fault(StateProblem::damaged, error.what());
  }
}

}  // namespace allocd::drift
