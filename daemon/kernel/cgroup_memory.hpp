// SPDX-License-Identifier: Apache-2.0
// What cgroup v2 knows of one control group's memory, Documentation/admin-guide/cgroup-v2.rst, "Memory".
//
// A unit that restarts has a new directory under the old name: an open group stays with the directory it was
// opened for, says `gone` once that was removed, and must then be opened again by its path. The whole picture
// is missing, with its reason, where the group has no memory controller; where one file is missing or cannot
// be understood, that file's figures are absent and a problem names it. Nothing here is ever 0 because it
// could not be read. A file that this kernel does not have yet (memory.peak before 5.19, memory.swap.*
// without swap accounting) is a problem of the kind `missing`, which is no error.
//
// None of these files waits for a process of the group. memory.stat and memory.numa_stat may make the kernel
// sum up per-CPU counts first. What a sample reads, current, stat, events and pressure, stays open: 4 system
// calls. All of it is 12 files and 2 for each ancestor. The parsers are pure; a reader has a buffer of its
// own, so one belongs to one thread.
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
#include "base/unique_fd.hpp"
#include "host/root.hpp"
#include "kernel/figures.hpp"
#include "kernel/pressure.hpp"

namespace allocd::kernel {

// "max" is a limit of its own: none. It is not the absence of a figure.
struct Limit {
  std::uint64_t bytes = UINT64_MAX;
  [[nodiscard]] bool is_unlimited() const { return bytes == UINT64_MAX; }
  auto operator<=>(const Limit&) const = default;
};

// Of memory.stat. Bytes up to `unevictable`, counts of pages or events since the group was made below that.
enum class MemoryStat {
  anon,
  file,
  kernel,
  kernel_stack,
  pagetables,
  sec_pagetables,
  percpu,
  sock,
  shmem,
  file_mapped,
  file_dirty,
  file_writeback,
  swapcached,
  anon_thp,
  file_thp,
  shmem_thp,
  inactive_file,
  slab,
  slab_reclaimable,
  slab_unreclaimable,
  unevictable,
  workingset_refault_anon,
  workingset_refault_file,
  pgfault,
  pgmajfault,
  thp_fault_alloc,
  thp_collapse_alloc
};
inline constexpr base::EnumNames<MemoryStat, 27> kMemoryStatNames{{"anon",
                                                                   "file",
                                                                   "kernel",
                                                                   "kernel_stack",
                                                                   "pagetables",
                                                                   "sec_pagetables",
                                                                   "percpu",
                                                                   "sock",
                                                                   "shmem",
                                                                   "file_mapped",
                                                                   "file_dirty",
                                                                   "file_writeback",
                                                                   "swapcached",
                                                                   "anon_thp",
                                                                   "file_thp",
                                                                   "shmem_thp",
                                                                   "inactive_file",
                                                                   "slab",
                                                                   "slab_reclaimable",
                                                                   "slab_unreclaimable",
                                                                   "unevictable",
                                                                   "workingset_refault_anon",
                                                                   "workingset_refault_file",
                                                                   "pgfault",
                                                                   "pgmajfault",
                                                                   "thp_fault_alloc",
                                                                   "thp_collapse_alloc"}};
using MemoryStats = Figures<MemoryStat, 27>;

// Of memory.events: counts since the group was made, of it and of all groups below it.
enum class MemoryEvent { low, high, max, oom, oom_kill, oom_group_kill };
inline constexpr base::EnumNames<MemoryEvent, 6> kMemoryEventNames{
    {"low", "high", "max", "oom", "oom_kill", "oom_group_kill"}};
using MemoryEvents = Figures<MemoryEvent, 6>;

// Of memory.numa_stat: bytes on one node.
enum class NodeKind { anon, file, kernel_stack, shmem, slab_reclaimable, slab_unreclaimable };
inline constexpr base::EnumNames<NodeKind, 6> kNodeKindNames{
    {"anon", "file", "kernel_stack", "shmem", "slab_reclaimable", "slab_unreclaimable"}};
using NodeFigures = Figures<NodeKind, 6>;
using NodeTable = std::map<unsigned, NodeFigures>;  // by node id

// Nothing when the text is not wholly what the kernel writes, or was cut short.
[[nodiscard]] std::optional<Limit> parse_limit(std::string_view text);
[[nodiscard]] std::optional<MemoryStats> parse_memory_stat(std::string_view text);
[[nodiscard]] std::optional<MemoryEvents> parse_memory_events(std::string_view text);
// Sample line: `anon N0=2039808 N1=0`. Figures of a node add up to memory.stat's only roughly: the kernel
// sums them at different times.
[[nodiscard]] std::optional<NodeTable> parse_memory_numa_stat(std::string_view text);

enum class FileProblemKind { missing, not_permitted, malformed, io };
inline constexpr base::EnumNames<FileProblemKind, 4> kFileProblemKindNames{
    {"missing", "not_permitted", "malformed", "io"}};

struct FileProblem {
  std::string file;  // "memory.stat"; an ancestor's has its path before it
  FileProblemKind kind = FileProblemKind::io;
  bool operator==(const FileProblem&) const = default;
};

// Whichever of the group and its ancestors allows least. Above it reclaim starts (high) or the kernel kills
// (max).
struct EffectiveLimit {
  Limit limit;
  std::string group;  // whose it is, "/system.slice"; "" when nothing limits
  bool operator==(const EffectiveLimit&) const = default;
};

struct CgroupMemory {
  std::optional<std::uint64_t> current;
  std::optional<std::uint64_t> peak;  // 5.19
  std::optional<Limit> high;
  std::optional<Limit> max;
  std::optional<std::uint64_t> swap_current;
  std::optional<Limit> swap_max;
  std::optional<bool> oom_group;
  MemoryStats stat;
  MemoryEvents events;
  std::optional<Pressure> pressure;
  bool pressure_is_off = false;  // the kernel does not account for it (psi=0, or cgroup.pressure is 0)
  NodeTable nodes;               // empty: absent, or a kernel without NUMA
  // Absent when the limit of any group on the way up could not be read: the smallest might be that one.
  std::optional<EffectiveLimit> effective_high;
  std::optional<EffectiveLimit> effective_max;
  std::vector<FileProblem> problems;

