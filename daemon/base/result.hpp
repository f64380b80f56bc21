// SPDX-License-Identifier: Apache-2.0
// Results and faults.
//
// Three kinds of things go wrong (ARCHITECTURE.md, "Errors"):
//   outcome - expected and named by its module as an enum or variant; the caller must handle it;
//   fault   - `Result<T>` below: what was being done, where, and the cause. Passed up, logged once at the
//   top; bug     - assert, abort, let systemd restart us.
// Nothing here logs. Pure; safe from any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace allocd::base {

// What was being done ("read", "connect to"), where (path, unit, address) and why it failed.
struct Fault {
  std::string what;
  std::string where;
  std::string cause;
  int code = 0;  // errno value when the cause was one, else 0

  // "cannot WHAT WHERE: CAUSE", one line.
  [[nodiscard]] std::string message() const;
};

template <typename T>
using Result = std::expected<T, Fault>;

// A fault from an errno value; the text is strerror's, without the locale.
[[nodiscard]] std::unexpected<Fault> fault_from_errno(std::string_view what, std::string_view where,
                                                      int error);
[[nodiscard]] std::unexpected<Fault> fault(std::string_view what, std::string_view where,
                                           std::string_view cause);

}  // namespace allocd::base
