// SPDX-License-Identifier: Apache-2.0
// What an operator declared the machine should be, beside what it is. allocd compares; it changes nothing.
//
// Keys are a closed table, and `hugepages.SIZE` for each size ("2M", "1G", "2048kB"). How a value is written:
//   words     madvise            one of the key's words
//             madvise|never      any of these
//   numbers   1                  exactly; also in a list: 0|2
//             >=262144  <=10     a bound
//             1..10              both bounds, each included
// Blanks around a part are allowed. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"
#include "node/state.hpp"

namespace allocd::node {

struct ExpectationKey {
  std::string_view name;                    // "thp.enabled"; "hugepages.SIZE" stands for a family of keys
  std::span<const std::string_view> words;  // empty: a number
  std::uint64_t min = 0;                    // of a number
  std::uint64_t max = 0;
  std::string_view meaning;  // one sentence

  // What is accepted, for a message or a reference page: "always, madvise, never" or "0 to 200".
  [[nodiscard]] std::string range() const;
};

// In the order in which compare() answers.
[[nodiscard]] std::span<const ExpectationKey> expectation_keys();
// Nothing when no key is called so. A size of hugetlb pages must be a power of two.
[[nodiscard]] const ExpectationKey* find_expectation_key(std::string_view name);
// The key that was probably meant.
[[nodiscard]] std::optional<std::string> nearest_expectation_key(std::string_view name);

// Nothing when `value` can be wanted of `key`, else one sentence that says what is wrong with it.
[[nodiscard]] std::optional<std::string> check_expectation(std::string_view key, std::string_view value);

using Expectations = std::map<std::string, std::string>;  // key -> what is wanted, as written

// unknown: what is could not be read, or what is wanted cannot be understood.
enum class ExpectationState { met, missed, unknown };
inline constexpr base::EnumNames<ExpectationState, 3> kExpectationStateNames{{"met", "missed", "unknown"}};

struct ExpectationResult {
  std::string key;
  std::string wanted;  // as written
  // As the kernel has it; "absent" where this kernel does not have the thing at all, which then counts as
  // switched off ("never", 0). "" when it could not be read.
  std::string found;
  ExpectationState state = ExpectationState::unknown;
  bool operator==(const ExpectationResult&) const = default;
};

// One result for each expectation, in the order of the table, hugepages.SIZE by rising size, unknown keys
// last.
[[nodiscard]] std::vector<ExpectationResult> compare(const Expectations& expectations,
                                                     const NodeState& state);

}  // namespace allocd::node
