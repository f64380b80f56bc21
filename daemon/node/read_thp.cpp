// SPDX-License-Identifier: Apache-2.0
// Documentation/admin-guide/mm/transhuge.rst.
#include "kernel/counters.hpp"
#include "kernel/node_paths.hpp"
#include "node/parts.hpp"
#include "node/read.hpp"

namespace allocd::node {

namespace {

ThpSize read_size(Reader& reader, const Folder& thp, const NumberedName& size) {
  ThpSize found;
  found.bytes = size.number;
  const auto folder = reader.open_inside(thp, size.name);
  if (!folder) return found;
  // Which of the two a size has depends on the kernel and on the size, so neither is missed.
  found.enabled = reader.choice(*folder, "enabled", WhenMissing::ignore);
  found.shmem_enabled = reader.choice(*folder, "shmem_enabled", WhenMissing::ignore);
  if (const auto stats = reader.open_inside(*folder, "stats")) found.stats = reader.numbers(*stats);
  return found;
}

}  // namespace

Thp read_thp(Reader& reader) {
  Thp thp;
  const auto folder = reader.open(kernel::kThpFolder);
  if (!folder) {
    if (reader.is_missing(kernel::kThpFolder)) thp.is_supported = false;
    return thp;
  }
  thp.is_supported = true;
  thp.enabled = reader.choice(*folder, "enabled");
  thp.defrag = reader.choice(*folder, "defrag");
  thp.shmem_enabled = reader.choice(*folder, "shmem_enabled");
  thp.use_zero_page = reader.flag(*folder, "use_zero_page");
  thp.shrink_underused = reader.flag(*folder, "shrink_underused");
  thp.pmd_bytes = reader.number(*folder, "hpage_pmd_size");
  if (const auto khugepaged = reader.open_inside(*folder, "khugepaged")) {
    thp.khugepaged = reader.numbers(*khugepaged);
  }
  const auto sizes = list_page_sizes(reader, *folder, kMaxThpSizes);
  if (!sizes) return thp;
  for (const auto& size : *sizes) thp.sizes.push_back(read_size(reader, *folder, size));
  return thp;
}

void read_vmstat(Reader& reader, Thp& thp, Vm& vm) {
  struct Wanted {
    Counters events;
    Figure acquired, released;
  };
  const auto found =
      reader.parsed_at(kernel::kVmstatPath, [](std::string_view text) -> std::optional<Wanted> {
        Wanted wanted;
        const bool is_whole = kernel::visit_counters(text, [&](const kernel::Counter& counter) {
          if (counter.name.starts_with("thp_")) wanted.events.emplace(counter.name, counter.value);
          if (counter.name == "nr_foll_pin_acquired") wanted.acquired = counter.value;
          if (counter.name == "nr_foll_pin_released") wanted.released = counter.value;
        });
        return is_whole ? std::optional(wanted) : std::nullopt;
      });
  if (!found) return;
  thp.events = found->events;
  vm.pins_acquired = found->acquired;
  vm.pins_released = found->released;
}

}  // namespace allocd::node
