// SPDX-License-Identifier: Apache-2.0
// Where the last two hours lead: a least-squares line through the means of their five-minute parts.
//
// Means of parts, not samples: bounded, and a burst of early samples weighs no more than its time. O(1) a
// sample; the line is drawn anew when a part ends. A value, as hourly_series.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "drift/hourly_series.hpp"
#include "drift/slot_ring.hpp"

namespace allocd::drift {

inline constexpr std::int64_t kPartsOfTwoHours = 24;

struct Line {
  double uptime = 0;  // the middle of what it was drawn through
  double value = 0;   // there
  double slope = 0;   // per second
  [[nodiscard]] double at(double when) const { return value + slope * (when - uptime); }
};

// The part that is not over.
struct RunningPart {
  std::int64_t part = -1;
  std::uint32_t count = 0;
  double sum = 0;
  bool operator==(const RunningPart&) const = default;
};

struct RecentParts {
  RecentParts();

  // True when a part has ended: the line is another.
  bool feed(double uptime, double value);
  // Through the newest `parts` before the running one. Nothing when less than a third of these were seen.
  [[nodiscard]] std::optional<Line> draw_line(std::int64_t parts = kPartsOfTwoHours) const;

  RunningPart running;
  SlotRing means;
  bool operator==(const RecentParts&) const = default;
};

}  // namespace allocd::drift
