// SPDX-License-Identifier: Apache-2.0
#include "policy/preload.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "allocator/classify.hpp"
#include "allocator/kind.hpp"

namespace allocd::policy {

namespace {

constexpr std::string_view kVariable = "LD_PRELOAD=";

// libtbbmalloc defines scalable_malloc; only its proxy library takes malloc over (oneTBB,
// "TBB_malloc_replacement").
bool leaves_malloc_alone(std::string_view entry) {
  const auto name = allocator::base_name(entry);
  return name.starts_with("libtbbmalloc") && !name.starts_with("libtbbmalloc_proxy");
}

}  // namespace

std::optional<allocator::Kind> decide_preload_kind(std::string_view value) {
  constexpr std::string_view kSeparators = ": \t\n";
  while (!value.empty()) {
    const auto end = std::min(value.find_first_of(kSeparators), value.size());
    const auto entry = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    if (leaves_malloc_alone(entry)) continue;
    if (const auto kind = allocator::decide_kind_by_name(entry)) return kind;
  }
  return std::nullopt;
}

std::vector<std::string> list_container_environment(std::span<const std::vector<std::string>> commands) {
  constexpr std::string_view kLong = "--env=";
  std::vector<std::string> environment;
  const auto add = [&](std::string_view assignment) {
    if (assignment.contains('=')) environment.emplace_back(assignment);
  };
  for (const auto& argv : commands) {
    for (std::size_t i = 0; i < argv.size(); ++i) {
      const std::string_view word = argv[i];
      const bool is_alone = word == "--env" || word == "-e";
      if (is_alone && i + 1 < argv.size()) add(argv[++i]);
      if (word.starts_with(kLong)) add(word.substr(kLong.size()));
    }
  }
  return environment;
}

Preload decide_preload(std::span<const std::string> environment,
                       std::span<const std::string> unset_environment) {
  Preload preload;
  for (const std::string_view assignment : environment) {
    if (assignment.starts_with(kVariable)) preload.value = assignment.substr(kVariable.size());
  }
  const std::string assignment = std::string(kVariable) + preload.value;
  preload.is_unset = std::ranges::any_of(unset_environment, [&](const std::string& removed) {
    return removed == kVariable.substr(0, kVariable.size() - 1) || removed == assignment;
  });
  return preload;
}

}  // namespace allocd::policy
