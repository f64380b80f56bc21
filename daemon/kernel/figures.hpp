// SPDX-License-Identifier: Apache-2.0
// A set of figures that may each be absent, named by a closed enum: what a kernel file gave of the names
// wanted.
//
// Which names there are is one table (base::EnumNames); the parser looks names up in it and whoever shows the
// figures walks it, so that a figure is added in one place. Absent is never 0. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>

#include "base/closed_enum.hpp"

namespace allocd::kernel {

template <typename Enum, std::size_t Count>
class Figures {
 public:
  [[nodiscard]] const std::optional<std::uint64_t>& operator[](Enum key) const {
    return values_.at(static_cast<std::size_t>(key));
  }
  [[nodiscard]] std::optional<std::uint64_t>& operator[](Enum key) {
    return values_.at(static_cast<std::size_t>(key));
  }
  [[nodiscard]] bool empty() const {
    return std::ranges::none_of(values_, [](const auto& value) { return value.has_value(); });
  }
  bool operator==(const Figures&) const = default;

 private:
  std::array<std::optional<std::uint64_t>, Count> values_;
};

// Finds an enum's value by its name in a few comparisons. Files have several times as many names as are
// wanted.
template <typename Enum, std::size_t Count>
class NameIndex {
 public:
  constexpr explicit NameIndex(const base::EnumNames<Enum, Count>& names) : names_(&names) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::sort(order_, {}, [this](std::size_t i) { return names_->names[i]; });
  }
  [[nodiscard]] constexpr std::optional<Enum> find(std::string_view name) const {
    const auto found =
        std::ranges::lower_bound(order_, name, {}, [this](std::size_t i) { return names_->names[i]; });
    if (found == order_.end() || names_->names[*found] != name) return std::nullopt;
    return static_cast<Enum>(*found);
  }

 private:
  const base::EnumNames<Enum, Count>* names_;
  std::array<std::size_t, Count> order_{};
};

}  // namespace allocd::kernel
