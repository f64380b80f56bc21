// SPDX-License-Identifier: Apache-2.0
// A message bus of our own: a dbus-daemon on a socket in a temporary directory, which can be killed and
// started again at the same address. Needs the dbus-daemon program; starts no service.
#pragma once

#include <sys/types.h>

#include <string>

namespace allocd::test {

class PrivateBus {
 public:
  PrivateBus();
  ~PrivateBus();
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;

  void start();                    // returns when the bus accepts connections
  void stop();                     // SIGKILL
  void freeze(bool frozen) const;  // SIGSTOP, SIGCONT
  [[nodiscard]] std::string address() const { return "unix:path=" + directory_ + "/socket"; }

 private:
  std::string directory_;
  pid_t pid_ = -1;
};

}  // namespace allocd::test