  // Problems that are errors: all but files the kernel lacks.
  [[nodiscard]] std::size_t errors() const;
  bool operator==(const CgroupMemory&) const = default;
};

enum class NoCgroupMemory {
  controller_off,  // cgroup v2, but the memory controller is not enabled for this group
  cgroup_v1,       // systemd's hierarchy is v1 or hybrid: per-process sums stand alone
  gone,
  not_permitted,
  failed
};
inline constexpr base::EnumNames<NoCgroupMemory, 5> kNoCgroupMemoryNames{
    {"controller_off", "cgroup_v1", "gone", "not_permitted", "failed"}};

// A group's directory, and its files that every sample reads. A file that could not be opened keeps the
// reason.
struct OpenGroup {
  struct File {
    base::UniqueFd fd;
    int error = 0;
  };
  std::string path;
  base::UniqueFd directory;
  File current, stat, events, pressure;
};

class CgroupMemoryReader {
 public:
  // `mount` as find_cgroup_mount gives it.
  CgroupMemoryReader(const host::Root& root, std::string mount);

  // `path` as systemd gives it: "/system.slice/vllm.service".
  [[nodiscard]] std::expected<OpenGroup, NoCgroupMemory> open(std::string_view path) const;
  // current, stat, events and pressure, into `memory`; the rest of it stays. A reason: nothing in it holds.
  [[nodiscard]] std::optional<NoCgroupMemory> read_fast(const OpenGroup& group, CgroupMemory& memory);
  // Everything, anew.
  [[nodiscard]] std::optional<NoCgroupMemory> read_all(const OpenGroup& group, CgroupMemory& memory);
  // Open and read_all.
  [[nodiscard]] std::expected<CgroupMemory, NoCgroupMemory> read(std::string_view path);

 private:
  [[nodiscard]] std::optional<NoCgroupMemory> why_absent(int directory) const;
  template <typename Value, typename Parse>
  void take(int error, const char* file, const Parse& parse, std::optional<Value>& value,
            CgroupMemory& memory);
  void read_open_files(const OpenGroup& group, CgroupMemory& memory);
  void read_rest(int directory, CgroupMemory& memory);
  void read_pressure(const OpenGroup::File& file, CgroupMemory& memory);
  void read_effective(int directory, std::string_view path, CgroupMemory& memory);

  const host::Root* root_;
  std::string mount_;
  mutable std::string buffer_;
};

}  // namespace allocd::kernel
