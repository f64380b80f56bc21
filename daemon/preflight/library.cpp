// SPDX-License-Identifier: Apache-2.0
#include "preflight/library.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "allocator/classify.hpp"
#include "base/text.hpp"
#include "preflight/elf_file.hpp"

namespace allocd::preflight {

namespace {

using settings::Wanted;

#if defined(__x86_64__)
constexpr const char* kMultiarch = "/usr/lib/x86_64-linux-gnu";
#elif defined(__aarch64__)
constexpr const char* kMultiarch = "/usr/lib/aarch64-linux-gnu";
#else
constexpr const char* kMultiarch = "/usr/lib64";
#endif

struct Names {
  Wanted wanted;
  std::vector<const char*> sonames;
  const char* packages;
};

const Names& names_of(Wanted wanted) {
  static const std::array<Names, 3> kNames{
      {{Wanted::jemalloc, {"libjemalloc.so.2"}, "libjemalloc2 (Debian, Ubuntu) or jemalloc (Fedora, EPEL)"},
       {Wanted::tcmalloc,
        {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4"},
        "libtcmalloc-minimal4 (Debian, Ubuntu) or gperftools-libs (Fedora, EPEL)"},
       {Wanted::mimalloc,
        {"libmimalloc.so.2", "libmimalloc.so.2.2", "libmimalloc.so.2.1", "libmimalloc.so.2.0",
         "libmimalloc.so.3"},
        "libmimalloc2.0 (Debian, Ubuntu) or mimalloc (Fedora, EPEL)"}}};
  return *std::ranges::find(kNames, wanted, &Names::wanted);
}

std::unexpected<Finding> refuse(Reason reason, std::string sentence) {
  return std::unexpected(Finding{reason, std::move(sentence)});
}

std::string shown(std::string_view path) {
  return base::escape_for_terminal(path.substr(0, 512));
}

Finding decide_elf_outcome(ElfOutcome outcome, const std::string& path) {
  switch (outcome) {
    case ElfOutcome::unreadable:
      return {Reason::unreadable, path + " cannot be read"};
    case ElfOutcome::not_elf:
      return {Reason::not_elf, path + " is not an ELF file (a linker script, or not a library at all)"};
    case ElfOutcome::wrong_class:
      return {Reason::wrong_class,
              path + " is built for 32-bit or other-endian programs, not for this host's"};
    case ElfOutcome::damaged:
      break;
  }
  return {Reason::damaged, path + " is cut short or damaged"};
}

bool is_musl_dependency(const std::string& needed) {
  return needed.starts_with("libc.musl-") || needed == "libc.so" || needed.starts_with("ld-musl-");
}

// In the order in which a person would mend it.
Finding decide_loadable(const ElfFile& file, const std::string& path, const Requirements& needs) {
  const ElfFacts& facts = file.facts();
  if (facts.machine != needs.machine) {
    return {Reason::wrong_machine, fmt::format("{} is built for {}, this host's programs for {}", path,
                                               machine_name(facts.machine), machine_name(needs.machine))};
  }
  if (facts.type != ET_DYN || !facts.is_dynamic || !facts.interpreter.empty()) {
    return {Reason::not_shared_object, path + " is not a shared library"};
  }
  if (std::ranges::any_of(facts.needed, is_musl_dependency)) {
    return {Reason::musl_library, path + " is built for musl; the services of this host run on glibc"};
  }
  if (facts.max_page != 0 && facts.max_page < needs.page_size) {
    return {Reason::wrong_page_size,
            fmt::format("{} is laid out for pages of at most {} bytes, this kernel has {}", path,
                        facts.max_page, needs.page_size)};
  }
  if (file.defines("malloc")) return {};
  if (file.defines("je_malloc")) {
    return {Reason::no_malloc,
            path +
                " is a jemalloc built with a prefix: it defines je_malloc and reads JE_MALLOC_CONF, "
                "and leaves malloc to glibc"};
  }
  return {Reason::no_malloc, path + " does not define malloc"};
}

allocator::Kind kind_of(Wanted wanted) {
  switch (wanted) {
    case Wanted::jemalloc:
      return allocator::Kind::jemalloc;
    case Wanted::tcmalloc:
      return allocator::Kind::tcmalloc;
    case Wanted::mimalloc:
      return allocator::Kind::mimalloc;
    case Wanted::glibc:
      return allocator::Kind::glibc;
    case Wanted::any:
      break;
  }
  return allocator::Kind::unknown;
}

Identity identity_of(const struct stat& status, std::string build_id) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
          .build_id = std::move(build_id)};
}

std::expected<Library, Finding> examine(const Walked& walked, const std::string& path, Wanted wanted,
                                        const Requirements& needs) {
  const std::string name = shown(path);
  if (!S_ISREG(walked.status.st_mode)) return refuse(Reason::bad_path, name + " is not a regular file");
  if (const Finding trust = decide_trust(walked, needs.trusted_owner); trust.reason != Reason::ok) {
    return std::unexpected(trust);
  }
  const auto fd = open_regular(walked);
  if (!fd) return refuse(Reason::unreadable, fd.error().message());
  const auto file = ElfFile::read(fd->get());
  if (!file) return std::unexpected(decide_elf_outcome(file.error(), name));
  if (const Finding load = decide_loadable(*file, name, needs); load.reason != Reason::ok) {
    return std::unexpected(load);
  }
  const auto kind = allocator::decide_definer_kind(
      walked.path, [&file](const char* symbol) { return file->defines(symbol); });
  if (kind != kind_of(wanted)) {
    return refuse(Reason::wrong_allocator,
                  fmt::format("{} is {}, the policy asks for {}", name, allocator::kKindNames.name(kind),
                              settings::kWantedNames.name(wanted)));
  }
  return Library{path, walked.path, identity_of(walked.status, file->facts().build_id), kind};
}

}  // namespace

