// SPDX-License-Identifier: Apache-2.0
#include "node/expect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "base/text.hpp"
#include "kernel/node_paths.hpp"
#include "node/expect_value.hpp"

namespace allocd::node {

namespace {

using Words = std::span<const std::string_view>;

constexpr std::string_view kHugepages = "hugepages.";
constexpr std::string_view kAbsent = "absent";
constexpr std::uint64_t kKibibyte = 1024;

constexpr std::array<std::string_view, 3> kThpEnabled{"always", "madvise", "never"};
constexpr std::array<std::string_view, 5> kThpDefrag{"always", "defer", "defer+madvise", "madvise", "never"};
constexpr std::array<std::string_view, 6> kShmemEnabled{"always", "within_size", "advise",
                                                        "never",  "deny",        "force"};
constexpr std::array<std::string_view, 4> kIommuModes{"none", "translated", "passthrough", "mixed"};

// What there is of a key: a word, or a number. Neither: it could not be read.
struct Found {
  Word word;
  Figure number;
  bool is_absent = false;  // this kernel does not have it
};

Found found_thp(const NodeState& state, const Word& word) {
  if (state.thp.is_supported == false) return {"never", std::nullopt, true};
  return {word, std::nullopt, false};
}

Found found_switch(const NodeState& state, const std::optional<bool>& value, std::string_view file) {
  if (value) return {std::nullopt, *value ? 1U : 0U, false};
  const bool is_absent =
      state.thp.is_supported == false || is_missing(state, fmt::format("{}/{}", kernel::kThpFolder, file));
  return {std::nullopt, is_absent ? Figure(0) : std::nullopt, is_absent};
}

Found found_khugepaged_defrag(const NodeState& state) {
  if (state.thp.is_supported == false) return {std::nullopt, 0, true};
  const auto setting = state.thp.khugepaged.find("defrag");
  return {std::nullopt, setting == state.thp.khugepaged.end() ? Figure() : Figure(setting->second), false};
}

// A figure whose file a kernel without the feature lacks.
Found found_feature(const NodeState& state, const Figure& figure, std::string_view path) {
  if (!figure && is_missing(state, path)) return {std::nullopt, 0, true};
  return {std::nullopt, figure, false};
}

Found found_iommu(const NodeState& state) {
  if (state.iommu.mode == IommuMode::unknown) return {};
  return {std::string(kIommuModeNames.name(state.iommu.mode)), std::nullopt, false};
}

Found found_pool(const NodeState& state, std::uint64_t page_bytes) {
  if (!state.hugetlb) return {};
  const auto pool = std::ranges::find(*state.hugetlb, page_bytes, &HugetlbPool::page_bytes);
  if (pool == state.hugetlb->end()) return {std::nullopt, 0, true};
  return {std::nullopt, pool->pages, false};
}

Found found_kibibytes(const Figure& bytes) {
  return {std::nullopt, bytes ? Figure(*bytes / kKibibyte) : std::nullopt, false};
}

struct Row {
  ExpectationKey key;
  Found (*find)(const NodeState&);
};

ExpectationKey word_key(std::string_view name, Words words, std::string_view meaning) {
  return {name, words, 0, 0, meaning};
}

ExpectationKey number_key(std::string_view name, std::uint64_t min, std::uint64_t max,
                          std::string_view meaning) {
  return {name, {}, min, max, meaning};
}

std::array<Row, 14> make_rows() {
  using State = const NodeState&;
  const auto zone_reclaim = [](State state) {
    return found_feature(state, state.vm.zone_reclaim_mode,
                         fmt::format("{}/zone_reclaim_mode", kernel::kVmSysctlFolder));
  };
  return {{
      {word_key("thp.enabled", kThpEnabled, "Which anonymous memory gets transparent huge pages."),
       [](State state) { return found_thp(state, state.thp.enabled); }},
      {word_key("thp.defrag", kThpDefrag, "What a fault does when no huge page is free."),
       [](State state) { return found_thp(state, state.thp.defrag); }},
      {word_key("thp.shmem_enabled", kShmemEnabled, "Which shared memory gets transparent huge pages."),
       [](State state) { return found_thp(state, state.thp.shmem_enabled); }},
      {number_key("thp.use_zero_page", 0, 1, "Whether a read of untouched memory maps a huge page of zeros."),
       [](State state) { return found_switch(state, state.thp.use_zero_page, "use_zero_page"); }},
      {number_key("thp.shrink_underused", 0, 1,
                  "Whether huge pages that are mostly zeros are split (kernel 6.12)."),
       [](State state) { return found_switch(state, state.thp.shrink_underused, "shrink_underused"); }},
      {number_key("thp.khugepaged.defrag", 0, 1, "Whether khugepaged compacts memory to make huge pages."),
       found_khugepaged_defrag},
      {number_key("numa_balancing", 0, 3, "kernel.numa_balancing: 0 off, 1 on, 2 memory tiering."),
       [](State state) { return found_feature(state, state.numa.balancing, kernel::kNumaBalancingPath); }},
      {number_key("zone_reclaim_mode", 0, 7,
                  "vm.zone_reclaim_mode: what is reclaimed before another node is used."),
       zone_reclaim},
      {word_key("iommu", kIommuModes, "What DMA of devices goes through, by the types of the IOMMU groups."),
       found_iommu},
      {number_key("overcommit_memory", 0, 2, "vm.overcommit_memory: 0 heuristic, 1 always, 2 never."),
       [](State state) { return Found{std::nullopt, state.vm.overcommit_memory}; }},
      {number_key("max_map_count", 0, INT32_MAX, "vm.max_map_count: how many mappings a process may have."),
       [](State state) { return Found{std::nullopt, state.vm.max_map_count}; }},
      {number_key("swappiness", 0, 200, "vm.swappiness: how readily anonymous memory is swapped."),
       [](State state) { return Found{std::nullopt, state.vm.swappiness}; }},
      {number_key("min_free_kbytes", 0, INT32_MAX, "vm.min_free_kbytes: what the kernel keeps free."),
       [](State state) { return found_kibibytes(state.vm.min_free); }},
      {number_key("hugepages.SIZE", 0, INT64_MAX, "Pages in the pool of this size, all nodes: hugepages.2M."),
       nullptr},
  }};
}

const std::array<Row, 14>& rows() {
  static const auto kRows = make_rows();
  return kRows;
}

const Row* find_row(std::string_view name) {
  if (name.starts_with(kHugepages)) {
    return parse_page_size(name.substr(kHugepages.size())) ? &rows().back() : nullptr;
  }
  const auto* row = std::ranges::find(rows(), name, [](const Row& candidate) { return candidate.key.name; });
  return row == rows().end() ? nullptr : row;
}

Found find_value(const Row& row, std::string_view name, const NodeState& state) {
  if (row.find != nullptr) return row.find(state);
  return found_pool(state, parse_page_size(name.substr(kHugepages.size())).value_or(0));
}

std::string describe(const Found& found) {
  if (found.is_absent) return std::string(kAbsent);
  if (found.word) return *found.word;
  return found.number ? std::to_string(*found.number) : "";
}

bool is_met(const ExpectationKey& key, std::string_view wanted, const Found& found) {
  if (key.words.empty()) return found.number && is_in(*parse_number_ranges(wanted), *found.number);
  const auto words = *parse_word_list(wanted);
  return found.word && std::ranges::find(words, std::string_view(*found.word)) != words.end();
}

ExpectationResult compare_one(const std::string& name, const std::string& wanted, const NodeState& state) {
  ExpectationResult result{name, wanted, "", ExpectationState::unknown};
  const Row* row = find_row(name);
  if (row == nullptr) return result;
  const auto found = find_value(*row, name, state);
  result.found = describe(found);
  if (result.found.empty() || check_expectation(name, wanted)) return result;
  result.state = is_met(row->key, wanted, found) ? ExpectationState::met : ExpectationState::missed;
  return result;
}

// Where a key stands in the answer: its row, the size of its pages, its spelling.
std::tuple<std::size_t, std::uint64_t, std::string_view> order_of(std::string_view name) {
  const Row* row = find_row(name);
  if (row == nullptr) return {rows().size(), 0, name};
  const auto place = static_cast<std::size_t>(row - rows().data());
  if (row->find != nullptr) return {place, 0, name};
  return {place, parse_page_size(name.substr(kHugepages.size())).value_or(0), name};
}

std::optional<std::string> check_number(const ExpectationKey& key, std::string_view value) {
  const auto ranges = parse_number_ranges(value);
  if (!ranges) return "want a number, \">=N\", \"<=N\", \"A..B\", or such joined by \"|\"";
  // An open end is no mistake; a bound that nothing can reach is.
  const auto is_reachable = [&](const NumberRange& range) {
    return range.low <= key.max && range.high >= key.min &&
           (range.high <= key.max || range.high == UINT64_MAX);
  };
  if (!std::ranges::all_of(*ranges, is_reachable)) return fmt::format("out of range: {}", key.range());
  return std::nullopt;
}

std::optional<std::string> check_words(const ExpectationKey& key, std::string_view value) {
  const auto words = parse_word_list(value);
  if (!words) return fmt::format("want one of {}, or several joined by \"|\"", key.range());
  for (const auto word : *words) {
    if (std::ranges::find(key.words, word) == key.words.end()) {
      return fmt::format("\"{}\" is none of {}", word, key.range());
    }
  }
  return std::nullopt;
}

}  // namespace

std::string ExpectationKey::range() const {
  return words.empty() ? fmt::format("{} to {}", min, max) : fmt::format("{}", fmt::join(words, ", "));
}

std::span<const ExpectationKey> expectation_keys() {
  static const auto kKeys = [] {
    std::vector<ExpectationKey> keys;
    for (const auto& row : rows()) keys.push_back(row.key);
    return keys;
  }();
  return kKeys;
}

const ExpectationKey* find_expectation_key(std::string_view name) {
  const Row* row = find_row(name);
  return row != nullptr ? &row->key : nullptr;
}

std::optional<std::string> nearest_expectation_key(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto& row : rows()) names.push_back(row.key.name);
  const auto nearest = base::nearest_word(name, names);
  return nearest ? std::optional<std::string>(*nearest) : std::nullopt;
}

std::optional<std::string> check_expectation(std::string_view key, std::string_view value) {
  const auto* known = find_expectation_key(key);
  if (known == nullptr) return fmt::format("unknown key \"{}\"", key);
  return known->words.empty() ? check_number(*known, value) : check_words(*known, value);
}

std::vector<ExpectationResult> compare(const Expectations& expectations, const NodeState& state) {
  std::vector<ExpectationResult> results;
  for (const auto& [key, wanted] : expectations) results.push_back(compare_one(key, wanted, state));
  std::ranges::sort(results, {}, [](const ExpectationResult& result) { return order_of(result.key); });
  return results;
}

}  // namespace allocd::node
