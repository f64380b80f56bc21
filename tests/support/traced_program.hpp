// SPDX-License-Identifier: Apache-2.0
// A program that stands still each time it has called execve, before its dynamic linker has run one
// instruction: the only way to meet such a moment on purpose. Killed and reaped with the test, whatever
// becomes of it.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"

namespace allocd::test {

class TracedProgram {
 public:
  explicit TracedProgram(std::vector<std::string> argv) {
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) exec(argv);
    directory_ =
        base::UniqueFd(::open(("/proc/" + std::to_string(pid_)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(wait_for_stop());
    REQUIRE(::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) == 0);
  }
  ~TracedProgram() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  TracedProgram(const TracedProgram&) = delete;
  TracedProgram& operator=(const TracedProgram&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int directory() const { return directory_.get(); }

  // Lets it run until it is another program. False when it ended instead.
  bool run_to_next_exec() { return ::ptrace(PTRACE_CONT, pid_, nullptr, nullptr) == 0 && wait_for_stop(); }
  // Lets it run for good.
  void let_go() const { REQUIRE(::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr) == 0); }

 private:
  [[noreturn]] static void exec(std::vector<std::string>& argv) {
    std::vector<char*> arguments;
    for (auto& word : argv) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    char* no_variables[] = {nullptr};
    ::execve(arguments[0], arguments.data(), no_variables);
    ::_exit(127);
  }
  [[nodiscard]] bool wait_for_stop() const {
    int status = 0;
    return ::waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status);
  }

  pid_t pid_ = 0;
  base::UniqueFd directory_;
};

}  // namespace allocd::test
