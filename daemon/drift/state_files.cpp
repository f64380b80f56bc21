// SPDX-License-Identifier: Apache-2.0
#include "drift/state_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include "drift/state_text.hpp"
#include "host/whole_file.hpp"

namespace allocd::drift {

namespace {

// Ten times what the longest can be.
constexpr std::size_t kLongestState = std::size_t{512} << 10U;
constexpr std::size_t kLongestName = 100;
constexpr std::string_view kCorrupt = ".corrupt";
constexpr std::string_view kNewer = ".newer";
constexpr std::string_view kTemporary = ".new";  // of host::write_whole_file

// FNV-1a: the same in every build and on every machine, as a name on disk must be.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

bool is_plain(char c) {
  const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_letter || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '@' || c == ':';
}

bool is_ours(const std::string& name) {
  if (name.starts_with('.')) return name.ends_with(fmt::format("{}{}", kStateSuffix, kTemporary));
  const std::string_view plain = name;
  for (const auto suffix : {std::string_view(), kCorrupt, kNewer}) {
    if (plain.ends_with(fmt::format("{}{}", kStateSuffix, suffix))) return true;
  }
  return false;
}

LoadedState set_aside(const host::Root& root, const std::string& directory, const std::string& name,
                      std::string_view suffix, std::string problem) {
  LoadedState loaded{.problem = std::move(problem), .path = fmt::format("{}/{}", directory, name)};
  const auto handle = root.open_directory(directory);
  const auto aside = fmt::format("{}{}", name, suffix);
  if (handle && ::renameat(handle->get(), name.c_str(), handle->get(), aside.c_str()) == 0)
    loaded.path = fmt::format("{}/{}", directory, aside);
  return loaded;
}

// A regular file and no link, so that reading it neither waits nor leads elsewhere.
base::Result<std::string> read_state(const host::Root& root, const std::string& directory,
                                     const std::string& name) {
  const auto handle = root.open_directory(directory);
  if (!handle) return std::unexpected(handle.error());
  const auto path = fmt::format("{}/{}", directory, name);
  const base::UniqueFd fd(
      ::openat(handle->get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!fd) return base::fault_from_errno("read", path, errno);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return base::fault_from_errno("read", path, errno);
  if (!S_ISREG(status.st_mode)) return base::fault("read", path, "it is no regular file");
  return host::read_all(fd.get(), path, kLongestState);
}

// Not of the disk, of rights or of memory, which may be better the next time. 0: no regular file.
bool tells_of_the_file(int code) {
  return code == 0 || code == ELOOP || code == EFBIG || code == ENXIO;
}

struct OnDisk {
  double written_at;
  std::string name;
};

}  // namespace

std::string state_name(std::string_view unit) {
  std::string name;
  for (const char c : unit.substr(0, kLongestName)) name.push_back(is_plain(c) ? c : '_');
  if (name.starts_with('.')) name[0] = '_';  // that of a temporary file
  return fmt::format("{}-{:016x}{}", name, hash_of(unit), kStateSuffix);
}

LoadedState load_state(const host::Root& root, const std::string& directory, const std::string& unit) {
  const auto name = state_name(unit);
  const auto text = read_state(root, directory, name);
  if (!text && text.error().code == ENOENT) return {};
  if (!text && !tells_of_the_file(text.error().code))
    return {
        .problem = text.error().message(), .path = fmt::format("{}/{}", directory, name), .is_unread = true};
  if (!text) return set_aside(root, directory, name, kCorrupt, text.error().message());
  auto parsed = parse_state(*text, unit);
  if (parsed) return {.history = std::move(*parsed)};
  const bool is_newer = parsed.error().problem == StateProblem::newer;
  return set_aside(root, directory, name, is_newer ? kNewer : kCorrupt, std::move(parsed.error().cause));
}

base::Result<void> save_state(const host::Root& root, const std::string& directory, const std::string& unit,
                              std::string_view text) {
  constexpr mode_t kPrivate = 0600;
  return host::write_whole_file(root, directory, state_name(unit), text, kPrivate);
}

base::Result<void> make_state_directory(const host::Root& root, const std::string& directory) {
  if (root.exists(directory)) return {};
  const auto slash = directory.rfind('/');
  if (slash == std::string::npos) return base::fault("make", directory, "it is no absolute path");
  const auto parent = root.open_directory(directory.substr(0, slash + 1));
  if (!parent) return std::unexpected(parent.error());
  constexpr mode_t kPrivate = 0700;
  if (::mkdirat(parent->get(), directory.c_str() + slash + 1, kPrivate) != 0 && errno != EEXIST)
    return base::fault_from_errno("make", directory, errno);
  return {};
}

base::Result<std::size_t> remove_old_states(const host::Root& root, const std::string& directory, double now,
                                            const std::function<bool(const std::string&)>& is_used) {
  const auto handle = root.open_directory(directory);
  if (!handle) return std::unexpected(handle.error());
  const auto names = host::list_directory(handle->get());
  if (!names) return std::unexpected(names.error());
  std::vector<OnDisk> files;
  for (const auto& name : *names) {
    struct stat status{};
    if (!is_ours(name) || is_used(name)) continue;
    if (::fstatat(handle->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISDIR(status.st_mode)) files.push_back({static_cast<double>(status.st_mtim.tv_sec), name});
  }
  std::ranges::sort(files, {}, &OnDisk::written_at);
  std::size_t removed = 0;
  for (const auto& [written_at, name] : files) {
    const bool is_old = written_at < now - kKeepDays * kDay;
    if (!is_old && files.size() - removed <= kMostStates) break;
    if (::unlinkat(handle->get(), name.c_str(), 0) != 0 && errno != ENOENT)
      return base::fault_from_errno("remove", fmt::format("{}/{}", directory, name), errno);
    ++removed;
  }
  return removed;
}

}  // namespace allocd::drift
