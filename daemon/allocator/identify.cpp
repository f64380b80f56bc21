// SPDX-License-Identifier: Apache-2.0
#include "allocator/identify.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

#include "allocator/classify.hpp"
#include "allocator/library.hpp"
#include "allocator/memory_reader.hpp"
#include "allocator/resolve.hpp"
#include "allocator/survey.hpp"
#include "base/text.hpp"
#include "base/unique_fd.hpp"
#include "host/root.hpp"
#include "kernel/gpu.hpp"
#include "kernel/maps.hpp"

namespace allocd::allocator {

namespace {

// A file can be mapped more than once: to be run, and to be read.
bool is_same(const MappedFile* known, const MappedFile& file) {
  return known != nullptr && known->inode == file.inode && known->device == file.device;
}

constexpr int kAttempts = 3;
constexpr std::size_t kMaxThreads = 4096;
constexpr std::string_view kBackgroundThread = "jemalloc_bg_thd";  // background_thread.c

class Identifier {
 public:
  Identifier(const ProcessHandle& process, FingerprintCache& fingerprints, const KeepGoing& keep_going)
      : process_(process),
        fingerprints_(fingerprints),
        keep_going_(keep_going),
        memory_(process.pid, keep_going) {}

  Identification run() {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const auto before = read_image();
      if (!before) return end(Outcome::gone, "the process exited");
      const Outcome outcome = attempt_once(*before);
      // The map of a program that was replaced after it was opened is empty, like that of one that exits.
      const bool may_be_exec = outcome == Outcome::gone;
      if (outcome != Outcome::ok && outcome != Outcome::early && !may_be_exec)
        return end(outcome, std::move(result_.evidence.detail));
      const auto after = read_image();
      if (!after) return end(Outcome::gone, "the process exited while it was read");
      if (*before != *after) continue;
      if (outcome == Outcome::gone) return end(outcome, std::move(result_.evidence.detail));
      result_.image = *before;
      result_.outcome = outcome;
      return std::move(result_);
    }
    return end(Outcome::changed, "the process started another program each time it was read");
  }

 private:
  Identification end(Outcome outcome, std::string detail) {
    result_ = {};
    result_.outcome = outcome;
    result_.evidence.detail = std::move(detail);
    return std::move(result_);
  }

  Outcome fail(Outcome outcome, std::string detail) {
    result_.evidence.detail = std::move(detail);
    return outcome;
  }

