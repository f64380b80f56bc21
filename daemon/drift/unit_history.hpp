// SPDX-License-Identifier: Apache-2.0
// The drift of one unit over its lives: the one that runs, and what is left of the last eight before it.
//
// A life is known by boot, main process and start of that process; another key ends it, and so does an uptime
// that has gone back by more than an hour, which is the state of a machine that was set back to a snapshot. A
// life of less than a full hour is not remembered: a unit that fails to start again and again must not push
// out what the days before say. Bounded. Time is passed in. Not safe from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drift/detector.hpp"
#include "drift/report.hpp"

namespace allocd::drift {

inline constexpr std::size_t kMostLives = 8;

struct LifeKey {
  std::string boot_id;
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  bool operator==(const LifeKey&) const = default;
};

class UnitHistory {
 public:
  // All but the detector of the running life.
  struct Facts {
    std::string unit;
    std::optional<LifeKey> key;  // nothing before the first sample
    double started_at = 0;
    double last_at = 0;  // of the newest sample
    std::vector<Life> lives;
    bool operator==(const Facts&) const = default;
  };

  explicit UnitHistory(std::string unit) : facts_{.unit = std::move(unit)} {}
  UnitHistory(Facts facts, LifeState life) : facts_(std::move(facts)), detector_(std::move(life)) {}

  // `now`: seconds since the epoch, for people to read; nothing is computed with it. False when the sample
  // was not taken in.
  bool feed(const LifeKey& key, double now, const Sample& sample);
  [[nodiscard]] Report report() const;
  // While the unit has no process: of its ended lives alone.
  [[nodiscard]] Report report_of_ended() const;
  void forget_now() { detector_.forget_now(); }

  [[nodiscard]] const Facts& facts() const { return facts_; }
  [[nodiscard]] const LifeState& life() const { return detector_.state(); }
  [[nodiscard]] std::int64_t hours() const { return detector_.hours(); }

 private:
  void end_life();
  void add_lives(Report& report) const;

  Facts facts_;
  Detector detector_;
};

}  // namespace allocd::drift
