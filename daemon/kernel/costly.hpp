// SPDX-License-Identifier: Apache-2.0
// The two files of /proc/PID that walk a process's page tables: smaps_rollup and numa_maps,
// proc_pid_smaps(5), proc_pid_numa_maps(5).
//
// They cost 2 to 6 ms per GiB of 4 KiB pages, and as long as one mapping is walked the process can neither
// map nor unmap (before Linux 6.4 not even fault, once a thread of it waits to map). Nothing here decides to
// read them: that is off by default and goes through base::CostBudget, on a reader thread. smaps_rollup is
// one call that nothing can interrupt; numa_maps is asked `keep_going` between chunks.
//
// Needs the rights of PTRACE_MODE_READ. A process without memory (kernel thread, zombie) and one that has
// ended are `gone`. Text that was cut short or is of another form is `malformed`, never a partial sum. The
// parsers are pure.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"
#include "kernel/chunks.hpp"
#include "kernel/figures.hpp"

namespace allocd::kernel {

// Which of the two; named as the file is.
enum class CostlyKind { smaps_rollup, numa_maps };
inline constexpr base::EnumNames<CostlyKind, 2> kCostlyKindNames{{"smaps_rollup", "numa_maps"}};

enum class CostlyFailure {
  gone,
  not_permitted,
  unsupported,  // a kernel without the file: numa_maps without NUMA, smaps_rollup before 4.14
  malformed,
  stopped,  // keep_going said so
  failed
};
inline constexpr base::EnumNames<CostlyFailure, 6> kCostlyFailureNames{
    {"gone", "not_permitted", "unsupported", "malformed", "stopped", "failed"}};

// Of smaps_rollup, in bytes; named as the kernel does.
// clang-format off
enum class SmapsKey {
  Rss, Pss, Pss_Dirty, Pss_Anon, Pss_File, Pss_Shmem, Shared_Clean, Shared_Dirty, Private_Clean, Private_Dirty,
  Referenced, Anonymous, KSM, LazyFree, AnonHugePages, ShmemPmdMapped, FilePmdMapped, Shared_Hugetlb,
  Private_Hugetlb, Swap, SwapPss, Locked
};
inline constexpr base::EnumNames<SmapsKey, 22> kSmapsKeyNames{{
  "Rss", "Pss", "Pss_Dirty", "Pss_Anon", "Pss_File", "Pss_Shmem", "Shared_Clean", "Shared_Dirty", "Private_Clean",
  "Private_Dirty", "Referenced", "Anonymous", "KSM", "LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped",
  "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss", "Locked"}};
// clang-format on
using SmapsRollup = Figures<SmapsKey, 22>;

[[nodiscard]] std::optional<SmapsRollup> parse_smaps_rollup(std::string_view text);

// What a mapping is. A file's private copies count with the file; shared memory is a file here.
enum class PageKind { anon, file, hugetlb };
inline constexpr base::EnumNames<PageKind, 3> kPageKindNames{{"anon", "file", "hugetlb"}};

struct PolicyUse {
  std::string policy;  // "default", "bind:0-1", "interleave=static:0,2"
  std::uint64_t mappings = 0;
  std::uint64_t bytes = 0;  // resident in them
};

// Of numa_maps. The policy of a mapping is the one in effect: without one of its own it shows the main
// thread's.
class NumaMaps {
 public:
  // More policies than this in one process are summed up as "other".
  static constexpr std::size_t kMaxPolicies = 16;
  using Bytes = std::array<std::uint64_t, 3>;  // by PageKind

  // `lines`: whole lines. False when one is not of numa_maps.
  [[nodiscard]] bool add(std::string_view lines);

  [[nodiscard]] const std::map<unsigned, Bytes>& nodes() const { return nodes_; }  // resident, by node id
  [[nodiscard]] const std::vector<PolicyUse>& policies() const { return policies_; }
  [[nodiscard]] std::uint64_t mappings() const { return mappings_; }

 private:
  [[nodiscard]] bool add_line(std::string_view line);
  void note_policy(std::string_view policy, std::uint64_t bytes);

  std::map<unsigned, Bytes> nodes_;
  std::vector<PolicyUse> policies_;
  std::uint64_t mappings_ = 0;
};

// `directory` is an open /proc/PID.
[[nodiscard]] std::expected<SmapsRollup, CostlyFailure> read_smaps_rollup(int directory);
[[nodiscard]] std::expected<NumaMaps, CostlyFailure> read_numa_maps(int directory,
                                                                    const KeepGoing& keep_going = {});

}  // namespace allocd::kernel