Requirements Requirements::of_this_host() {
  return {.machine = native_machine(), .page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

std::vector<std::string> library_candidates(Wanted wanted) {
  std::vector<std::string> candidates;
  for (const char* directory : {kMultiarch, "/usr/lib64", "/usr/lib", "/usr/local/lib64", "/usr/local/lib"}) {
    for (const char* soname : names_of(wanted).sonames) {
      std::string path = fmt::format("{}/{}", directory, soname);
      if (std::ranges::find(candidates, path) == candidates.end()) candidates.push_back(std::move(path));
    }
  }
  return candidates;
}

Finding decide_preload_path(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return {Reason::bad_path, fmt::format("'{}' is not an absolute path", shown(path))};
  }
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ':' || c == ' ' || byte < 0x20 || byte == 0x7F) {
      return {Reason::bad_path,
              fmt::format("'{}' holds a blank, a ':' or a control character, which LD_PRELOAD cannot carry: "
                          "link the library to a plain path",
                          shown(path))};
    }
  }
  return {};
}

Finding decide_trust(const Walked& walked, uid_t trusted_owner) {
  const auto check = [trusted_owner](const std::string& path, const struct stat& status) -> Finding {
    if (status.st_uid != 0 && status.st_uid != trusted_owner) {
      return {Reason::writable_by_others,
              fmt::format("{} belongs to user {}, not to root: chown root it", shown(path), status.st_uid)};
    }
    // The group bits are also the mask of an access list; the mode of a link means nothing.
    if (!S_ISLNK(status.st_mode) && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      return {Reason::writable_by_others,
              fmt::format("{} can be written by others than root (mode {:04o}): chmod go-w it", shown(path),
                          status.st_mode & 07777U)};
    }
    return {};
  };
  for (const Step& step : walked.passed) {
    if (Finding found = check(step.path, step.status); found.reason != Reason::ok) return found;
  }
  return check(walked.path, walked.status);
}

std::expected<Library, Finding> find_library(const host::Root& root, Wanted wanted,
                                             const std::optional<std::string>& configured,
                                             std::string_view root_directory, const Requirements& needs) {
  if (configured) {
    if (Finding path = decide_preload_path(*configured); path.reason != Reason::ok)
      return std::unexpected(path);
  }
  const auto candidates = configured ? std::vector{*configured} : library_candidates(wanted);
  for (const std::string& path : candidates) {
    const auto walked = read_path(root, root_directory, path);
    if (walked) return examine(*walked, path, wanted, needs);
    if (walked.error() != WalkOutcome::absent) {
      return refuse(Reason::unreadable, shown(path) + (walked.error() == WalkOutcome::denied
                                                           ? " may not be looked at: permission denied"
                                                           : " cannot be followed to a file"));
    }
  }
  const std::string where = root_directory.empty() || root_directory == "/"
                                ? std::string()
                                : fmt::format(" inside {}", shown(root_directory));
  if (configured) return refuse(Reason::library_not_found, shown(*configured) + " does not exist" + where);
  return refuse(Reason::library_not_found,
                fmt::format("no {} library was found{}: install {}, or set library: to its path",
                            settings::kWantedNames.name(wanted), where, names_of(wanted).packages));
}

std::string render_preload(std::span<const std::string> paths) {
  return fmt::format("{}", fmt::join(paths, ":"));
}

}  // namespace allocd::preflight
