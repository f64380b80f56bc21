// SPDX-License-Identifier: Apache-2.0
#include "node/expect.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "node/expect_value.hpp"
#include "node/read.hpp"
#include "support/catch.hpp"
#include "support/machine_tree.hpp"

using namespace allocd;
using namespace allocd::node;

namespace {

NodeState machine() {
  NodeState state;
  state.thp.is_supported = true;
  state.thp.enabled = "madvise";
  state.thp.shrink_underused = true;
  state.thp.khugepaged = {{"defrag", 1}};
  state.numa.balancing = 1;
  state.vm.swappiness = 60;
  state.vm.max_map_count = 65530;
  state.vm.overcommit_memory = 0;
  state.vm.min_free = 67584ULL * 1024;
  state.hugetlb = {HugetlbPool{.page_bytes = 2U << 20U, .pages = 16}};
  state.iommu.mode = IommuMode::passthrough;
  return state;
}

ExpectationResult one(const std::string& key, const std::string& wanted, const NodeState& state = machine()) {
  const auto results = compare({{key, wanted}}, state);
  REQUIRE(results.size() == 1);
  CHECK(results[0].key == key);
  CHECK(results[0].wanted == wanted);
  return results[0];
}

constexpr auto kMet = ExpectationState::met;
constexpr auto kMissed = ExpectationState::missed;
constexpr auto kUnknown = ExpectationState::unknown;

}  // namespace

TEST_CASE("expect: words, one or any of several") {
  CHECK(one("thp.enabled", "madvise").state == kMet);
  CHECK(one("thp.enabled", "never | madvise").state == kMet);
  CHECK(one("thp.enabled", "always").state == kMissed);
  CHECK(one("thp.enabled", "always").found == "madvise");
  CHECK(one("iommu", "none|passthrough").state == kMet);
  CHECK(one("iommu", "translated").state == kMissed);
}

TEST_CASE("expect: numbers, lists, bounds and ranges") {
  CHECK(one("swappiness", "60").state == kMet);
  CHECK(one("swappiness", "<=10").state == kMissed);
  CHECK(one("swappiness", "<=10").found == "60");
  CHECK(one("swappiness", "0..60").state == kMet);
  CHECK(one("swappiness", "61..200").state == kMissed);
  CHECK(one("max_map_count", ">=262144").state == kMissed);
  CHECK(one("max_map_count", ">= 65530").state == kMet);
  CHECK(one("overcommit_memory", "0|1").state == kMet);
  CHECK(one("numa_balancing", "0|2").state == kMissed);
  CHECK(one("min_free_kbytes", ">=67584").state == kMet);
  CHECK(one("thp.khugepaged.defrag", "1").state == kMet);
}

TEST_CASE("expect: pools by any spelling of their size") {
  for (const std::string key : {"hugepages.2M", "hugepages.2MiB", "hugepages.2048kB", "hugepages.2048K"}) {
    CHECK(one(key, ">=16").state == kMet);
    CHECK(one(key, "17").state == kMissed);
  }
  CHECK(one("hugepages.1G", "0").state == kMet);
  const auto none = one("hugepages.1G", ">=1");
  CHECK(none.state == kMissed);
  CHECK(none.found == "absent");
  auto unread = machine();
  unread.hugetlb.reset();
  CHECK(one("hugepages.1G", "0", unread).state == kUnknown);
  unread.hugetlb = {HugetlbPool{.page_bytes = 2U << 20U}};
  CHECK(one("hugepages.2M", "0", unread).state == kUnknown);
}

TEST_CASE("expect: what was not read is unknown, whatever is wanted") {
  const NodeState nothing;
  for (const auto& key : expectation_keys()) {
    const auto name = key.name == "hugepages.SIZE" ? std::string("hugepages.2M") : std::string(key.name);
    CAPTURE(name);
    const auto result = one(name, key.words.empty() ? ">=0" : std::string(key.words.front()), nothing);
    CHECK(result.state == kUnknown);
    CHECK(result.found.empty());
  }
}

TEST_CASE("expect: what a kernel does not have is switched off") {
  const test::MachineTree empty;
  const auto state = read_node(empty.root());
  CHECK(one("thp.enabled", "never", state).state == kMet);
  CHECK(one("thp.enabled", "madvise", state).state == kMissed);
  CHECK(one("thp.enabled", "madvise", state).found == "absent");
  CHECK(one("thp.khugepaged.defrag", "0", state).state == kMet);
  CHECK(one("numa_balancing", "0", state).state == kMet);
  CHECK(one("numa_balancing", "1", state).found == "absent");
  CHECK(one("iommu", "none", state).state == kMet);
  // A limit that every kernel has is not read, not absent.
  CHECK(one("max_map_count", "0", state).state == kUnknown);
  const test::MachineTree old("6.8-two-nodes");
  CHECK(one("thp.shrink_underused", "1", read_node(old.root())).state == kMissed);
  CHECK(one("thp.shrink_underused", "0", read_node(old.root())).found == "absent");
}

