// SPDX-License-Identifier: Apache-2.0
// Pressure stall information, Documentation/accounting/psi.rst: /proc/pressure/memory and memory.pressure of
// a control group.
//
// Sample: `some avg10=0.00 avg60=1.25 avg300=0.40 total=1234567`
//         `full avg10=0.00 avg60=0.75 avg300=0.20 total=234567`
// A kernel booted with psi=0 (the default of some distributions) hides the file or answers the read with
// EOPNOTSUPP; both are the caller's to tell from a file that is broken. Text without its last newline was cut
// short and is no pressure. Pure; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace allocd::kernel {

struct PressureLine {
  double avg10 = 0;  // percent of the last 10 s, 60 s, 300 s
  double avg60 = 0;
  double avg300 = 0;
  std::uint64_t total_microseconds = 0;
  bool operator==(const PressureLine&) const = default;
};

struct Pressure {
  PressureLine some;                 // at least one task waited
  std::optional<PressureLine> full;  // all of them did; the node's cpu file has no such line before 5.13
  bool operator==(const Pressure&) const = default;
};

[[nodiscard]] std::optional<Pressure> parse_pressure(std::string_view text);

}  // namespace allocd::kernel
