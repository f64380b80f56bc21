// SPDX-License-Identifier: Apache-2.0
#include "allocator/survey.hpp"

#include <algorithm>

namespace allocd::allocator {

namespace {

// A process that maps more files than this (a store of many small ones) is surveyed this far: what lies
// behind is counted and not kept.
constexpr std::size_t kMaxRanges = 65536;
constexpr std::size_t kMaxFiles = 16384;
// How far back a file's previous mapping is looked for: an object's segments are neighbours.
constexpr std::size_t kLookBack = 8;

}  // namespace

void Survey::add(const kernel::Mapping& mapping) {
  ++mappings_;
  counter_.add(mapping);
  if (!mapping.is_file() || ranges_.size() >= kMaxRanges) return;
  const std::size_t file = file_index(mapping);
  if (file >= files_.size()) return;
  if (mapping.offset == 0) files_[file].base = mapping.start;
  // The segments of one object touch: one range serves them.
  if (!ranges_.empty() && ranges_.back().file == file && ranges_.back().end == mapping.start &&
      ranges_.back().base == files_[file].base) {
    ranges_.back().end = mapping.end;
  } else {
    ranges_.push_back({mapping.start, mapping.end, file, files_[file].base});
  }
}

std::size_t Survey::file_index(const kernel::Mapping& mapping) {
  const std::uint64_t device = std::uint64_t{mapping.device_major} << 32U | mapping.device_minor;
  const std::size_t oldest = files_.size() - std::min(files_.size(), kLookBack);
  for (std::size_t i = files_.size(); i > oldest; --i) {
    const MappedFile& file = files_[i - 1];
    if (file.inode == mapping.inode && file.device == device && file.path == mapping.path) return i - 1;
  }
  if (files_.size() < kMaxFiles)
    files_.push_back({std::string(mapping.path), device, mapping.inode, 0});
  else
    return kMaxFiles;
  return files_.size() - 1;
}

Located Survey::file_at(std::uint64_t address) const {
  const auto after = std::ranges::upper_bound(ranges_, address, {}, &Range::start);
  if (after == ranges_.begin()) return {};
  const Range& range = *std::prev(after);
  if (address >= range.end) return {};
  return {&files_[range.file], range.base};
}

const MappedFile* Survey::find(const std::function<bool(const MappedFile&)>& accepts) const {
  const auto found = std::ranges::find_if(files_, accepts);
  return found == files_.end() ? nullptr : &*found;
}

}  // namespace allocd::allocator