  [[nodiscard]] std::optional<kernel::ImageKey> read_image() const {
    const auto text = host::read_file_at(process_.directory, "stat");
    if (!text) return std::nullopt;
    const auto stat = kernel::parse_process_stat(*text);
    if (!stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
    return stat->image;
  }

  Outcome attempt_once(const kernel::ImageKey& image) {
    result_ = {};
    memory_.forget();
    if (const Outcome outcome = take_survey(); outcome != Outcome::ok) return outcome;
    result_.evidence.mappings = survey_.mappings();
    note_devices();
    if (!keep_going_()) return fail(Outcome::given_up, "not read within the deadline");
    const Outcome outcome = decide_active(image);
    if (outcome != Outcome::ok && outcome != Outcome::early) return outcome;
    add_idle_by_name();
    if (!keep_going_()) return fail(Outcome::given_up, "not read within the deadline");
    complete_libraries();
    count_background_threads();
    // Other allocators' aligned blocks look like heaps: the count speaks only where glibc is in use.
    if (result_.evidence.active == Kind::glibc) result_.evidence.glibc_heaps = survey_.heaps();
    return outcome;
  }

  Outcome take_survey() {
    survey_ = {};
    maps_.reset();
    maps_ = base::UniqueFd(::openat(process_.directory, "maps", O_RDONLY | O_CLOEXEC));
    if (!maps_) return survey_error(errno);
    const int error = kernel::visit_maps(
        maps_.get(), [&](const kernel::Mapping& mapping) { survey_.add(mapping); }, keep_going_);
    if (error != 0) return survey_error(error);
    if (survey_.mappings() == 0) return fail(Outcome::gone, "it has no memory: it is exiting");
    return Outcome::ok;
  }

  void note_devices() {
    constexpr std::size_t kMostDevices = 64;
    auto& devices = result_.devices;
    for (const auto& file : survey_.files()) {
      const auto name = kernel::parse_gpu_path(file.path);
      if (!name || devices.size() == kMostDevices) continue;
      if (std::ranges::find(devices, *name) == devices.end()) devices.emplace_back(*name);
    }
    std::ranges::sort(devices);
  }

  Outcome survey_error(int error) {
    if (error == ENOENT || error == ESRCH) return fail(Outcome::gone, "the process exited");
    if (error == ECANCELED) return fail(Outcome::given_up, "not read within the deadline");
    if (error == EACCES || error == EPERM) {
      return fail(Outcome::not_permitted, "its memory map may not be read: CAP_SYS_PTRACE is missing");
    }
    return fail(Outcome::failed, fmt::format("cannot read its memory map: {}", strerrordesc_np(error)));
  }

  // Where offset 0 of the executable is mapped; its text can have been moved to huge pages, then its path
  // tells.
  [[nodiscard]] Located find_executable(const kernel::ImageKey& image) const {
    if (const Located located = survey_.file_at(image.start_code); located.base != 0) return located;
    std::array<char, PATH_MAX> path{};
    const ssize_t length = ::readlinkat(process_.directory, "exe", path.data(), path.size());
    if (length <= 0) return {};
    const std::string_view name(path.data(), static_cast<std::size_t>(length));
    const MappedFile* file = survey_.find([&](const MappedFile& candidate) {
      return candidate.base != 0 && kernel::unescape_maps_path(candidate.path) == name;
    });
    return file != nullptr ? Located{file, file->base} : Located{};
  }

  Outcome decide_active(const kernel::ImageKey& image) {
    executable_ = find_executable(image);
    if (executable_.base == 0) return mapped_only("its executable is not in its memory map");
    const MappedFile* linker = survey_.find(
        [](const MappedFile& file) { return file.base != 0 && is_dynamic_linker_name(file.path); });
    const Resolution resolution =
        resolve_malloc(memory_, survey_, executable_.base, linker != nullptr ? linker->base : 0);
    switch (resolution.outcome) {
      case WalkOutcome::ok:
      case WalkOutcome::changing:
        return take_resolution(resolution);
      case WalkOutcome::is_static:
        return take_fingerprint();
      case WalkOutcome::too_early:
        static_cast<void>(mapped_only("its dynamic linker has not finished yet"));
        return Outcome::early;
      case WalkOutcome::foreign_class:
        return mapped_only("it is not a program of this machine's word size");
      case WalkOutcome::unreadable:
        break;
    }
    return memory_unreadable();
  }

  Outcome memory_unreadable() {
    const int error = memory_.last_error();
    if (error == ESRCH) return fail(Outcome::gone, "the process exited while it was read");
    return mapped_only(fmt::format("its memory could not be read: {}",
                                   error == 0 ? "not an ELF image" : strerrordesc_np(error)));
  }

  // Rung `mapped`: what lies in memory is known, what is used is not.
  Outcome mapped_only(const std::string& why) {
    result_.evidence.rung = Rung::mapped;
    result_.evidence.active = Kind::unknown;
    result_.evidence.detail = "only its memory map is known: " + why;
    return Outcome::ok;
  }

  Outcome take_resolution(const Resolution& resolution) {
    Evidence& evidence = result_.evidence;
    if (resolution.definers.empty()) {
      return mapped_only(resolution.outcome == WalkOutcome::changing
                             ? "its libraries were changing while it was read"
                             : "no loaded object defines malloc");
    }
    const Definer& first = resolution.definers.front();
    // Until glibc 2.35 ld.so has a malloc of its own, and stands first while it still adds the preloads.
    const bool is_linker =
        first.kind == Kind::glibc && first.file != nullptr && is_dynamic_linker_name(first.file->path);
    if (resolution.outcome == WalkOutcome::changing && is_linker) {
      static_cast<void>(mapped_only("its libraries are still being loaded"));
      return Outcome::early;
    }
    evidence.rung = Rung::resolved;
    evidence.active = decide_kind(first);
    for (const Definer& definer : resolution.definers) add_definer(definer, &definer == &first);
    evidence.detail = fmt::format(
        "malloc resolves to {}, object {} of {} in the dynamic linker's order",
        first.file != nullptr ? base::escape_for_terminal(kernel::unescape_maps_path(first.file->path))
                              : "memory without a file",
        first.position + 1, resolution.objects);
    add_embedded(first.file == executable_.file);
    return Outcome::ok;
  }

  // An executable with an allocator linked in exports `malloc`, because libc asks for it, and little else.
  [[nodiscard]] Kind decide_kind(const Definer& definer) const {
    if (definer.kind != Kind::other || definer.file != executable_.file) return definer.kind;
    const auto fingerprint = read_fingerprint();
    // Unread, or not to its end: it could be any.
    if (!fingerprint) return Kind::unknown;
    const Kind kind = fingerprint->kind();
    if (kind == Kind::unknown && !fingerprint->complete) return Kind::unknown;
    return kind == Kind::unknown ? Kind::other : kind;
  }

  void add_definer(const Definer& definer, bool is_active) {
    // libc stands behind every preload; it is news only where it is the one in use.
    const bool is_c_library = definer.kind == Kind::glibc || definer.kind == Kind::musl;
    if (!is_active && is_c_library) return;
    Library library;
    library.kind = is_active ? result_.evidence.active : definer.kind;
    library.state = is_active ? LibraryState::active : LibraryState::mapped_not_active;
    pending_.push_back({library, definer.file, definer.base});
  }

  // A dynamic program whose own file carries an allocator under hidden names (a Rust global allocator).
  void add_embedded(bool is_definer) {
    if (is_definer) return;
    const auto fingerprint = read_fingerprint();
    if (!fingerprint) return;
    for (const auto& [found, kind] :
         {std::pair{fingerprint->jemalloc, Kind::jemalloc}, std::pair{fingerprint->tcmalloc, Kind::tcmalloc},
          std::pair{fingerprint->mimalloc, Kind::mimalloc}}) {
      if (found)
        pending_.push_back(
            {{kind, LibraryState::embedded, {}, {}, OnDisk::unknown}, executable_.file, executable_.base});
    }
  }

  Outcome take_fingerprint() {
    Evidence& evidence = result_.evidence;
    evidence.rung = Rung::fingerprint;
    const auto fingerprint = read_fingerprint();
    if (!keep_going_()) return fail(Outcome::given_up, "not read within the deadline");
    evidence.active = fingerprint ? fingerprint->kind() : Kind::unknown;
    if (!fingerprint) {
      evidence.rung = Rung::mapped;
      evidence.detail = "the program is static and its file could not be read";
    } else if (fingerprint->go && evidence.active == Kind::other) {
      evidence.detail = "the program is static: the Go runtime brings its own allocator";
    } else if (evidence.active == Kind::unknown) {
      evidence.detail = "the program is static and no known allocator's text is in it";
    } else {
      evidence.detail =
          fmt::format("the program is static and holds the text of {}", kKindNames.name(evidence.active));
    }
    if (evidence.active != Kind::unknown) {
      pending_.push_back({{evidence.active, LibraryState::active, {}, {}, OnDisk::unknown},
                          executable_.file,
                          executable_.base});
    }
    return Outcome::ok;
  }

  [[nodiscard]] std::optional<Fingerprint> read_fingerprint() const {
    // The magic link leads to the very file, also when it was deleted or lies in another mount namespace.
    const base::UniqueFd fd(::openat(process_.directory, "exe", O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd) return std::nullopt;
    return fingerprints_.of_file(fd.get(), keep_going_);
  }

  // Libraries that no symbol told of: prefixed builds, dlmopen namespaces, or a map that is all we have.
  void add_idle_by_name() {
    const bool resolved = result_.evidence.rung == Rung::resolved;
    for (const MappedFile& file : survey_.files()) {
      const auto kind = decide_kind_by_name(library_path(file.path));
      if (!kind || file.base == 0) continue;
      const bool known = std::ranges::any_of(
          pending_, [&](const PendingLibrary& pending) { return is_same(pending.file, file); });
      if (known) continue;
      const auto state = resolved ? LibraryState::mapped_not_active : LibraryState::mapped;
      pending_.push_back({{*kind, state, {}, {}, OnDisk::unknown}, &file, file.base});
    }
  }

  void complete_libraries() {
    for (const PendingLibrary& pending : pending_) {
      result_.evidence.libraries.push_back(
          complete_library(process_.directory, maps_.get(), memory_, pending));
    }
    pending_.clear();
  }

  void count_background_threads() {
    const bool has_jemalloc = std::ranges::any_of(
        result_.evidence.libraries, [](const Library& library) { return library.kind == Kind::jemalloc; });
    if (!has_jemalloc) return;
    base::UniqueFd tasks(::openat(process_.directory, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Seen through one of its threads (ProcessHandle): that stands among the others.
    if (!tasks)
      tasks = base::UniqueFd(::openat(process_.directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!tasks) return;
    const auto names = host::list_directory(tasks.get());
    if (!names) return;
    std::uint32_t count = 0;
    std::string comm;
    for (const auto& task : std::span(*names).first(std::min(names->size(), kMaxThreads))) {
      if (!keep_going_()) return;
      const bool readable = host::read_file_into(tasks.get(), (task + "/comm").c_str(), comm) == 0;
      if (readable && base::trim(comm) == kBackgroundThread) ++count;
    }
    result_.evidence.jemalloc_background_threads = count;
  }

  ProcessHandle process_;
  FingerprintCache& fingerprints_;
  const KeepGoing& keep_going_;
  ProcessMemory memory_;
  base::UniqueFd maps_;
  Survey survey_;
  Located executable_;
  std::vector<PendingLibrary> pending_;
  Identification result_;
};

}  // namespace

Identification identify(const ProcessHandle& process, FingerprintCache& fingerprints,
                        const KeepGoing& keep_going) {
  Identification result = Identifier(process, fingerprints, keep_going).run();
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  result.evidence.checked_at = static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  return result;
}

}  // namespace allocd::allocator
