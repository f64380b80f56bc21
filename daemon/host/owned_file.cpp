// SPDX-License-Identifier: Apache-2.0
#include "host/owned_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <utility>

#include "host/owned_place.hpp"

namespace allocd::host {

namespace {

using Kind = FileState::Kind;

// Why a file that is there is not ours to change, or `done`.
Applied judge_file(const FileState& state) {
  switch (state.kind) {
    case Kind::absent:
      return Applied::done;
    case Kind::symlink:
      return Applied::file_is_symlink;
    case Kind::directory:
      return Applied::file_is_directory;
    case Kind::other:
      return Applied::file_is_special;
    case Kind::regular:
      break;
  }
  return state.owner == ::geteuid() ? Applied::done : Applied::file_of_another_owner;
}

// Whether what is there now is ours, and is what the caller has decided upon.
base::Result<Applied> compare(const OwnedPlace& place, const OwnedPath& path, const FileState& expected) {
  const auto state = read_file_state(place.directory.get(), path);
  if (!state) return std::unexpected(state.error());
  if (const auto judged = judge_file(*state); judged != Applied::done) return judged;
  if (!state->is_readable) return base::fault_from_errno("read", path.whole, EACCES);
  const bool same = state->kind == expected.kind && state->text == expected.text;
  return same ? Applied::done : Applied::changed_since_read;
}

// ---- the temporary file ----------------------------------------------------------------------------------

// A file beside the one to be written; gone with this object unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(int directory) : directory_(directory) {}
  ~TemporaryFile() { remove(); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  // Each returns 0 or an errno value.
  [[nodiscard]] int create();
  [[nodiscard]] int fill(std::string_view text, mode_t mode) const;
  [[nodiscard]] int rename_to(const char* name, bool may_replace);

 private:
  void remove() {
    if (!name_.empty()) static_cast<void>(::unlinkat(directory_, name_.c_str(), 0));
    name_.clear();
  }

  int directory_;
  base::UniqueFd fd_;
  std::string name_;  // "" while there is none
};

int TemporaryFile::create() {
  constexpr int kTries = 8;  // a name taken already is chance, or somebody who guesses: either ends soon
  for (int tries = 0; tries < kTries; ++tries) {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) return EIO;
    auto name = fmt::format("{}{:016x}", kLeftoverPrefix, number);
    fd_ = base::UniqueFd(
        ::openat(directory_, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd_) {
      name_ = std::move(name);
      return 0;
    }
    if (errno != EEXIST) return errno;
  }
  return EEXIST;
}

int TemporaryFile::fill(std::string_view text, mode_t mode) const {
  while (!text.empty()) {
    const ssize_t count = ::write(fd_.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fchmod(fd_.get(), mode) != 0) return errno;
  return ::fsync(fd_.get()) == 0 ? 0 : errno;
}

int TemporaryFile::rename_to(const char* name, bool may_replace) {
  int result = 0;
  if (may_replace) {
    result = ::renameat(directory_, name_.c_str(), directory_, name);
  } else {
    result = ::renameat2(directory_, name_.c_str(), directory_, name, RENAME_NOREPLACE);
    const bool unknown_here = result != 0 && (errno == EINVAL || errno == ENOSYS);
    if (unknown_here) result = ::renameat(directory_, name_.c_str(), directory_, name);
  }
  if (result != 0) return errno;
  name_.clear();
  return 0;
}

// ---- writing ---------------------------------------------------------------------------------------------

base::Result<Applied> write_in_place(const OwnedPlace& place, const OwnedPath& path, std::string_view text,
                                     mode_t mode, const FileState& expected) {
  TemporaryFile temporary(place.directory.get());
  int error = temporary.create();
  if (error == 0) error = temporary.fill(text, mode);
  if (error != 0) return base::fault_from_errno("write", path.whole, error);
  // Writing took a while; what came in between is seen now.
  const auto compared = compare(place, path, expected);
  if (!compared || *compared != Applied::done) return compared;
  error = temporary.rename_to(path.name.c_str(), expected.kind != Kind::absent);
  if (error == EEXIST && expected.kind == Kind::absent) return Applied::changed_since_read;
  if (error != 0) return base::fault_from_errno("write", path.whole, error);
  if (::fsync(place.directory.get()) != 0) return base::fault_from_errno("make durable", path.whole, errno);
  return Applied::done;
}

// An empty directory may be one that we, or a run that was killed, have just made; its mode is left alone.
base::Result<Applied> write_in_directory(const OwnedPlace& place, const OwnedPath& path,
                                         std::string_view text, mode_t mode, const FileState& expected) {
  const auto names = list_directory(place.directory.get());
  if (!names) return std::unexpected(names.error());
  if (names->empty()) {
    if (const auto settled = settle_directory(path, place); !settled) return std::unexpected(settled.error());
  }
  return write_in_place(place, path, text, mode, expected);
}

void remove_directory(const OwnedPlace& place, const OwnedPath& path) {
  // ENOTEMPTY, most often: somebody else's drop-ins. An empty directory means nothing to systemd, so one that
  // cannot be removed is not worth a fault.
  if (::unlinkat(place.base.get(), path.directory.c_str(), AT_REMOVEDIR) == 0) {
    static_cast<void>(::fsync(place.base.get()));
  }
}

}  // namespace

base::Result<FileState> read_state(const Root& root, std::string_view path) {
  const auto parts = split_owned_path(path);
  if (!parts) return std::unexpected(parts.error());
  auto base = root.open_directory(parts->base);
  if (!base) return std::unexpected(base.error());
  FileState state;
  struct stat status{};
  if (::fstatat(base->get(), parts->directory.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return state;
    return base::fault_from_errno("stat the directory of", path, errno);
  }
  state.directory = kind_of(status.st_mode);
  state.directory_owner = status.st_uid;
  if (state.directory != Kind::directory) return state;
  const base::UniqueFd directory(
      ::openat(base->get(), parts->directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return base::fault_from_errno("open the directory of", path, errno);
  auto file = read_file_state(directory.get(), *parts);
  if (!file) return file;
  file->directory = state.directory;
  file->directory_owner = state.directory_owner;
  return file;
}

base::Result<Applied> apply_write(const Root& root, std::string_view path, std::string_view text, mode_t mode,
                                  const FileState& expected) {
  const auto parts = split_owned_path(path);
  if (!parts) return std::unexpected(parts.error());
  OwnedPlace place;
  const auto opened = open_place(root, *parts, place);
  if (!opened || *opened != Applied::done) return opened;
  const auto compared = compare(place, *parts, expected);
  if (!compared || *compared != Applied::done) return compared;
  const bool is_new = !place.directory;
  if (is_new) {
    const auto made = make_directory(*parts, place);
    if (!made || *made != Applied::done) return made;
  }
  auto written = write_in_directory(place, *parts, text, mode, expected);
  const bool failed = !written || *written != Applied::done;
  if (failed && is_new) remove_directory(place, *parts);
  return written;
}

base::Result<Applied> apply_remove(const Root& root, std::string_view path, const FileState& expected,
                                   EmptyDirectory empty) {
  const auto parts = split_owned_path(path);
  if (!parts) return std::unexpected(parts.error());
  OwnedPlace place;
  const auto opened = open_place(root, *parts, place);
  if (!opened || *opened != Applied::done) return opened;
  const auto compared = compare(place, *parts, expected);
  if (!compared || *compared != Applied::done) return compared;
  if (!place.directory) return Applied::done;
  if (expected.kind != Kind::absent) {
    if (::unlinkat(place.directory.get(), parts->name.c_str(), 0) != 0) {
      if (errno == ENOENT) return Applied::changed_since_read;
      return base::fault_from_errno("remove", path, errno);
    }
    if (::fsync(place.directory.get()) != 0) return base::fault_from_errno("make durable", path, errno);
  }
  if (empty == EmptyDirectory::remove_if_empty) remove_directory(place, *parts);
  return Applied::done;
}

base::Result<std::size_t> remove_leftovers(const Root& root, std::string_view directory) {
  const auto parts = split_owned_path(fmt::format("{}/{}", directory, kLeftoverPrefix));
  if (!parts) return std::unexpected(parts.error());
  OwnedPlace place;
  const auto opened = open_place(root, *parts, place);
  if (!opened) return std::unexpected(opened.error());
  if (!place.directory) return 0;
  const auto names = list_directory(place.directory.get());
  if (!names) return std::unexpected(names.error());
  std::size_t removed = 0;
  for (const auto& name : *names) {
    struct stat status{};
    if (!name.starts_with(kLeftoverPrefix)) continue;
    if (::fstatat(place.directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) continue;
    if (::unlinkat(place.directory.get(), name.c_str(), 0) != 0) {
      return base::fault_from_errno("remove", fmt::format("{}/{}", directory, name), errno);
    }
    ++removed;
  }
  if (removed > 0 && ::fsync(place.directory.get()) != 0) {
    return base::fault_from_errno("make durable", directory, errno);
  }
  return removed;
}

}  // namespace allocd::host
