// SPDX-License-Identifier: Apache-2.0
// Documentation/ABI/testing/sysfs-kernel-iommu_groups, Documentation/ABI/testing/sysfs-class-iommu.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "kernel/command_line.hpp"
#include "kernel/node_paths.hpp"
#include "node/parts.hpp"
#include "node/read.hpp"

namespace allocd::node {

namespace {

constexpr std::array<std::string_view, 3> kOptions{"iommu", "intel_iommu", "amd_iommu"};
constexpr std::array<std::string_view, 3> kOptionPrefixes{"iommu.", "arm-smmu.", "arm-smmu-v3."};

bool is_about_iommu(std::string_view word) {
  const auto is_key = [&](std::string_view name) { return kernel::sets_parameter(word, name); };
  const auto is_prefix = [&](std::string_view prefix) {
    return word.size() >= prefix.size() && kernel::sets_parameter(word.substr(0, prefix.size()), prefix);
  };
  return std::ranges::any_of(kOptions, is_key) || std::ranges::any_of(kOptionPrefixes, is_prefix);
}

std::optional<std::vector<std::string>> parse_options(std::string_view text) {
  auto words = kernel::parse_command_line(text);
  if (words) std::erase_if(*words, [](const std::string& word) { return !is_about_iommu(word); });
  return words;
}

// A missing folder means a kernel without IOMMU support, so it holds nothing.
std::optional<std::size_t> count_entries(Reader& reader, std::string_view path) {
  const auto folder = reader.open(path);
  if (!folder) return reader.is_missing(path) ? std::optional(std::size_t{0}) : std::nullopt;
  const auto names = reader.list(*folder);
  return names ? std::optional(names->size()) : std::nullopt;
}

// "DMA-FQ": one word.
Word parse_type(std::string_view text) {
  const auto line = kernel::parse_line(text);
  if (!line || line->empty() || line->find(' ') != std::string_view::npos) return std::nullopt;
  return Word(*line);
}

void read_groups(Reader& reader, Iommu& iommu) {
  const auto folder = reader.open(kernel::kIommuGroupFolder);
  if (!folder) {
    if (reader.is_missing(kernel::kIommuGroupFolder)) iommu.group_count = 0;
    return;
  }
  const auto groups = list_numbered(reader, *folder, "", "", kMaxIommuGroups);
  if (!groups) return;
  iommu.group_count = groups->size();
  for (const auto& group : *groups) {
    if (auto type = reader.parsed(*folder, fmt::format("{}/type", group.name), parse_type)) {
      ++iommu.groups[std::move(*type)];
    }
  }
}

}  // namespace

IommuMode decide_iommu_mode(const Iommu& iommu) {
  if (!iommu.group_count) return IommuMode::unknown;
  // Groups are the proof; a unit without any group may be at work for interrupts alone.
  if (*iommu.group_count == 0) return iommu.has_unit == false ? IommuMode::none : IommuMode::unknown;
  std::size_t translated = 0;
  std::size_t passed = 0;
  std::size_t known = 0;
  for (const auto& [type, count] : iommu.groups) {
    known += count;
    if (type.starts_with("DMA")) translated += count;  // DMA, DMA-FQ: strict and lazy flushing
    if (type == "identity") passed += count;
    // "unmanaged" and "blocked" are devices in the hands of a virtual machine or of nobody: they tell
    // nothing.
  }
  if (translated > 0 && passed > 0) return IommuMode::mixed;
  if (known < *iommu.group_count || (translated == 0 && passed == 0)) return IommuMode::unknown;
  return translated > 0 ? IommuMode::translated : IommuMode::passthrough;
}

Iommu read_iommu(Reader& reader) {
  Iommu iommu;
  iommu.options = reader.parsed_at(kernel::kCommandLinePath, parse_options);
  if (const auto units = count_entries(reader, kernel::kIommuClassFolder)) iommu.has_unit = *units > 0;
  read_groups(reader, iommu);
  iommu.mode = decide_iommu_mode(iommu);
  return iommu;
}

}  // namespace allocd::node
