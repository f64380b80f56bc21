// SPDX-License-Identifier: Apache-2.0
// The parts read_node is made of: each reads its own files and leaves absent what it could not read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/reader.hpp"
#include "node/state.hpp"

namespace allocd::node {

[[nodiscard]] Thp read_thp(Reader& reader);
[[nodiscard]] Numa read_numa(Reader& reader);
// `nodes` are those whose pools are read.
[[nodiscard]] std::optional<std::vector<HugetlbPool>> read_hugetlb(Reader& reader,
                                                                   const std::vector<NumaNode>& nodes);
[[nodiscard]] Iommu read_iommu(Reader& reader);
[[nodiscard]] Vm read_vm(Reader& reader);
[[nodiscard]] Memory read_memory(Reader& reader);
// vmstat serves two parts: the events of THP and the pins of drivers.
void read_vmstat(Reader& reader, Thp& thp, Vm& vm);

// Pure: what the types of the groups prove. `group_count` counts those without a type too.
[[nodiscard]] IommuMode decide_iommu_mode(const Iommu& iommu);

// A file or folder whose name holds a number: "hugepages-2048kB" between "hugepages-" and "kB".
struct NumberedName {
  std::uint64_t number = 0;
  std::string name;
};
// Those of a folder, by rising number, at most `limit`.
[[nodiscard]] std::optional<std::vector<NumberedName>> list_numbered(Reader& reader, const Folder& folder,
                                                                     std::string_view prefix,
                                                                     std::string_view suffix,
                                                                     std::size_t limit);
// As list_numbered, with sizes "hugepages-NkB" in bytes.
[[nodiscard]] std::optional<std::vector<NumberedName>> list_page_sizes(Reader& reader, const Folder& folder,
                                                                       std::size_t limit);

}  // namespace allocd::node
