// SPDX-License-Identifier: Apache-2.0
// What a service really starts: what LD_PRELOAD would do to it is written in its file.
//
// A script is followed to its interpreter, as the kernel does, and `#!/usr/bin/env name` to the program that
// env would find. Devices and FIFOs are never opened. What cannot be read is `unreadable`, never guessed;
// root without capabilities, the enforcer, reads what everybody reads. execve(2), ld.so(8), env(1).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"
#include "host/root.hpp"

namespace allocd::preflight {

enum class ProgramKind {
  dynamic_glibc,
  dynamic_musl,   // a library built for glibc keeps it from starting
  dynamic_other,  // a dynamic linker of some other name
  static_elf,     // a preload has no effect
  foreign_elf,    // another machine or word size: the library cannot be loaded into it
  not_a_program,  // neither ELF nor a script with `#!`, a directory, a device
  absent,
  unreadable
};
inline constexpr base::EnumNames<ProgramKind, 8> kProgramKindNames{
    {"dynamic_glibc", "dynamic_musl", "dynamic_other", "static_elf", "foreign_elf", "not_a_program", "absent",
     "unreadable"}};

struct ProgramFacts {
  ProgramKind kind = ProgramKind::absent;
  std::string program;               // what runs in the end, links followed, inside `root_directory`
  std::vector<std::string> scripts;  // the files that led to it by `#!`, the first first
  // What a shell script starts in its turn is not known.
  [[nodiscard]] bool is_script() const { return !scripts.empty(); }
  // Either makes ld.so ignore a preload with a slash; NoNewPrivileges= mends the first alone.
  bool is_setuid = false;
  bool has_file_capabilities = false;
  [[nodiscard]] bool is_setuid_or_file_capabilities() const { return is_setuid || has_file_capabilities; }
};

// The search path systemd gives a service that sets none.
inline constexpr std::string_view kDefaultSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

// `path` is that of ExecStart=, absolute inside `root_directory` ("" for the host's own root).
[[nodiscard]] ProgramFacts read_program(const host::Root& root, std::string_view path,
                                        std::string_view root_directory = "",
                                        std::string_view search_path = kDefaultSearchPath);

}  // namespace allocd::preflight
