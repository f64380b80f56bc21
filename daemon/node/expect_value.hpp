// SPDX-License-Identifier: Apache-2.0
// The written forms of a wanted value, see expect.hpp. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allocd::node {

struct NumberRange {
  std::uint64_t low = 0;
  std::uint64_t high = UINT64_MAX;
};

// "0|2", ">=262144", "1..10": the ranges of which a number must be in one. Nothing when it is not so written.
[[nodiscard]] std::optional<std::vector<NumberRange>> parse_number_ranges(std::string_view text);
[[nodiscard]] bool is_in(const std::vector<NumberRange>& ranges, std::uint64_t number);
// "madvise|never": words, none of them empty. Nothing when one is.
[[nodiscard]] std::optional<std::vector<std::string_view>> parse_word_list(std::string_view text);
// "2M", "1G", "512MiB", "64K", "2048kB" in bytes: a power of two, 1 KiB or more.
[[nodiscard]] std::optional<std::uint64_t> parse_page_size(std::string_view text);
// "64K", "2M", "1G": the shortest of these that is exact.
[[nodiscard]] std::string page_size_text(std::uint64_t bytes);

}  // namespace allocd::node
