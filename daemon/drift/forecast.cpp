// SPDX-License-Identifier: Apache-2.0
#include "drift/forecast.hpp"

#include <algorithm>
#include <cmath>

namespace allocd::drift {

namespace {

double middle_of(std::int64_t part) {
  return (static_cast<double>(part) + 0.5) * kPart;
}

}  // namespace

RecentParts::RecentParts() : means(kPartsOfTwoHours) {
}

bool RecentParts::feed(double uptime, double value) {
  const auto part = static_cast<std::int64_t>(std::floor(uptime / kPart));
  const bool has_ended = part > running.part;
  if (has_ended) {
    if (running.count > 0) means.put(running.part, running.sum / running.count);
    means.put(part - 1, std::nullopt);
    running = {.part = part};
  }
  ++running.count;
  running.sum += value;
  return has_ended;
}

std::optional<Line> RecentParts::draw_line(std::int64_t parts) const {
  const auto first = std::max(means.first(), means.end() - parts);
  int count = 0;
  double times = 0;
  double values = 0;
  for (auto part = first; part < means.end(); ++part) {
    const auto mean = means.at(part);
    if (!mean) continue;
    ++count;
    times += middle_of(part);
    values += *mean;
  }
  if (count < parts / 3) return std::nullopt;
  Line line{.uptime = times / count, .value = values / count};
  // About their means: the plain sums of squares of a long uptime would cancel all that is of interest.
  double spread = 0;
  double together = 0;
  for (auto part = first; part < means.end(); ++part) {
    const auto mean = means.at(part);
    if (!mean) continue;
    const double along = middle_of(part) - line.uptime;
    spread += along * along;
    together += along * (*mean - line.value);
  }
  line.slope = together / spread;
  return line;
}

}  // namespace allocd::drift
