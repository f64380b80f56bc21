// SPDX-License-Identifier: Apache-2.0
// Values of every type that a snapshot is made of, as awkward as the type allows. One seed, one sequence.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace allocd::test {

class RandomValues {
 public:
  explicit RandomValues(std::uint32_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

  template <typename T>
  T number() {
    switch (below(4)) {
      case 0:
        return 0;
      case 1:
        return std::numeric_limits<T>::max();
      case 2:
        return std::numeric_limits<T>::min();
      default:
        return static_cast<T>(random_());
    }
  }
  bool flag() { return below(2) == 1; }
  double real() {
    switch (below(6)) {
      case 0:
        return 0;
      case 1:
        return std::numeric_limits<double>::max();
      case 2:
        return std::numeric_limits<double>::denorm_min();
      case 3:
        return -1.5e-9;
      default:
        return std::uniform_real_distribution<double>(0, 2e9)(random_);
    }
  }
  // Valid UTF-8 (anything else is replaced on the way out), made of what breaks quoting, nesting and
  // terminals.
  std::string text() {
    static const std::vector<std::string> pieces{"a",
                                                 "\"",
                                                 "\\",
                                                 "\\\"",
                                                 "]",
                                                 "}",
                                                 "[{",
                                                 ",",
                                                 ":",
                                                 "\n",
                                                 "\x1B",
                                                 "\x7F",
                                                 "\t",
                                                 "/",
                                                 "\xC3\xA9",
                                                 "\xE2\x82\xAC",
                                                 "\xF0\x9F\x98\x80",
                                                 "\xC2\x85",
                                                 " ",
                                                 "null",
                                                 std::string(1, '\0'),
                                                 "\"processes\":[",
                                                 "\\u0000"};
    std::string out;
    for (auto n = below(7); n > 0; --n) out += pieces[below(static_cast<std::uint32_t>(pieces.size()))];
    return out;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> out(below(3));
    for (auto& one : out) one = text();
    return out;
  }
  template <typename Names>
  auto one_of(const Names& names) {
    const auto values = names.values();
    return values[below(static_cast<std::uint32_t>(values.size()))];
  }
  template <typename T>
  std::optional<T> maybe() {
    if (flag()) return std::nullopt;
    return number<T>();
  }
  template <typename Names>
  auto counts(const Names& names) {
    std::map<typename std::remove_cvref_t<decltype(names.values())>::value_type, std::uint32_t> out;
    for (auto n = below(4); n > 0; --n) out[one_of(names)] = number<std::uint32_t>();
    return out;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace allocd::test
