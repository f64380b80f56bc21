// SPDX-License-Identifier: Apache-2.0
// One run of the canary: a small program that uses malloc hard under the very environment that would be
// written into a service, and says whose malloc it was. What the run means is decided in verdict.hpp.
//
// A runner never runs it as root, never waits longer than the time limit and a few seconds, and leaves no
// process behind. A library under test is code: it may crash, hang, fork, or write without end.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/closed_enum.hpp"

namespace allocd::preflight {

#ifdef ALLOCD_CANARY_PATH
inline constexpr std::string_view kCanaryPath = ALLOCD_CANARY_PATH;
#endif

struct CanaryOptions {
  std::string canary;                    // path of the program
  std::string preload;                   // value of LD_PRELOAD, "" for none
  std::vector<std::string> environment;  // "NAME=value", e.g. MALLOC_CONF; nothing else is set by us
  std::chrono::milliseconds time_limit{10'000};
  std::size_t output_limit = 65'536;  // bytes of stdout and of stderr; more is a flood
};

enum class Ending { exited, killed, timed_out, not_run };
inline constexpr base::EnumNames<Ending, 4> kEndingNames{{"exited", "killed", "timed_out", "not_run"}};

struct CanaryRun {
  Ending ending = Ending::not_run;
  int status = 0;  // exit code, or signal
  std::string output;
  std::string errors;
  bool flooded = false;
  std::string why_not_run;
};

class CanaryRunner {
 public:
  virtual ~CanaryRunner() = default;
  [[nodiscard]] virtual CanaryRun run(const CanaryOptions& options) = 0;
};

}  // namespace allocd::preflight
