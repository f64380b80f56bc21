// SPDX-License-Identifier: Apache-2.0
// A member added to the model and forgotten in its table would silently be missing from every document.
#include "snapshot/members.hpp"

#include <cstddef>
#include <set>
#include <string_view>
#include <utility>

#include "support/catch.hpp"

namespace allocd::test {

// Converts to anything, to ask a struct how many members it can be made from.
struct Anything {
  template <typename T>
  operator T() const;  // NOLINT(google-explicit-constructor): that is the point; never defined
};

}  // namespace allocd::test

namespace {

using namespace allocd;
using test::Anything;

template <typename T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), Anything{})...}; };
}

template <typename T, std::size_t N = 0>
constexpr std::size_t member_count() {
  if constexpr (takes<T>(std::make_index_sequence<N + 1>{})) {
    return member_count<T, N + 1>();
  } else {
    return N;
  }
}

template <typename T>
void check_table() {
  std::set<std::string_view> keys;
  std::size_t visits = 0;
  const T object{};
  snapshot::detail::each_member(object, [&](std::string_view key, const auto& /*member*/) {
    ++visits;
    keys.insert(key);
  });
  CHECK(visits == member_count<T>());
  CHECK(keys.size() == visits);
}

}  // namespace

TEST_CASE("the table of each struct lists every member, once") {
  check_table<snapshot::Memory>();
  check_table<snapshot::Library>();
  check_table<snapshot::Evidence>();
  check_table<engine::Ranks>();
  check_table<snapshot::Process>();
  check_table<snapshot::RoleSum>();
  check_table<policy::Link>();
  check_table<policy::Assessment>();
  check_table<snapshot::Contribution>();
  check_table<snapshot::Variable>();
  check_table<snapshot::Environment>();
  check_table<snapshot::DropIn>();
  check_table<snapshot::Enforcer>();
  check_table<snapshot::Unit>();
  check_table<snapshot::Collector>();
  check_table<snapshot::ConfigState>();
  check_table<snapshot::BusSummary>();
  check_table<snapshot::Own>();
  check_table<snapshot::Snapshot>();
}

TEST_CASE("so do the tables of drift") {
  check_table<drift::Life>();
  check_table<drift::RoleReport>();
  check_table<drift::Report>();
}

TEST_CASE("so do the tables of the memory part") {
  check_table<snapshot::Placement>();
  check_table<kernel::PressureLine>();
  check_table<kernel::Pressure>();
  check_table<kernel::FileProblem>();
  check_table<kernel::EffectiveLimit>();
  check_table<kernel::CgroupMemory>();
  check_table<snapshot::UnitCgroup>();
  check_table<snapshot::Locality>();
  check_table<snapshot::ProcessCostly>();
  check_table<snapshot::UnitCostly>();
  check_table<node::ReadProblem>();
  check_table<node::ThpSize>();
  check_table<node::Thp>();
  check_table<node::NodeMemory>();
  check_table<node::NodeDistance>();
  check_table<node::NumaNode>();
  check_table<node::Numa>();
  check_table<node::HugetlbNodePool>();
  check_table<node::HugetlbPool>();
  check_table<node::Iommu>();
  check_table<node::Vm>();
  check_table<node::Memory>();
  check_table<node::NodeState>();
  check_table<node::ExpectationResult>();
  check_table<snapshot::Node>();
  check_table<kernel::SearchCounts>();
  check_table<kernel::PageCache>();
  check_table<snapshot::ModelFiles>();
}
