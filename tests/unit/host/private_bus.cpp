// SPDX-License-Identifier: Apache-2.0
#include "private_bus.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"

namespace allocd::test {

PrivateBus::PrivateBus() {
  std::string name = std::filesystem::temp_directory_path() / "allocd-bus-XXXXXX";
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  directory_ = name;
  std::ofstream(directory_ + "/bus.conf")
      << "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
         "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
         "<busconfig><type>custom</type><listen>"
      << address()
      << "</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\" "
         "eavesdrop=\"false\"/><allow receive_sender=\"*\"/><allow own=\"*\"/><allow user=\"*\"/></policy>"
         "</busconfig>\n";
  start();
}

PrivateBus::~PrivateBus() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

// The daemon prints its address once it listens; that line is what we wait for.
void PrivateBus::start() {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const base::UniqueFd reader(ends[0]);
  base::UniqueFd writer(ends[1]);
  std::string program = "dbus-daemon";
  std::string config = "--config-file=" + directory_ + "/bus.conf";
  std::string nofork = "--nofork";
  std::string print = "--print-address=3";
  std::array<char*, 5> argv{program.data(), config.data(), nofork.data(), print.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), 3);
  // It says that it may not raise its limit of files, each time; what else it says is shown on failure.
  const std::string log = directory_ + "/log";
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int error = ::posix_spawnp(&pid_, "dbus-daemon", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  INFO("the dbus-daemon program (Debian package dbus-daemon) is needed");
  REQUIRE(error == 0);
  writer.reset();
  char byte = 0;
  const bool listens = ::read(reader.get(), &byte, 1) == 1;
  std::stringstream said;
  said << std::ifstream(log).rdbuf();
  INFO(said.str());
  REQUIRE(listens);
}

void PrivateBus::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void PrivateBus::freeze(bool frozen) const {
  ::kill(pid_, frozen ? SIGSTOP : SIGCONT);
}

}  // namespace allocd::test
