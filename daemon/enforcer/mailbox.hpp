// SPDX-License-Identifier: Apache-2.0
// How allocctl and the enforcer hand each other requests and reports: files in the enforcer's run directory,
// which root alone can enter.
//
// A request is taken (removed) only after its report has been written: one that was being carried out when
// the enforcer was killed is carried out by the next. Both sides are root; neither trusts a file that is not.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "enforcer/request.hpp"
#include "host/root.hpp"

namespace allocd::enforcer {

inline constexpr const char* kRunDirectory = "/run/allocd-enforcer";

class Mailbox {
 public:
  Mailbox(const host::Root& root, std::string directory) : root_(root), directory_(std::move(directory)) {}

  // Makes the directories (0700) where they are missing.
  [[nodiscard]] base::Result<void> prepare() const;

  // The operator's side.
  [[nodiscard]] base::Result<void> post(const Request& request) const;
  // Nothing yet: ENOENT. The report is removed when it has been read.
  [[nodiscard]] base::Result<Report> collect(const std::string& id) const;
  void withdraw(const std::string& id) const;

  // The enforcer's side. The ids in the box, in the order of their making.
  [[nodiscard]] std::vector<std::string> waiting() const;
  // Requests in the order of their making. What cannot be understood is answered at once, and so is what has
  // lain there for more than 15 minutes: whoever agreed to it saw the plan of then.
  [[nodiscard]] std::vector<Request> pending() const;
  [[nodiscard]] base::Result<void> answer(const Report& report) const;
  // Removes reports that nobody has collected for a day: whoever asked is gone.
  void forget_old_reports() const;

 private:
  void refuse(const std::string& id, std::string why) const;

  const host::Root& root_;
  std::string directory_;
};

}  // namespace allocd::enforcer
