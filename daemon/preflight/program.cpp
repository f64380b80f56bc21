// SPDX-License-Identifier: Apache-2.0
#include "preflight/program.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "allocator/classify.hpp"
#include "base/text.hpp"
#include "preflight/elf_file.hpp"
#include "preflight/path_walk.hpp"

namespace allocd::preflight {

namespace {

constexpr int kMaxScripts = 5;           // as the kernel's BINPRM loop
constexpr std::size_t kFirstLine = 256;  // BINPRM_BUF_SIZE

// "#!/usr/bin/env -S python3 -u" is interpreter and the rest of the line.
struct Shebang {
  std::string interpreter;
  std::string argument;
};

std::optional<Shebang> read_shebang(int fd) {
  std::array<char, kFirstLine> start{};
  const ssize_t count = ::pread(fd, start.data(), start.size(), 0);
  if (count < 2 || start[0] != '#' || start[1] != '!') return std::nullopt;
  std::string_view text(start.data(), static_cast<std::size_t>(count));
  text.remove_prefix(2);
  text = base::trim(text.substr(0, text.find_first_of(std::string_view("\n\0", 2))));
  Shebang shebang;
  shebang.interpreter = base::take_word(text);
  shebang.argument = base::trim(text);
  return shebang;
}

// The program's name after env, past its options and assignments; "" when it is not there to see.
std::string env_program(std::string_view argument) {
  for (auto word = base::take_word(argument); !word.empty(); word = base::take_word(argument)) {
    if (word.starts_with("-S")) word.remove_prefix(2);
    if (word.empty() || word.starts_with("-") || word.find('=') != std::string_view::npos) continue;
    return std::string(word);
  }
  return {};
}

ProgramKind decide_kind(const ElfFile& file, const std::string& path) {
  const ElfFacts& facts = file.facts();
  if (facts.machine != native_machine()) return ProgramKind::foreign_elf;
  // The dynamic linker itself may be what is started, with the program as its argument.
  const std::string& linker =
      facts.interpreter.empty() && allocator::is_dynamic_linker_name(path) ? path : facts.interpreter;
  if (linker.empty()) return ProgramKind::static_elf;
  const auto name = allocator::base_name(linker);
  if (name.starts_with("ld-musl")) return ProgramKind::dynamic_musl;
  if (name.starts_with("ld-linux") || name.starts_with("ld64.so")) return ProgramKind::dynamic_glibc;
  return ProgramKind::dynamic_other;
}

bool is_nosuid(int fd) {
  struct statvfs mount{};
  return ::fstatvfs(fd, &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0;
}

// systemd mounts everything nosuid for a service with NoNewPrivileges= and a mount namespace, as the enforcer
// is: where the root itself is so, the flag says nothing about what the program's own service sees.
void read_privileges(int root, int fd, const struct stat& status, ProgramFacts& facts) {
  if (is_nosuid(fd) && !is_nosuid(root)) return;
  const bool is_setgid = (status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0;
  facts.is_setuid = (status.st_mode & S_ISUID) != 0 || is_setgid;
  facts.has_file_capabilities = ::fgetxattr(fd, "security.capability", nullptr, 0) > 0;
}

class Reader {
 public:
  Reader(const host::Root& root, std::string_view root_directory, std::string_view search_path)
      : root_(root), root_directory_(root_directory), search_path_(search_path) {}

  ProgramFacts read(std::string path) {
    for (int depth = 0; depth <= kMaxScripts; ++depth) {
      auto next = look(path);
      if (!next) return std::move(facts_);
      path = std::move(*next);
    }
    facts_.kind = ProgramKind::not_a_program;  // the kernel says ELOOP
    return std::move(facts_);
  }

 private:
  std::optional<std::string> end(ProgramKind kind) {
    facts_.kind = kind;
    return std::nullopt;
  }

  // Nothing when `facts_` is complete, else the path to go on with.
  std::optional<std::string> look(const std::string& path) {
    const auto walked = read_path(root_, root_directory_, path);
    if (!walked) {
      return end(walked.error() == WalkOutcome::absent ? ProgramKind::absent : ProgramKind::unreadable);
    }
    facts_.program = walked->path;
    if (!S_ISREG(walked->status.st_mode)) return end(ProgramKind::not_a_program);
    const auto fd = open_regular(*walked);
    if (!fd) return end(ProgramKind::unreadable);
    if (const auto shebang = read_shebang(fd->get())) return follow(*shebang, walked->path);
    read_privileges(root_.fd(), fd->get(), walked->status, facts_);
    const auto file = ElfFile::read(fd->get());
    if (file) return end(decide_kind(*file, walked->path));
    if (file.error() == ElfOutcome::wrong_class) return end(ProgramKind::foreign_elf);
    return end(file.error() == ElfOutcome::unreadable ? ProgramKind::unreadable : ProgramKind::not_a_program);
  }

  std::optional<std::string> follow(const Shebang& shebang, const std::string& script) {
    // A relative interpreter depends on the working directory.
    if (!shebang.interpreter.starts_with('/')) return end(ProgramKind::not_a_program);
    facts_.scripts.push_back(script);
    if (allocator::base_name(shebang.interpreter) != "env") return shebang.interpreter;
    std::string name = env_program(shebang.argument);
    if (name.starts_with('/')) return name;
    return name.empty() || name.find('/') != std::string::npos ? shebang.interpreter : search(name);
  }

  // As env does: the first executable file of that name. Where there is none, what is started is env.
  std::string search(const std::string& name) const {
    for (const auto directory : base::split(search_path_, ':')) {
      if (!directory.starts_with('/')) continue;
      std::string path = std::string(directory) + "/" + name;
      const auto walked = read_path(root_, root_directory_, path);
      if (walked && S_ISREG(walked->status.st_mode) && (walked->status.st_mode & 0111U) != 0) return path;
    }
    return "/usr/bin/env";
  }

  const host::Root& root_;
  std::string_view root_directory_;
  std::string_view search_path_;
  ProgramFacts facts_;
};

}  // namespace

ProgramFacts read_program(const host::Root& root, std::string_view path, std::string_view root_directory,
                          std::string_view search_path) {
  return Reader(root, root_directory, search_path).read(std::string(path));
}

}  // namespace allocd::preflight
