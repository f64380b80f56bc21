// SPDX-License-Identifier: Apache-2.0
// The calling thread looks at files as somebody without rights while this lives. For tests that run as root,
// to whom no mode of a file says no. setfsuid(2): a thread whose file system uid is not 0 has none of root's
// capabilities over files.
#pragma once

#include <sys/fsuid.h>

namespace allocd::test {

class WithoutRights {
 public:
  WithoutRights() : user_(::setfsuid(kNobody)) {}
  ~WithoutRights() { ::setfsuid(static_cast<uid_t>(user_)); }
  WithoutRights(const WithoutRights&) = delete;
  WithoutRights& operator=(const WithoutRights&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  int user_;  // for other users than root nothing changes
};

}  // namespace allocd::test
