// SPDX-License-Identifier: Apache-2.0
// Documentation/filesystems/proc.rst (meminfo), Documentation/admin-guide/sysctl/vm.rst.
#include <array>

#include "kernel/node_paths.hpp"
#include "node/meminfo_figures.hpp"
#include "node/parts.hpp"

namespace allocd::node {

namespace {

constexpr std::uint64_t kKibibyte = 1024;

constexpr std::array kMemoryFigures{
    MeminfoFigure{"MemTotal", &Memory::total},
    MeminfoFigure{"MemFree", &Memory::free},
    MeminfoFigure{"MemAvailable", &Memory::available},
    MeminfoFigure{"Buffers", &Memory::buffers},
    MeminfoFigure{"Cached", &Memory::cached},
    MeminfoFigure{"SwapCached", &Memory::swap_cached},
    MeminfoFigure{"AnonPages", &Memory::anon},
    MeminfoFigure{"Mapped", &Memory::mapped},
    MeminfoFigure{"Shmem", &Memory::shmem},
    MeminfoFigure{"Dirty", &Memory::dirty},
    MeminfoFigure{"Writeback", &Memory::writeback},
    MeminfoFigure{"SReclaimable", &Memory::slab_reclaimable},
    MeminfoFigure{"SUnreclaim", &Memory::slab_unreclaimable},
    MeminfoFigure{"KernelStack", &Memory::kernel_stack},
    MeminfoFigure{"PageTables", &Memory::page_tables},
    MeminfoFigure{"Percpu", &Memory::percpu},
    MeminfoFigure{"Unevictable", &Memory::unevictable},
    MeminfoFigure{"Mlocked", &Memory::mlocked},
    MeminfoFigure{"SwapTotal", &Memory::swap_total},
    MeminfoFigure{"SwapFree", &Memory::swap_free},
    MeminfoFigure{"CommitLimit", &Memory::commit_limit},
    MeminfoFigure{"Committed_AS", &Memory::committed},
    MeminfoFigure{"AnonHugePages", &Memory::anon_huge},
    MeminfoFigure{"ShmemHugePages", &Memory::shmem_huge},
    MeminfoFigure{"FileHugePages", &Memory::file_huge},
    MeminfoFigure{"Hugetlb", &Memory::hugetlb},
};

std::optional<Memory> parse_memory(std::string_view text) {
  auto memory = parse_figures<Memory>(text, kMemoryFigures);
  // Every kernel has these, the last of them near the end: without them the text was cut at a line's end.
  if (memory && (!memory->total || !memory->available || !memory->committed)) return std::nullopt;
  return memory;
}

Figure parse_kibibytes(std::string_view text) {
  const auto number = kernel::parse_number(text);
  if (!number || *number > UINT64_MAX / kKibibyte) return std::nullopt;
  return *number * kKibibyte;
}

// Memory has always had both lines: one alone was cut at its end.
std::optional<kernel::Pressure> parse_memory_pressure(std::string_view text) {
  const auto pressure = kernel::parse_pressure(text);
  return pressure && pressure->full ? pressure : std::nullopt;
}

}  // namespace

Memory read_memory(Reader& reader) {
  auto memory = reader.parsed_at(kernel::kMeminfoPath, parse_memory).value_or(Memory{});
  memory.pressure = reader.parsed_at(kernel::kMemoryPressurePath, parse_memory_pressure);
  return memory;
}

Vm read_vm(Reader& reader) {
  Vm vm;
  const auto folder = reader.open(kernel::kVmSysctlFolder);
  if (!folder) return vm;
  vm.overcommit_memory = reader.number(*folder, "overcommit_memory");
  vm.overcommit_ratio = reader.number(*folder, "overcommit_ratio");
  vm.max_map_count = reader.number(*folder, "max_map_count");
  vm.swappiness = reader.number(*folder, "swappiness");
  vm.min_free = reader.parsed(*folder, "min_free_kbytes", parse_kibibytes);
  vm.zone_reclaim_mode = reader.number(*folder, "zone_reclaim_mode");
  return vm;
}

}  // namespace allocd::node
