// SPDX-License-Identifier: Apache-2.0
#include "node/read.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "node/parts.hpp"

namespace allocd::node {

namespace {

constexpr std::uint64_t kKibibyte = 1024;

}  // namespace

std::optional<std::vector<NumberedName>> list_numbered(Reader& reader, const Folder& folder,
                                                       std::string_view prefix, std::string_view suffix,
                                                       std::size_t limit) {
  auto names = reader.list(folder);
  if (!names) return std::nullopt;
  std::vector<NumberedName> found;
  for (auto& name : *names) {
    std::string_view middle = name;
    if (!middle.starts_with(prefix) || !middle.ends_with(suffix)) continue;
    middle.remove_prefix(prefix.size());
    if (middle.size() <= suffix.size()) continue;
    middle.remove_suffix(suffix.size());
    if (const auto number = base::parse_u64(middle)) found.push_back({*number, std::move(name)});
  }
  std::ranges::sort(found, {}, &NumberedName::number);
  if (found.size() > limit) found.resize(limit);
  return found;
}

std::optional<std::vector<NumberedName>> list_page_sizes(Reader& reader, const Folder& folder,
                                                         std::size_t limit) {
  auto sizes = list_numbered(reader, folder, "hugepages-", "kB", limit);
  if (!sizes) return std::nullopt;
  std::erase_if(*sizes, [](const NumberedName& size) { return size.number > UINT64_MAX / kKibibyte; });
  for (auto& size : *sizes) size.number *= kKibibyte;
  return sizes;
}

NodeState read_node(const host::Root& root) {
  NodeState state;
  Reader reader(root, state.problems);
  state.memory = read_memory(reader);
  state.vm = read_vm(reader);
  state.thp = read_thp(reader);
  read_vmstat(reader, state.thp, state.vm);
  state.numa = read_numa(reader);
  state.hugetlb = read_hugetlb(reader, state.numa.nodes);
  state.iommu = read_iommu(reader);
  return state;
}

}  // namespace allocd::node
