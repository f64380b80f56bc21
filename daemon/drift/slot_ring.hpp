// SPDX-License-Identifier: Apache-2.0
// The newest figures of a series that has one for each slot of time: an hour, or some minutes. A slot that
// was not seen is absent, never 0.
//
// Kept as float32: 15 days of hours are 1.4 kB, and bytes are good to 1 in 16 million. A value; not safe from
// several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace allocd::drift {

class SlotRing {
 public:
  explicit SlotRing(std::size_t size);

  // Slots come in rising order: one that is not above all before is ignored. Those left out are absent.
  void put(std::int64_t slot, std::optional<double> value);
  // Nothing too for a slot that is too old to be kept, or is still to come.
  [[nodiscard]] std::optional<double> at(std::int64_t slot) const;
  // The slots that are kept: first() to end() - 1.
  [[nodiscard]] std::int64_t first() const;
  [[nodiscard]] std::int64_t end() const { return end_; }
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  bool operator==(const SlotRing& other) const;

 private:
  [[nodiscard]] std::size_t index(std::int64_t slot) const {
    return static_cast<std::size_t>(slot) % values_.size();
  }

  std::vector<float> values_;  // NaN: absent
  std::int64_t end_ = 0;
};

}  // namespace allocd::drift
