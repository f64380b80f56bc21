// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "kernel/attribute.hpp"
#include "kernel/counters.hpp"

namespace allocd::kernel {

namespace {

constexpr NameIndex kStatIndex{kMemoryStatNames};
constexpr NameIndex kEventIndex{kMemoryEventNames};
constexpr NameIndex kNodeKindIndex{kNodeKindNames};

template <typename Table, typename Index>
std::optional<Table> parse_counters(std::string_view text, const Index& index) {
  Table table;
  const bool complete = visit_counters(text, [&](const Counter& counter) {
    if (const auto key = index.find(counter.name)) table[*key] = counter.value;
  });
  return complete ? std::optional(table) : std::nullopt;
}

// "N1=4096"
std::optional<std::pair<unsigned, std::uint64_t>> parse_node_value(std::string_view word) {
  const auto equals = word.find('=');
  if (!word.starts_with('N') || equals == std::string_view::npos) return std::nullopt;
  const auto node = base::parse_u64(word.substr(1, equals - 1));
  const auto value = base::parse_u64(word.substr(equals + 1));
  if (!node || *node > kMaxId || !value) return std::nullopt;
  return std::pair{static_cast<unsigned>(*node), *value};
}

FileProblemKind kind_of(int error) {
  // ENODEV: the group was removed under the open directory.
  if (error == ENOENT || error == ENODEV) return FileProblemKind::missing;
  if (error == EACCES || error == EPERM) return FileProblemKind::not_permitted;
  return error == EBADMSG ? FileProblemKind::malformed : FileProblemKind::io;
}

constexpr const char* kCurrent = "memory.current";
constexpr const char* kStat = "memory.stat";
constexpr const char* kEvents = "memory.events";
constexpr const char* kPressure = "memory.pressure";

bool is_sampled(const FileProblem& problem) {
  return problem.file == kCurrent || problem.file == kStat || problem.file == kEvents ||
         problem.file == kPressure;
}

OpenGroup::File open_file(int directory, const char* name) {
  OpenGroup::File file{base::UniqueFd(::openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY)), 0};
  if (!file.fd) file.error = errno;
  return file;
}

int read_again(const OpenGroup::File& file, std::string& buffer) {
  return file.fd ? host::read_again_into(file.fd.get(), buffer) : file.error;
}

void note(CgroupMemory& memory, std::string file, int error) {
  memory.problems.push_back({std::move(file), kind_of(error)});
}

// As host::read_file_into, in fewer calls: these files are written by the kernel in one go.
int read_into(int directory, const char* file, std::string& buffer) {
  const base::UniqueFd fd(::openat(directory, file, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return errno;
  return host::read_again_into(fd.get(), buffer);
}

// "/a/b" becomes "/a", "/a" becomes "".
std::string_view parent_of(std::string_view path) {
  return path.substr(0, std::min(path.rfind('/'), path.size()));
}

void take_smaller(std::optional<EffectiveLimit>& least, std::optional<Limit> limit, std::string_view group) {
  if (!limit) least.reset();
  if (least && *limit < least->limit) least = EffectiveLimit{*limit, std::string(group)};
}

}  // namespace

std::optional<Limit> parse_limit(std::string_view text) {
  if (parse_line(text) == "max") return Limit{};
  const auto bytes = parse_number(text);
  return bytes ? std::optional(Limit{*bytes}) : std::nullopt;
}

std::optional<MemoryStats> parse_memory_stat(std::string_view text) {
  return parse_counters<MemoryStats>(text, kStatIndex);
}

std::optional<MemoryEvents> parse_memory_events(std::string_view text) {
  return parse_counters<MemoryEvents>(text, kEventIndex);
}

std::optional<NodeTable> parse_memory_numa_stat(std::string_view text) {
  if (!text.ends_with('\n')) return std::nullopt;
  NodeTable nodes;
  while (!text.empty()) {
    auto line = base::take_line(text);
    const auto kind = kNodeKindIndex.find(base::take_word(line));
    auto word = base::take_word(line);
    if (word.empty()) return std::nullopt;
    for (; !word.empty(); word = base::take_word(line)) {
      const auto value = parse_node_value(word);
      if (!value) return std::nullopt;
      if (kind) nodes[value->first][*kind] = value->second;
    }
  }
  return nodes;
}

std::size_t CgroupMemory::errors() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      problems, [](const FileProblem& problem) { return problem.kind != FileProblemKind::missing; }));
}

CgroupMemoryReader::CgroupMemoryReader(const host::Root& root, std::string mount)
    : root_(&root), mount_(std::move(mount)) {
}

template <typename Value, typename Parse>
void CgroupMemoryReader::take(int error, const char* file, const Parse& parse, std::optional<Value>& value,
                              CgroupMemory& memory) {
  value.reset();
  if (error == 0) value = parse(buffer_);
  if (error == 0 && !value) error = EBADMSG;
  if (error != 0) note(memory, file, error);
}

// A group without the controller has none of its files, and says so in cgroup.controllers; one that was
// removed has no file at all.
std::optional<NoCgroupMemory> CgroupMemoryReader::why_absent(int directory) const {
  const int error = read_into(directory, "cgroup.controllers", buffer_);
  if (error == ENOENT || error == ENODEV) {
    const bool is_v2 = root_->exists(fmt::format("{}/cgroup.controllers", mount_));
    return is_v2 ? NoCgroupMemory::gone : NoCgroupMemory::cgroup_v1;
  }
  if (error == EACCES || error == EPERM) return NoCgroupMemory::not_permitted;
  if (error != 0) return NoCgroupMemory::failed;
  std::string_view controllers = buffer_;
  for (auto word = base::take_word(controllers); !word.empty(); word = base::take_word(controllers)) {
    if (word == "memory") return std::nullopt;
  }
  return NoCgroupMemory::controller_off;
}