TEST_CASE("expect: a file that may not be read is unknown and not switched off") {
  auto state = machine();
  state.numa.balancing.reset();
  state.problems = {{"/proc/sys/kernel/numa_balancing", ProblemKind::not_permitted, "Permission denied"}};
  CHECK(one("numa_balancing", "0", state).state == kUnknown);
}

TEST_CASE("expect: what is wanted is checked") {
  const auto is_good = [](std::string_view key, std::string_view value) {
    return !check_expectation(key, value);
  };
  CHECK(is_good("thp.defrag", "defer+madvise|madvise"));
  CHECK(is_good("thp.shmem_enabled", "within_size"));
  CHECK(is_good("swappiness", "<=200"));
  CHECK(is_good("max_map_count", ">=262144"));
  CHECK(is_good("hugepages.1G", "0..64|128"));
  CHECK_FALSE(is_good("thp.enabled", ""));
  CHECK_FALSE(is_good("thp.enabled", "on"));
  CHECK_FALSE(is_good("thp.enabled", "never|"));
  CHECK_FALSE(is_good("thp.enabled", "[never]"));
  CHECK_FALSE(is_good("iommu", "unknown"));
  for (const std::string_view value : {"", "x", "-1", ">", ">=", "<=x", "5..1", "..5", "5..", "1,2", "1||2",
                                       ">10", "201", "<=201", ">=201", "99999999999999999999"}) {
    CAPTURE(value);
    CHECK_FALSE(is_good("swappiness", value));
  }
  CHECK(check_expectation("swappiness", "300") == "out of range: 0 to 200");
  CHECK(check_expectation("thp.enabled", "on") == "\"on\" is none of always, madvise, never");
  CHECK(check_expectation("thp.enable", "never") == "unknown key \"thp.enable\"");
}

TEST_CASE("expect: keys are known, or the nearest is") {
  CHECK(find_expectation_key("thp.enabled") != nullptr);
  CHECK(find_expectation_key("hugepages.16G") != nullptr);
  for (const std::string_view key :
       {"", "thp", "hugepages", "hugepages.", "hugepages.3M", "hugepages.2T", "hugepages.SIZE",
        "hugepages.0K", "hugepages.18446744073709551615G", "Swappiness"}) {
    CAPTURE(key);
    CHECK(find_expectation_key(key) == nullptr);
    CHECK(check_expectation(key, "0"));
  }
  CHECK(nearest_expectation_key("thp.enable") == "thp.enabled");
  CHECK(nearest_expectation_key("swapiness") == "swappiness");
  CHECK_FALSE(nearest_expectation_key("colour"));
}

TEST_CASE("expect: unknown keys and values give an answer, the last ones unknown") {
  const auto results = compare({{"swappiness", "60"},
                                {"colour", "red"},
                                {"hugepages.1G", "0"},
                                {"hugepages.2M", "16"},
                                {"thp.enabled", "maybe"}},
                               machine());
  std::vector<std::string> keys;
  for (const auto& result : results) keys.push_back(result.key);
  CHECK(keys ==
        std::vector<std::string>{"thp.enabled", "swappiness", "hugepages.2M", "hugepages.1G", "colour"});
  CHECK(results[0].state == kUnknown);
  CHECK(results[0].found == "madvise");
  CHECK(results[4].state == kUnknown);
}

TEST_CASE("expect: every key has a meaning, and words or a range") {
  for (const auto& key : expectation_keys()) {
    CAPTURE(key.name);
    CHECK(key.meaning.ends_with('.'));
    CHECK_FALSE(key.range().empty());
    CHECK((key.words.empty() ? key.max > key.min : key.max == 0));
  }
}

TEST_CASE("expect: a size of pages is written as it is read") {
  for (const auto* const text : {"64K", "2M", "1G", "16G", "512M", "32K"}) {
    CAPTURE(text);
    CHECK(node::page_size_text(*parse_page_size(text)) == text);
  }
  CHECK(node::page_size_text(1023) == "1023B");
  CHECK(node::page_size_text(0) == "0B");
}

TEST_CASE("expect: sizes of pages") {
  CHECK(parse_page_size("64K") == 65536U);
  CHECK(parse_page_size("16G") == 16ULL << 30U);
  for (const std::string_view text : {"", "K", "2", "2m", "2 M", "-2M", "3M", "0K", "2MB"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_page_size(text));
  }
}
