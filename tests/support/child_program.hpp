// SPDX-License-Identifier: Apache-2.0
// A program started for a test and ended with it: always killed, always reaped.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"

namespace allocd::test {

// Asks `condition` until it holds or the bound is reached. The only waiting there is in these tests.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds bound = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + bound;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

class ChildProgram {
 public:
  ChildProgram(std::vector<std::string> argv, std::vector<std::string> environment) {
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) exec(argv, environment);
    directory_ =
        base::UniqueFd(::open(("/proc/" + std::to_string(pid_)).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~ChildProgram() { stop(); }
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int directory() const { return directory_.get(); }
  // Ends it, not reaped: a zombie keeps its pid.
  void kill_and_keep() const {
    ::kill(pid_, SIGKILL);
    siginfo_t ignored{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid_), &ignored, WEXITED | WNOWAIT) == 0);
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  [[noreturn]] static void exec(std::vector<std::string>& argv, std::vector<std::string>& environment) {
    std::vector<char*> arguments;
    for (auto& word : argv) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::vector<char*> variables;
    for (auto& word : environment) variables.push_back(word.data());
    variables.push_back(nullptr);
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDIN_FILENO);
    ::execve(arguments[0], arguments.data(), variables.data());
    ::_exit(127);
  }

  pid_t pid_ = 0;
  base::UniqueFd directory_;
};

}  // namespace allocd::test
