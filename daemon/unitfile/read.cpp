// SPDX-License-Identifier: Apache-2.0
#include "unitfile/read.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <utility>

#include "base/result.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "unitfile/path_text.hpp"

namespace allocd::unitfile {

namespace {

constexpr std::size_t kMostMatches = 1000;

bool is_null_device(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == ::makedev(1, 3);
}

base::Result<std::string> read_regular_file(const host::Root& root, const std::string& path) {
  // Looked at before it is opened: opening can already do something to a device.
  const auto before = root.status(path);
  if (!before) return std::unexpected(before.error());
  if (is_null_device(*before)) return std::string();
  if (S_ISDIR(before->st_mode)) return base::fault_from_errno("read", path, EISDIR);
  if (!S_ISREG(before->st_mode)) return base::fault("read", path, "not a regular file");
  const auto relative = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  const base::UniqueFd fd(
      ::openat(root.fd(), relative.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return base::fault_from_errno("open", path, errno);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return base::fault_from_errno("stat", path, errno);
  if (!S_ISREG(status.st_mode)) return base::fault("read", path, "not a regular file");
  return host::read_all(fd.get(), path, kLargestSource);
}

// Not for systemd either.
bool is_absent(const base::Fault& fault) {
  return fault.code == ENOENT || fault.code == ENOTDIR || fault.code == EISDIR;
}

// Without symbolic links; nothing when a part does not exist. A link may not leave the tree.
std::optional<std::string> resolve(const host::Root& root, std::string_view path) {
  constexpr int kMostLinks = 40;
  std::deque<std::string> parts;
  const auto prepend = [&parts](std::string_view more) {
    const auto split = base::split(more, '/');
    parts.insert(parts.begin(), split.begin(), split.end());
  };
  prepend(path);
  std::string resolved;
  for (int links = 0; !parts.empty();) {
    const std::string part = std::move(parts.front());
    parts.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      resolved.resize(std::min(resolved.rfind('/'), resolved.size()));
      continue;
    }
    const auto next = fmt::format("{}/{}", resolved, part);
    const auto target = root.read_link(next);
    if (!target) {
      if (target.error().code != EINVAL) return std::nullopt;  // EINVAL: there, and not a link
      resolved = next;
      continue;
    }
    if (++links > kMostLinks) return std::nullopt;
    if (target->starts_with('/')) resolved.clear();
    prepend(*target);
  }
  return resolved.empty() ? "/" : resolved;
}

void set_real_path(const host::Root& root, const std::string& fragment_path, Specifiers& specifiers) {
  if (fragment_path.empty()) return;
  if (const auto real = resolve(root, fragment_path)) {
    specifiers.values['y'] = *real;
    specifiers.values['Y'] = directory_of(*real);
    return;
  }
  specifiers.values.erase('y');
  specifiers.values.erase('Y');
}

void read_unit_file(const host::Root& root, const std::string& path, UnitSources& sources) {
  auto text = read_regular_file(root, path);
  // A file that is not there counts as empty, so that the fragment stays the first.
  if (!text)
    sources.doubts.push_back(
        base::escape_for_terminal(fmt::format("{}:0: {}", path, text.error().message())));
  sources.files.push_back({path, text ? std::move(*text) : std::string()});
}

std::string unescape_pattern(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '\\' && i + 1 < part.size()) ++i;
    out += part[i];
  }
  return out;
}

// What `part` matches in the directories `in`, each "" or with its leading slash.
std::vector<std::string> match_part(const host::Root& root, const std::vector<std::string>& in,
                                    const std::string& part) {
  std::vector<std::string> out;
  const bool is_pattern = part.find_first_of("*?[") != std::string::npos;
  for (const auto& directory : in) {
    if (!is_pattern) {
      out.push_back(fmt::format("{}/{}", directory, unescape_pattern(part)));
      continue;
    }
    const auto names = root.list_directory(directory.empty() ? "/" : directory);
    if (!names) continue;
    for (const auto& name : *names) {
      if (out.size() < kMostMatches && ::fnmatch(part.c_str(), name.c_str(), FNM_PERIOD) == 0) {
        out.push_back(fmt::format("{}/{}", directory, name));
      }
    }
  }
  return out;
}

bool is_there(const host::Root& root, const std::string& path) {
  const auto relative = path.substr(std::min(path.find_first_not_of('/'), path.size()));
  struct stat status{};
  return ::fstatat(root.fd(), relative.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

std::vector<std::string> read_file_matches(const host::Root& root, std::string_view pattern) {
  std::vector<std::string> paths{""};
  for (const auto part : base::split(pattern, '/')) {
    if (!part.empty()) paths = match_part(root, paths, std::string(part));
  }
  std::erase_if(paths, [&](const std::string& path) { return !is_there(root, path); });
  std::ranges::sort(paths);
  return paths;
}

EnvironmentFileText read_environment_file(const host::Root& root, const std::string& pattern) {
  using Outcome = EnvironmentFileText::Outcome;
  EnvironmentFileText out;
  const bool is_plain = pattern.find_first_of("*?[\\") == std::string::npos;
  const auto paths = is_plain ? std::vector{pattern} : read_file_matches(root, pattern);
  bool all_there = !paths.empty();
  for (const auto& path : paths) {
    auto text = read_regular_file(root, path);
    if (text) {
      out.files.push_back({path, std::move(*text)});
    } else if (is_absent(text.error())) {
      all_there = false;  // also a dangling link among the matches
    } else {
      out.cause = text.error().message();
    }
  }
  out.outcome = !out.cause.empty() ? Outcome::unreadable : all_there ? Outcome::read : Outcome::absent;
  return out;
}

void read_environment_files(const host::Root& root, UnitSources& sources) {
  for (const auto& wanted : list_environment_files(sources)) {
    if (sources.environment_files.contains(wanted.path)) continue;
    sources.environment_files[wanted.path] = read_environment_file(root, wanted.path);
  }
}

UnitSources read_sources(const host::Root& root, std::string_view unit_name, const std::string& fragment_path,
                         const std::vector<std::string>& drop_in_paths, const Machine& machine) {
  UnitSources sources;
  sources.manager_environment = machine.manager_environment;
  sources.manager_places = machine.manager_places;
  sources.systemd_version = machine.systemd_version;
  sources.specifiers = Specifiers::of_unit(unit_name, fragment_path);
  set_real_path(root, fragment_path, sources.specifiers);
  for (const auto& [specifier, value] : machine.specifiers) sources.specifiers.values[specifier] = value;
  if (fragment_path.empty()) {
    sources.files.emplace_back();  // the first is always the unit's own file
  } else {
    read_unit_file(root, fragment_path, sources);
  }
  for (const auto& path : drop_in_paths) read_unit_file(root, path, sources);
  read_environment_files(root, sources);
  return sources;
}

}  // namespace allocd::unitfile
