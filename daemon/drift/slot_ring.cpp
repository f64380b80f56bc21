// SPDX-License-Identifier: Apache-2.0
#include "drift/slot_ring.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace allocd::drift {

namespace {

constexpr float kAbsent = std::numeric_limits<float>::quiet_NaN();

}  // namespace

SlotRing::SlotRing(std::size_t size) : values_(size, kAbsent) {
}

void SlotRing::put(std::int64_t slot, std::optional<double> value) {
  if (slot < end_) return;
  if (!values_.empty()) {
    const auto size = static_cast<std::int64_t>(values_.size());
    for (std::int64_t missed = std::max(end_, slot - size); missed < slot; ++missed)
      values_[index(missed)] = kAbsent;
    values_[index(slot)] = value ? static_cast<float>(*value) : kAbsent;
  }
  end_ = slot + 1;
}

std::optional<double> SlotRing::at(std::int64_t slot) const {
  if (slot < first() || slot >= end_) return std::nullopt;
  const float value = values_[index(slot)];
  if (std::isnan(value)) return std::nullopt;
  return static_cast<double>(value);
}

std::int64_t SlotRing::first() const {
  return std::max<std::int64_t>(0, end_ - static_cast<std::int64_t>(values_.size()));
}

bool SlotRing::operator==(const SlotRing& other) const {
  if (end_ != other.end_ || values_.size() != other.values_.size()) return false;
  for (std::int64_t slot = first(); slot < end_; ++slot) {
    if (at(slot) != other.at(slot)) return false;
  }
  return true;
}

}  // namespace allocd::drift