std::expected<OpenGroup, NoCgroupMemory> CgroupMemoryReader::open(std::string_view path) const {
  auto directory = root_->open_directory(fmt::format("{}{}", mount_, path));
  if (!directory) {
    const int error = directory.error().code;
    if (error == ENOENT || error == ENOTDIR) return std::unexpected(NoCgroupMemory::gone);
    return std::unexpected(error == EACCES ? NoCgroupMemory::not_permitted : NoCgroupMemory::failed);
  }
  const int fd = directory->get();
  if (const auto reason = why_absent(fd)) return std::unexpected(*reason);
  return OpenGroup{std::string(path),    std::move(*directory),  open_file(fd, kCurrent),
                   open_file(fd, kStat), open_file(fd, kEvents), open_file(fd, kPressure)};
}

void CgroupMemoryReader::read_pressure(const OpenGroup::File& file, CgroupMemory& memory) {
  const int error = read_again(file, buffer_);
  memory.pressure.reset();
  memory.pressure_is_off = error == EOPNOTSUPP || error == ENOENT;
  if (memory.pressure_is_off) return;
  if (error == 0) memory.pressure = parse_pressure(buffer_);
  if (!memory.pressure) note(memory, kPressure, error == 0 ? EBADMSG : error);
}

void CgroupMemoryReader::read_open_files(const OpenGroup& group, CgroupMemory& memory) {
  take(read_again(group.current, buffer_), kCurrent, parse_number, memory.current, memory);
  std::optional<MemoryStats> stat;
  take(read_again(group.stat, buffer_), kStat, parse_memory_stat, stat, memory);
  memory.stat = stat.value_or(MemoryStats{});
  std::optional<MemoryEvents> events;
  take(read_again(group.events, buffer_), kEvents, parse_memory_events, events, memory);
  memory.events = events.value_or(MemoryEvents{});
  read_pressure(group.pressure, memory);
}

void CgroupMemoryReader::read_rest(int directory, CgroupMemory& memory) {
  const auto read_one = [&](const char* file, const auto& parse, auto& value) {
    take(read_into(directory, file, buffer_), file, parse, value, memory);
  };
  read_one("memory.peak", parse_number, memory.peak);
  read_one("memory.high", parse_limit, memory.high);
  read_one("memory.max", parse_limit, memory.max);
  read_one("memory.swap.current", parse_number, memory.swap_current);
  read_one("memory.swap.max", parse_limit, memory.swap_max);
  read_one("memory.oom.group", parse_switch, memory.oom_group);
  std::optional<NodeTable> nodes;
  read_one("memory.numa_stat", parse_memory_numa_stat, nodes);
  memory.nodes = std::move(nodes).value_or(NodeTable{});
}

void CgroupMemoryReader::read_effective(int directory, std::string_view path, CgroupMemory& memory) {
  memory.effective_high = memory.effective_max = EffectiveLimit{};
  take_smaller(memory.effective_high, memory.high, path);
  take_smaller(memory.effective_max, memory.max, path);
  std::string up = "../";
  // The root of the hierarchy has no limit and no file for one.
  for (auto group = parent_of(path); !group.empty(); group = parent_of(group), up += "../") {
    const auto limit_of = [&](const char* file) {
      int error = read_into(directory, (up + file).c_str(), buffer_);
      const auto limit = error == 0 ? parse_limit(buffer_) : std::nullopt;
      if (error == 0 && !limit) error = EBADMSG;
      if (error != 0) note(memory, fmt::format("{}/{}", group, file), error);
      return limit;
    };
    take_smaller(memory.effective_high, limit_of("memory.high"), group);
    take_smaller(memory.effective_max, limit_of("memory.max"), group);
  }
}

// A group that went away has lost its files since; one whose controller was turned off, too. Of an open file
// the kernel then says ENODEV, which is `missing`.
std::optional<NoCgroupMemory> CgroupMemoryReader::read_fast(const OpenGroup& group, CgroupMemory& memory) {
  std::erase_if(memory.problems, is_sampled);
  read_open_files(group, memory);
  const bool lost = std::ranges::any_of(memory.problems, [](const FileProblem& problem) {
    return problem.kind == FileProblemKind::missing && is_sampled(problem);
  });
  return lost ? why_absent(group.directory.get()) : std::nullopt;
}

std::optional<NoCgroupMemory> CgroupMemoryReader::read_all(const OpenGroup& group, CgroupMemory& memory) {
  memory = {};
  read_open_files(group, memory);
  read_rest(group.directory.get(), memory);
  if (!memory.problems.empty()) {
    if (const auto reason = why_absent(group.directory.get())) return reason;
  }
  read_effective(group.directory.get(), group.path, memory);
  return std::nullopt;
}

std::expected<CgroupMemory, NoCgroupMemory> CgroupMemoryReader::read(std::string_view path) {
  const auto group = open(path);
  if (!group) return std::unexpected(group.error());
  CgroupMemory memory;
  if (const auto reason = read_all(*group, memory)) return std::unexpected(*reason);
  return memory;
}

}  // namespace allocd::kernel
