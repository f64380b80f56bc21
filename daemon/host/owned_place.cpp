// SPDX-License-Identifier: Apache-2.0
#include "host/owned_place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"

namespace allocd::host {

namespace {

constexpr mode_t kDirectoryMode = 0755;
constexpr mode_t kMask = 0022;
constexpr mode_t kPermissionBits = 07777;

bool is_usable_part(std::string_view part) {
  return !part.empty() && part != "." && part != "..";
}

// What DIRECTORY is, as an outcome; `status` is its own, not that of what it links to.
Applied judge_directory(const struct stat& status) {
  if (S_ISLNK(status.st_mode)) return Applied::directory_is_symlink;
  if (!S_ISDIR(status.st_mode)) return Applied::directory_is_no_directory;
  return status.st_uid == ::geteuid() ? Applied::done : Applied::directory_of_another_owner;
}

// Opens what was just judged good. Anything else than a directory of ours there now has come in between.
base::Result<Applied> open_directory(const OwnedPath& path, OwnedPlace& place) {
  base::UniqueFd fd(
      ::openat(place.base.get(), path.directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    const bool exchanged = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
    if (exchanged) return Applied::changed_since_read;
    return base::fault_from_errno("open the directory of", path.whole, errno);
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return base::fault_from_errno("stat", path.whole, errno);
  if (const auto judged = judge_directory(status); judged != Applied::done) return judged;
  place.directory = std::move(fd);
  return Applied::done;
}

}  // namespace

base::Result<OwnedPath> split_owned_path(std::string_view path) {
  const auto parts = base::split(path, '/');
  const bool usable = path.starts_with('/') && parts.size() >= 3 &&
                      path.find('\0') == std::string_view::npos &&
                      std::ranges::all_of(parts.begin() + 1, parts.end(), is_usable_part);
  if (!usable) return base::fault_from_errno("use the path", base::escape_for_terminal(path), EINVAL);
  const auto name = parts.back();
  const auto directory = parts[parts.size() - 2];
  const auto base = path.substr(0, path.size() - name.size() - directory.size() - 2);
  return OwnedPath{std::string(path), base.empty() ? "/" : std::string(base), std::string(directory),
                   std::string(name)};
}

FileState::Kind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileState::Kind::regular;
  if (S_ISLNK(mode)) return FileState::Kind::symlink;
  if (S_ISDIR(mode)) return FileState::Kind::directory;
  return FileState::Kind::other;
}

base::Result<Applied> open_place(const Root& root, const OwnedPath& path, OwnedPlace& place) {
  auto base = root.open_directory(path.base);
  if (!base) return std::unexpected(base.error());
  place.base = std::move(*base);
  struct stat status{};
  if (::fstatat(place.base.get(), path.directory.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return Applied::done;
    return base::fault_from_errno("stat the directory of", path.whole, errno);
  }
  // Before opening: without capabilities root cannot open everybody's directory, and need not.
  if (const auto judged = judge_directory(status); judged != Applied::done) return judged;
  return open_directory(path, place);
}

base::Result<Applied> make_directory(const OwnedPath& path, OwnedPlace& place) {
  // With its mode from the first moment, whatever the umask: a run that is killed here must not leave one
  // that is narrower, for nobody could tell it from an operator's own.
  const mode_t mask = ::umask(kMask);
  const int error = ::mkdirat(place.base.get(), path.directory.c_str(), kDirectoryMode) == 0 ? 0 : errno;
  ::umask(mask);
  if (error == EEXIST) return Applied::changed_since_read;
  if (error != 0) return base::fault_from_errno("make the directory of", path.whole, error);
  return open_directory(path, place);
}

base::Result<void> settle_directory(const OwnedPath& path, const OwnedPlace& place) {
  if (::fsync(place.base.get()) != 0) {
    return base::fault_from_errno("make durable the directory of", path.whole, errno);
  }
  return {};
}

base::Result<FileState> read_file_state(int directory, const OwnedPath& path) {
  FileState state;
  struct stat status{};
  if (directory < 0) return state;
  if (::fstatat(directory, path.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return state;
    return base::fault_from_errno("stat", path.whole, errno);
  }
  state.kind = kind_of(status.st_mode);
  state.owner = status.st_uid;
  state.mode = status.st_mode & kPermissionBits;
  if (state.kind != FileState::Kind::regular) return state;
  // What has been exchanged for a FIFO or a link in between must not block us or lead us away.
  const base::UniqueFd fd(
      ::openat(directory, path.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd && errno == EACCES) {
    state.is_readable = false;
    return state;
  }
  if (!fd || ::fstat(fd.get(), &status) != 0) return base::fault_from_errno("open", path.whole, errno);
  if (!S_ISREG(status.st_mode)) return base::fault_from_errno("read", path.whole, EAGAIN);
  state.owner = status.st_uid;
  state.mode = status.st_mode & kPermissionBits;
  auto text = read_all(fd.get(), path.whole);
  if (!text) return std::unexpected(text.error());
  state.text = std::move(*text);
  return state;
}

}  // namespace allocd::host
