// SPDX-License-Identifier: Apache-2.0
#include "kernel/process_status.hpp"

#include <array>

#include "base/text.hpp"

namespace allocd::kernel {

namespace {

constexpr std::uint64_t kKibibyte = 1024;
constexpr std::uint64_t kMaxKibibytes = UINT64_MAX / kKibibyte;

struct Field {
  std::string_view key;
  std::uint64_t ProcessStatus::* member;
  bool kibibytes;
};

// In the order the kernel prints them (fs/proc/array.c, fs/proc/task_mmu.c), so that one forward pass finds
// all.
constexpr std::array kFields{
    Field{"VmLck", &ProcessStatus::locked, true},        Field{"VmPin", &ProcessStatus::pinned, true},
    Field{"VmHWM", &ProcessStatus::peak_resident, true}, Field{"VmRSS", &ProcessStatus::resident, true},
    Field{"RssAnon", &ProcessStatus::anonymous, true},   Field{"RssFile", &ProcessStatus::file, true},
    Field{"RssShmem", &ProcessStatus::shared, true},     Field{"VmPTE", &ProcessStatus::page_tables, true},
    Field{"VmSwap", &ProcessStatus::swap, true},         Field{"HugetlbPages", &ProcessStatus::hugetlb, true},
    Field{"Threads", &ProcessStatus::threads, false},
};

const Field* find_field(std::string_view key) {
  // Only V, R, H and T lines can be ours; most of the file is skipped on its first letter.
  if (key.empty() || (key[0] != 'V' && key[0] != 'R' && key[0] != 'H' && key[0] != 'T')) return nullptr;
  for (const Field& field : kFields) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

}  // namespace

std::optional<ProcessStatus> parse_process_status(std::string_view text) {
  if (!text.starts_with("Name:")) return std::nullopt;
  ProcessStatus status;
  base::take_line(text);  // the name is whatever the process likes, "VmRSS:" included
  while (!text.empty()) {
    const auto line = base::take_line(text);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const Field* field = find_field(line.substr(0, colon));
    if (field == nullptr) continue;
    std::string_view rest = line.substr(colon + 1);
    const auto number = base::parse_u64(base::take_word(rest));
    if (!number || (field->kibibytes && *number > kMaxKibibytes)) return std::nullopt;
    status.*(field->member) = field->kibibytes ? *number * kKibibyte : *number;
    status.has_memory = status.has_memory || field->member == &ProcessStatus::resident;
    if (field->member == &ProcessStatus::threads) break;  // nothing of ours comes after it
  }
  return status;
}

std::optional<ProcessPlacement> parse_process_placement(std::string_view text) {
  if (!text.starts_with("Name:")) return std::nullopt;
  ProcessPlacement placement;
  base::take_line(text);  // as above
  while (!text.empty()) {
    const auto line = base::take_line(text);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto key = line.substr(0, colon);
    const auto value = base::trim(line.substr(colon + 1));
    if (key == "Cpus_allowed_list") placement.cpus_allowed = value;
    if (key == "Mems_allowed_list") placement.mems_allowed = value;
    if (key == "THP_enabled" && (value == "0" || value == "1")) placement.thp_enabled = value == "1";
  }
  return placement;
}

}  // namespace allocd::kernel
