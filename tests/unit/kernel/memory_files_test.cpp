// SPDX-License-Identifier: Apache-2.0
// Files of lines: counters, meminfo, the kernel's command line.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/command_line.hpp"
#include "kernel/counters.hpp"
#include "kernel/meminfo.hpp"
#include "support/catch.hpp"

using namespace allocd::kernel;

namespace {

using Values = std::map<std::string, std::uint64_t>;

std::optional<Values> counters(std::string_view text) {
  Values values;
  const bool is_whole =
      visit_counters(text, [&](const Counter& counter) { values.emplace(counter.name, counter.value); });
  return is_whole ? std::optional(values) : std::nullopt;
}

std::optional<Values> meminfo(std::string_view text) {
  Values values;
  const bool is_whole =
      visit_meminfo(text, [&](const MeminfoLine& line) { values.emplace(line.key, line.value); });
  return is_whole ? std::optional(values) : std::nullopt;
}

}  // namespace

TEST_CASE("counters: names and numbers") {
  CHECK(counters("thp_fault_alloc 12\nnr_unstable 0\n") ==
        Values{{"thp_fault_alloc", 12}, {"nr_unstable", 0}});
  CHECK(counters("numa_hit 18446744073709551615\n") == Values{{"numa_hit", UINT64_MAX}});
}

TEST_CASE("counters: a file that is not counters to its end is none") {
  for (const std::string_view text :
       {"", "\n", "numa_hit", "numa_hit 1", "numa_hit\n", "numa_hit 1\nnuma_m", "numa_hit 1\n\n", " 1\n",
        "numa_hit  1\n", "numa_hit 1 2\n", "numa_hit -1\n", "numa_hit 18446744073709551616\n", "\x01\x02 1\n",
        "numa\xff 1\n"}) {
    CAPTURE(text);
    CHECK_FALSE(counters(text));
  }
}

TEST_CASE("meminfo: bytes and counts, of the machine and of a node") {
  CHECK(meminfo("MemTotal:       24684084 kB\nActive(anon):       4 kB\nHugePages_Total:       3\n") ==
        Values{{"MemTotal", 24684084ULL * 1024}, {"Active(anon)", 4096}, {"HugePages_Total", 3}});
  CHECK(meminfo("Node 12 MemTotal:       8 kB\nNode 12 HugePages_Free:     2\n") ==
        Values{{"MemTotal", 8192}, {"HugePages_Free", 2}});
}

TEST_CASE("meminfo: a file that is not meminfo to its end is none") {
  for (const std::string_view text :
       {"", "\n", "MemTotal:       246", "MemTotal: 1 kB\nMemFr", "MemTotal 1 kB\n", ": 1 kB\n",
        "MemTotal:\n", "MemTotal: kB\n", "MemTotal: 1 MB\n", "MemTotal: 1 kB x\n", "MemTotal: -1 kB\n",
        "MemTotal: 18446744073709551615 kB\n", "Node x MemTotal: 1 kB\n", "Node 1\n",
        "\x7f"
        "ELF\n"}) {
    CAPTURE(text);
    CHECK_FALSE(meminfo(text));
  }
}

TEST_CASE("command line: words, quotes, and what belongs to init") {
  using Words = std::vector<std::string>;
  CHECK(parse_command_line("quiet  intel_iommu=on\tiommu=pt\n") ==
        Words{"quiet", "intel_iommu=on", "iommu=pt"});
  CHECK(parse_command_line("a=\"b c\" \"d=e f\" -- iommu=pt\n") == Words{"a=b c", "d=e f"});
  CHECK(parse_command_line("a=\"b c\n") == Words{"a=b c"});
  CHECK(parse_command_line("\n") == Words{});
  CHECK_FALSE(parse_command_line(""));
  CHECK_FALSE(parse_command_line("intel_iommu=o"));
  CHECK_FALSE(parse_command_line(std::string_view("a\0b\n", 4)));
  CHECK_FALSE(parse_command_line("a\nb\n"));
}

TEST_CASE("command line: dashes and underscores in a name are one") {
  CHECK(sets_parameter("iommu=pt", "iommu"));
  CHECK(sets_parameter("intel-iommu=on", "intel_iommu"));
  CHECK(sets_parameter("nopti", "nopti"));
  CHECK_FALSE(sets_parameter("iommu.strict=1", "iommu"));
  CHECK_FALSE(sets_parameter("iommu_x", "iommu"));
}
