// SPDX-License-Identifier: Apache-2.0
// The memory part of a random snapshot. Members are filled by hand, not by the tables of the code under test.
#pragma once

#include <string>
#include <vector>

#include "snapshot/model_memory.hpp"
#include "support/random_values.hpp"

namespace allocd::test {

class RandomMemory {
 public:
  explicit RandomMemory(RandomValues& values) : v_(&values) {}

  snapshot::Placement placement() { return {flags(), v_->text(), v_->text(), v_->texts()}; }

  snapshot::UnitCgroup cgroup() {
    snapshot::UnitCgroup c{v_->one_of(snapshot::kCgroupMemoryStateNames), v_->real(), v_->real(), {}};
    if (!v_->flag()) return c;
    auto& m = c.memory.emplace();
    m.current = figure();
    m.peak = figure();
    m.high = limit();
    m.max = limit();
    m.swap_current = figure();
    m.swap_max = limit();
    m.oom_group = flags();
    m.stat = figures<kernel::MemoryStats>(kernel::kMemoryStatNames);
    m.events = figures<kernel::MemoryEvents>(kernel::kMemoryEventNames);
    m.pressure = pressure();
    m.pressure_is_off = v_->flag();
    m.nodes = by_node<kernel::NodeFigures>(kernel::kNodeKindNames);
    m.effective_high = effective();
    m.effective_max = effective();
    for (auto n = v_->below(3); n > 0; --n) {
      m.problems.push_back({v_->text(), v_->one_of(kernel::kFileProblemKindNames)});
    }
    return c;
  }

  snapshot::Locality locality() {
    return {v_->text(),
            v_->one_of(snapshot::kNumaPolicyNames),
            ids(),
            ids(),
            ids(),
            share(),
            share(),
            share(),
            v_->number<std::uint32_t>(),
            v_->number<std::uint32_t>()};
  }

  snapshot::ProcessCostly process_costly() {
    return {v_->one_of(kernel::kCostlyKindNames), v_->real(), v_->real(),
            figures<kernel::SmapsRollup>(kernel::kSmapsKeyNames),
            by_node<snapshot::PageFigures>(kernel::kPageKindNames)};
  }

  snapshot::UnitCostly unit_costly() {
    return {v_->one_of(kernel::kCostlyKindNames),
            v_->counts(snapshot::kCostlyStateNames),
            v_->number<std::uint32_t>(),
            v_->real(),
            v_->real(),
            v_->real(),
            v_->number<std::uint64_t>(),
            figures<kernel::SmapsRollup>(kernel::kSmapsKeyNames),
            by_node<snapshot::PageFigures>(kernel::kPageKindNames)};
  }

  snapshot::Node node() {
    snapshot::Node n{v_->flag(), v_->real(), v_->real(), v_->real(), {}, {}};
    n.state.thp = thp();
    n.state.numa.balancing = figure();
    for (auto i = v_->below(3); i > 0; --i) n.state.numa.nodes.push_back(numa_node());
    if (v_->flag()) {
      auto& pools = n.state.hugetlb.emplace();
      for (auto i = v_->below(3); i > 0; --i) pools.push_back(pool());
    }
    n.state.iommu = iommu();
    for (const auto member :
         {&node::Vm::overcommit_memory, &node::Vm::overcommit_ratio, &node::Vm::max_map_count,
          &node::Vm::swappiness, &node::Vm::min_free, &node::Vm::zone_reclaim_mode, &node::Vm::pins_acquired,
          &node::Vm::pins_released}) {
      n.state.vm.*member = figure();
    }
    for (const auto member : {&node::Memory::total,
                              &node::Memory::free,
                              &node::Memory::available,
                              &node::Memory::buffers,
                              &node::Memory::cached,
                              &node::Memory::swap_cached,
                              &node::Memory::anon,
                              &node::Memory::mapped,
                              &node::Memory::shmem,
                              &node::Memory::dirty,
                              &node::Memory::writeback,
                              &node::Memory::slab_reclaimable,
                              &node::Memory::slab_unreclaimable,
                              &node::Memory::kernel_stack,
                              &node::Memory::page_tables,
                              &node::Memory::percpu,
                              &node::Memory::unevictable,
                              &node::Memory::mlocked,
                              &node::Memory::swap_total,
                              &node::Memory::swap_free,
                              &node::Memory::commit_limit,
                              &node::Memory::committed,
                              &node::Memory::anon_huge,
                              &node::Memory::shmem_huge,
                              &node::Memory::file_huge,
                              &node::Memory::hugetlb}) {
      n.state.memory.*member = figure();
    }
    n.state.memory.pressure = pressure();
    for (auto i = v_->below(3); i > 0; --i) {
      n.state.problems.push_back({v_->text(), v_->one_of(node::kProblemKindNames), v_->text()});
    }
    for (auto i = v_->below(3); i > 0; --i) {
      n.expectations.push_back(
          {v_->text(), v_->text(), v_->text(), v_->one_of(node::kExpectationStateNames)});
    }
    return n;
  }

