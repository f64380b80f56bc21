// SPDX-License-Identifier: Apache-2.0
#include "kernel/costly.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "host/root.hpp"
#include "kernel/attribute.hpp"
#include "kernel/meminfo.hpp"

namespace allocd::kernel {

namespace {

constexpr NameIndex kSmapsIndex{kSmapsKeyNames};
constexpr std::uint64_t kKibibyte = 1024;
constexpr std::size_t kMaxRollup = std::size_t{64} << 10U;
constexpr std::string_view kOther = "other";

CostlyFailure failure_of(int error) {
  switch (error) {
    case ESRCH:
      return CostlyFailure::gone;
    case EACCES:
    case EPERM:
      return CostlyFailure::not_permitted;
    case EBADMSG:
    case EFBIG:
      return CostlyFailure::malformed;
    case ECANCELED:
      return CostlyFailure::stopped;
    default:
      return CostlyFailure::failed;
  }
}

// The file is not there: because the process is not, or because the kernel lacks it?
CostlyFailure absent_in(int directory) {
  const bool lives = ::faccessat(directory, "stat", F_OK, 0) == 0;
  return lives ? CostlyFailure::unsupported : CostlyFailure::gone;
}

// One mapping, while its words are read.
struct NumaLine {
  struct Share {
    unsigned node = 0;
    std::uint64_t pages = 0;
  };
  std::vector<Share> shares;
  PageKind kind = PageKind::anon;
  std::uint64_t page_size = 0;  // absent in a mapping without pages
};

// False for "N1=" without a number and the like. Words that are not known say nothing of interest.
bool take_numa_word(std::string_view word, NumaLine& line) {
  const auto equals = word.find('=');
  const auto key = word.substr(0, equals);
  const auto value = equals == std::string_view::npos ? std::string_view{} : word.substr(equals + 1);
  if (key == "file" && line.kind == PageKind::anon) line.kind = PageKind::file;
  if (key == "huge" && value.empty()) line.kind = PageKind::hugetlb;
  if (key == "kernelpagesize_kB") {
    const auto size = base::parse_u64(value);
    if (!size || *size > UINT32_MAX) return false;
    line.page_size = *size * kKibibyte;
  }
  if (key.size() < 2 || key[0] != 'N' || key[1] < '0' || key[1] > '9') return true;
  const auto node = base::parse_u64(key.substr(1));
  const auto pages = base::parse_u64(value);
  if (!node || *node > kMaxId || !pages) return false;
  line.shares.push_back({static_cast<unsigned>(*node), *pages});
  return true;
}

}  // namespace

std::optional<SmapsRollup> parse_smaps_rollup(std::string_view text) {
  // "55e0c8a00000-7ffd1c5f2000 ---p 00000000 00:00 0                          [rollup]"
  if (!base::take_line(text).ends_with("[rollup]")) return std::nullopt;
  SmapsRollup rollup;
  const bool complete = visit_meminfo(text, [&](const MeminfoLine& line) {
    if (const auto key = kSmapsIndex.find(line.key)) rollup[*key] = line.value;
  });
  return complete ? std::optional(rollup) : std::nullopt;
}

bool NumaMaps::add(std::string_view lines) {
  while (!lines.empty()) {
    if (!add_line(base::take_line(lines))) return false;
  }
  return true;
}

bool NumaMaps::add_line(std::string_view line) {
  // "7f2c40000000 bind:1 file=/usr/lib/a\040b.so anon=2 dirty=2 N0=3 N1=30 kernelpagesize_kB=4": the kernel
  // escapes blanks in a path.
  if (!base::parse_u64(base::take_word(line), 16)) return false;
  const auto policy = base::take_word(line);
  if (policy.empty()) return false;
  NumaLine mapping;
  for (auto word = base::take_word(line); !word.empty(); word = base::take_word(line)) {
    if (!take_numa_word(word, mapping)) return false;
  }
  if (!mapping.shares.empty() && mapping.page_size == 0) return false;
  std::uint64_t sum = 0;
  for (const auto& share : mapping.shares) {
    std::uint64_t bytes = 0;
    auto& on_node = nodes_[share.node].at(static_cast<std::size_t>(mapping.kind));
    if (__builtin_mul_overflow(share.pages, mapping.page_size, &bytes) ||
        __builtin_add_overflow(on_node, bytes, &on_node) || __builtin_add_overflow(sum, bytes, &sum))
      return false;
  }
  ++mappings_;
  note_policy(policy, sum);
  return true;
}

void NumaMaps::note_policy(std::string_view policy, std::uint64_t bytes) {
  auto use = std::ranges::find(policies_, policy, &PolicyUse::policy);
  if (use == policies_.end()) {
    if (policies_.size() >= kMaxPolicies) policy = kOther;
    use = std::ranges::find(policies_, policy, &PolicyUse::policy);
    if (use == policies_.end()) use = policies_.insert(use, {std::string(policy), 0, 0});
  }
  ++use->mappings;
  use->bytes += bytes;
}

std::expected<SmapsRollup, CostlyFailure> read_smaps_rollup(int directory) {
  std::string text;
  const int error = host::read_file_into(directory, "smaps_rollup", text, kMaxRollup);
  if (error == ENOENT) return std::unexpected(absent_in(directory));
  if (error != 0) return std::unexpected(failure_of(error));
  if (text.empty()) return std::unexpected(CostlyFailure::gone);
  const auto rollup = parse_smaps_rollup(text);
  if (!rollup) return std::unexpected(CostlyFailure::malformed);
  return *rollup;
}

std::expected<NumaMaps, CostlyFailure> read_numa_maps(int directory, const KeepGoing& keep_going) {
  const base::UniqueFd fd(::openat(directory, "numa_maps", O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return std::unexpected(errno == ENOENT ? absent_in(directory) : failure_of(errno));
  NumaMaps maps;
  const auto take = [&](std::string_view lines) { return maps.add(lines) ? 0 : EBADMSG; };
  if (const int error = visit_chunks(fd.get(), take, keep_going); error != 0)
    return std::unexpected(failure_of(error));
  if (maps.mappings() == 0) return std::unexpected(CostlyFailure::gone);
  return maps;
}

}  // namespace allocd::kernel
