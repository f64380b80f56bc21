// SPDX-License-Identifier: Apache-2.0
// Feeds recorded or made-up series to the drift rules, and tells what they say when.
//
// In, a line each:  `life UNIX_START LIMIT_BYTES` (a new life; limit 0: none), `UNIX_TIME BYTES` (a sample).
// Out, at each full hour of a life and when a state or a rule changes, tab-separated, `-` for absent:
//   time state slow fast exhaustion slope_bytes_per_second rising time_to_limit floor ceiling kind
//   window needed lives lives_growth_bytes_per_second
// A line that is neither ends it with exit code 1.
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "drift/unit_history.hpp"

namespace {

using namespace allocd;

std::string figure(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : "-";
}

class Replay {
 public:
  bool take(const std::string& line) {
    std::istringstream words(line);
    if (line.starts_with("life ")) {
      std::string word;
      words >> word >> start_ >> limit_;
      ++key_.pid;
      hours_ = 0;
    } else {
      double time = 0;
      double bytes = 0;
      words >> time >> bytes;
      if (words) feed(time, bytes);
    }
    return !words.fail();
  }

 private:
  void feed(double time, double bytes) {
    drift::Sample sample{.uptime = time - start_, .memory = bytes};
    if (limit_ > 0) {
      sample.limit_kind = drift::LimitKind::cgroup;
      sample.limit = limit_;
    }
    if (!history_.feed(key_, time, sample)) return;
    const auto report = history_.report();
    const bool is_news = report.state != shown_.state || report.slow != shown_.slow ||
                         report.fast != shown_.fast || report.exhaustion != shown_.exhaustion ||
                         report.lives.size() != shown_.lives.size();
    if (history_.hours() == hours_ && !is_news) return;
    hours_ = history_.hours();
    shown_ = report;
    fmt::print("{}\t{}\t{:d}\t{:d}\t{:d}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", time,
               drift::kStateNames.name(report.state), report.slow, report.fast, report.exhaustion,
               figure(report.slope), figure(report.rising), figure(report.time_to_limit),
               figure(report.floor), figure(report.ceiling), drift::kKindNames.name(report.kind),
               report.window, report.needed, report.lives.size(), figure(report.lives_growth_per_second));
  }

  double start_ = 0;
  double limit_ = 0;
  drift::LifeKey key_;
  drift::UnitHistory history_{"replayed.service"};
  std::int64_t hours_ = 0;
  drift::Report shown_;
};

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  Replay replay;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.empty() || replay.take(line)) continue;
    std::fprintf(stderr, "drift-replay: neither a life nor a sample: %s\n", line.c_str());
    return 1;
  }
  return 0;
}
