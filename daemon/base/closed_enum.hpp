// SPDX-License-Identifier: Apache-2.0
// Names for closed sets. An enum whose values run from 0 and whose names are listed in order gets
// its text form, its parser and its list of values from one table, so they cannot disagree.
//
//   enum class Colour { red, green };
//   inline constexpr base::EnumNames<Colour, 2> kColourNames{{"red", "green"}};
//   kColourNames.name(Colour::red);  kColourNames.parse("green");
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace allocd::base {

template <typename Enum, std::size_t Count>
struct EnumNames {
  std::array<std::string_view, Count> names;

  [[nodiscard]] constexpr std::string_view name(Enum value) const {
    return names.at(static_cast<std::size_t>(value));
  }
  [[nodiscard]] constexpr std::optional<Enum> parse(std::string_view text) const {
    for (std::size_t i = 0; i < Count; ++i) {
      if (names[i] == text) return static_cast<Enum>(i);
    }
    return std::nullopt;
  }
  [[nodiscard]] static constexpr std::array<Enum, Count> values() {
    std::array<Enum, Count> all{};
    for (std::size_t i = 0; i < Count; ++i) all[i] = static_cast<Enum>(i);
    return all;
  }
};

}  // namespace allocd::base