  snapshot::ModelFiles model_files() {
    const auto n = [this] { return v_->number<std::uint64_t>(); };
    kernel::PageCache cache{{n(), n(), n(), n(), v_->flag(), v_->flag()},
                            n(),
                            n(),
                            n(),
                            n(),
                            n(),
                            n(),
                            n(),
                            v_->flag(),
                            n(),
                            n(),
                            n(),
                            v_->flag()};
    return {v_->text(), v_->texts(), v_->real(), v_->real(), v_->real(), cache};
  }

 private:
  node::Figure figure() { return v_->maybe<std::uint64_t>(); }
  node::Word word() { return v_->flag() ? node::Word(v_->text()) : std::nullopt; }
  std::optional<bool> flags() { return v_->flag() ? std::optional(v_->flag()) : std::nullopt; }
  std::optional<double> share() { return v_->flag() ? std::optional(v_->real()) : std::nullopt; }
  std::optional<kernel::Limit> limit() {
    const auto bytes = figure();  // the largest is "max"
    return bytes ? std::optional(kernel::Limit{*bytes}) : std::nullopt;
  }
  std::optional<kernel::EffectiveLimit> effective() {
    const auto maybe = limit();
    return maybe ? std::optional(kernel::EffectiveLimit{*maybe, v_->text()}) : std::nullopt;
  }
  kernel::PressureLine line() { return {v_->real(), v_->real(), v_->real(), v_->number<std::uint64_t>()}; }
  std::optional<kernel::Pressure> pressure() {
    if (v_->flag()) return std::nullopt;
    kernel::Pressure made{line(), {}};
    if (v_->flag()) made.full = line();
    return made;
  }
  std::vector<unsigned> ids() {
    std::vector<unsigned> out(v_->below(3));
    for (auto& id : out) id = v_->number<unsigned>();
    return out;
  }
  template <typename Into, typename Names>
  Into figures(const Names& names) {
    Into into;
    for (auto n = v_->below(5); n > 0; --n) into[v_->one_of(names)] = v_->number<std::uint64_t>();
    return into;
  }
  template <typename Into, typename Names>
  std::map<unsigned, Into> by_node(const Names& names) {
    std::map<unsigned, Into> out;
    for (auto n = v_->below(3); n > 0; --n) out[v_->number<unsigned>()] = figures<Into>(names);
    return out;
  }
  node::Counters counters() {
    node::Counters out;
    for (auto n = v_->below(3); n > 0; --n) out[v_->text()] = v_->number<std::uint64_t>();
    return out;
  }
  node::Thp thp() {
    node::Thp t{flags(), word(), word(), word(), flags(), flags(), figure(), counters(), {}, counters()};
    for (auto n = v_->below(3); n > 0; --n) {
      t.sizes.push_back({v_->number<std::uint64_t>(), word(), word(), counters()});
    }
    return t;
  }
  node::NumaNode numa_node() {
    node::NumaNode n{v_->number<unsigned>(), flags(), flags(), word(), {}, {}, counters()};
    for (auto i = v_->below(3); i > 0; --i) {
      n.distances.push_back({v_->number<unsigned>(), v_->number<std::uint64_t>()});
    }
    for (const auto member :
         {&node::NodeMemory::total, &node::NodeMemory::free, &node::NodeMemory::used, &node::NodeMemory::file,
          &node::NodeMemory::mapped, &node::NodeMemory::anon, &node::NodeMemory::shmem,
          &node::NodeMemory::anon_huge, &node::NodeMemory::shmem_huge, &node::NodeMemory::file_huge,
          &node::NodeMemory::slab_reclaimable, &node::NodeMemory::slab_unreclaimable,
          &node::NodeMemory::kernel_stack, &node::NodeMemory::page_tables, &node::NodeMemory::dirty,
          &node::NodeMemory::writeback, &node::NodeMemory::unevictable, &node::NodeMemory::mlocked}) {
      n.memory.*member = figure();
    }
    return n;
  }
  node::HugetlbPool pool() {
    node::HugetlbPool p{v_->number<std::uint64_t>(), figure(), figure(), figure(), figure(), figure(), {}};
    for (auto i = v_->below(3); i > 0; --i) {
      p.nodes.push_back({v_->number<unsigned>(), figure(), figure(), figure()});
    }
    return p;
  }
  node::Iommu iommu() {
    node::Iommu made{{}, flags(), counters(), figure(), v_->one_of(node::kIommuModeNames)};
    if (v_->flag()) made.options = v_->texts();
    return made;
  }

  RandomValues* v_;
};

}  // namespace allocd::test
