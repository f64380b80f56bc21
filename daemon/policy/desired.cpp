// SPDX-License-Identifier: Apache-2.0
#include "policy/desired.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "allocator/classify.hpp"
#include "policy/preload.hpp"

namespace allocd::policy {

namespace {

std::string join(const std::vector<std::string>& entries) {
  return fmt::format("{}", fmt::join(entries, ":"));
}

std::string value_of(const unitfile::Environment& environment, std::string_view name) {
  const auto found = environment.variables.find(std::string(name));
  return found != environment.variables.end() && found->second.is_set ? found->second.value : "";
}

struct Tunable {
  std::string_view name;
  std::optional<std::uint64_t> value;
};

std::vector<Tunable> list_tunables(const settings::GlibcTunables& wanted) {
  return {{"glibc.malloc.arena_max", wanted.arena_max},
          {"glibc.malloc.trim_threshold", wanted.trim_threshold},
          {"glibc.malloc.mmap_threshold", wanted.mmap_threshold}};
}

std::vector<Assignment> decide_for_glibc(const settings::Service& service,
                                         const unitfile::Environment& existing) {
  std::vector<Assignment> desired;
  const std::string preload = value_of(existing, kPreloadVariable);
  // What cannot be taken out stays as it is written: no rewriting for the sake of a separator.
  if (decide_preload_kind(preload))
    desired.push_back({std::string(kPreloadVariable), without_allocators(preload)});
  if (service.glibc != settings::GlibcTunables{}) {
    desired.push_back({std::string(kTunablesVariable),
                       merge_tunables(service.glibc, value_of(existing, kTunablesVariable))});
  }
  return desired;
}

}  // namespace

std::vector<std::string> split_preload(std::string_view value) {
  constexpr std::string_view kSeparators = ": ";
  std::vector<std::string> entries;
  while (!value.empty()) {
    const auto end = std::min(value.find_first_of(kSeparators), value.size());
    if (end > 0) entries.emplace_back(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return entries;
}

std::string merge_preload(std::string_view ours, const std::vector<std::string>& extra,
                          std::string_view existing) {
  std::vector<std::string> merged{std::string(ours)};
  const auto add = [&](const std::string& entry) {
    const bool is_ours = allocator::base_name(entry) == allocator::base_name(ours);
    if (!is_ours && std::ranges::find(merged, entry) == merged.end()) merged.push_back(entry);
  };
  std::ranges::for_each(extra, add);
  std::ranges::for_each(split_preload(existing), add);
  return join(merged);
}

std::string without_allocators(std::string_view existing) {
  auto entries = split_preload(existing);
  std::erase_if(entries, [](const std::string& entry) { return decide_preload_kind(entry).has_value(); });
  return join(entries);
}

std::string merge_tunables(const settings::GlibcTunables& wanted, std::string_view existing) {
  const auto tunables = list_tunables(wanted);
  std::vector<std::string> merged;
  while (!existing.empty()) {
    const auto end = std::min(existing.find(':'), existing.size());
    const auto entry = existing.substr(0, end);
    existing.remove_prefix(std::min(end + 1, existing.size()));
    const auto name = entry.substr(0, entry.find('='));
    const bool replaced = std::ranges::any_of(
        tunables, [&](const Tunable& tunable) { return tunable.value && tunable.name == name; });
    if (!entry.empty() && !replaced) merged.emplace_back(entry);
  }
  for (const auto& tunable : tunables) {
    if (tunable.value) merged.push_back(fmt::format("{}={}", tunable.name, *tunable.value));
  }
  return join(merged);
}

std::vector<Assignment> decide_desired(const settings::Service& service, std::string_view library,
                                       const unitfile::Environment& existing) {
  if (service.allocator == settings::Wanted::any) return {};
  if (service.allocator == settings::Wanted::glibc) return decide_for_glibc(service, existing);
  std::vector<Assignment> desired;
  desired.push_back({std::string(kPreloadVariable),
                     merge_preload(library, service.extra_preload, value_of(existing, kPreloadVariable))});
  if (!service.malloc_conf.empty())
    desired.push_back({std::string(kMallocConfVariable), service.malloc_conf});
  return desired;
}

std::string place_of(const unitfile::Contribution& contribution) {
  if (contribution.path.empty()) return "systemd's own environment (DefaultEnvironment= or set-environment)";
  return contribution.line == 0 ? contribution.path
                                : fmt::format("{}:{}", contribution.path, contribution.line);
}

std::optional<std::string> find_own_allocator(const unitfile::Environment& existing) {
  const auto found = existing.variables.find(std::string(kPreloadVariable));
  if (found == existing.variables.end() || !found->second.is_set) return std::nullopt;
  if (!decide_preload_kind(found->second.value)) return std::nullopt;
  const auto& all = found->second.contributions;
  const auto winner = std::ranges::find(all, true, &unitfile::Contribution::wins);
  return winner == all.end() ? std::string("its own files") : place_of(*winner);
}

std::optional<std::string> find_unresolved(const unitfile::Environment& existing) {
  for (const auto name : kVariables) {
    const auto found = existing.variables.find(std::string(name));
    if (found == existing.variables.end()) continue;
    for (const auto& contribution : found->second.contributions) {
      if (contribution.wins && !contribution.is_resolved) return place_of(contribution);
    }
  }
  return std::nullopt;
}

}  // namespace allocd::policy
