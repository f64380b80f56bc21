// SPDX-License-Identifier: Apache-2.0
#include "preflight/tunables.hpp"

#include <fmt/format.h>
#include <gnu/libc-version.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "base/text.hpp"

namespace allocd::preflight {

namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

struct Tunable {
  std::string_view name;
  std::uint64_t least = 0;
  std::uint64_t most = kNoLimit;
  unsigned since = 26;
};

constexpr std::array<Tunable, 13> kTunables{{{"glibc.malloc.arena_max", 1},
                                             {"glibc.malloc.arena_test", 1},
                                             {"glibc.malloc.trim_threshold"},
                                             {"glibc.malloc.mmap_threshold"},
                                             {"glibc.malloc.mmap_max", 0, 2147483647},
                                             {"glibc.malloc.top_pad"},
                                             {"glibc.malloc.mxfast", 0, kNoLimit, 30},
                                             {"glibc.malloc.perturb", 0, 255},
                                             {"glibc.malloc.check", 0, 3},
                                             {"glibc.malloc.hugetlb", 0, kNoLimit, 35},
                                             {"glibc.malloc.tcache_max"},
                                             {"glibc.malloc.tcache_count", 0, 65535},
                                             {"glibc.malloc.tcache_unsorted_limit"}}};

// Until 2.34 a larger mmap_threshold was dropped: HEAP_MAX_SIZE / 2 on 64 bits (malloc/malloc.c).
constexpr std::uint64_t kOldMmapThreshold = std::uint64_t{32} << 20U;

std::uint64_t most_of(const Tunable& tunable, unsigned glibc_minor) {
  return tunable.name == "glibc.malloc.mmap_threshold" && glibc_minor < 35 ? kOldMmapThreshold : tunable.most;
}

Finding decide_pair(std::string_view pair, unsigned glibc_minor) {
  const auto refuse = [](std::string sentence) -> Finding {
    return {Reason::bad_tunable, std::move(sentence)};
  };
  const std::string shown = base::escape_for_terminal(pair.substr(0, 200));
  const auto equals = pair.find('=');
  if (equals == std::string_view::npos) return refuse(fmt::format("'{}' is not name=value", shown));
  const auto name = pair.substr(0, equals);
  const auto known = std::ranges::find(kTunables, name, &Tunable::name);
  if (known == kTunables.end() || glibc_minor < known->since) {
    return refuse(fmt::format("glibc 2.{} has no tunable '{}'; it would ignore it", glibc_minor,
                              base::escape_for_terminal(name.substr(0, 200))));
  }
  const auto digits = pair.substr(equals + 1);
  const bool is_hex = digits.starts_with("0x");
  // A leading 0 is octal to glibc: refused, since nobody means it.
  if (digits.size() > 1 && digits.front() == '0' && !is_hex) {
    return refuse(fmt::format("the value of '{}' would be read as octal", shown));
  }
  const auto number = base::parse_u64(is_hex ? digits.substr(2) : digits, is_hex ? 16 : 10);
  if (!number) return refuse(fmt::format("the value of '{}' is not a whole number", shown));
  const std::uint64_t most = most_of(*known, glibc_minor);
  if (*number < known->least || *number > most) {
    return refuse(fmt::format("'{}' is out of range: glibc 2.{} takes {} to {}", shown, glibc_minor,
                              known->least, most));
  }
  return {};
}

}  // namespace

Finding decide_tunables(std::string_view value, unsigned glibc_minor) {
  for (const auto pair : base::split(value, ':')) {
    if (Finding found = decide_pair(pair, glibc_minor); found.reason != Reason::ok) return found;
  }
  return {};
}

unsigned own_glibc_minor() {
  std::string_view version = ::gnu_get_libc_version();  // "2.36"
  version.remove_prefix(std::min(version.find('.') + 1, version.size()));
  return static_cast<unsigned>(base::parse_u64(version.substr(0, version.find('.'))).value_or(0));
}

}  // namespace allocd::preflight
