// SPDX-License-Identifier: Apache-2.0
#include "kernel/system.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>

#include "base/text.hpp"
#include "kernel/process_status.hpp"

namespace allocd::kernel {

namespace {

double clock_seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds(const timeval& value) {
  return static_cast<double>(value.tv_sec) + static_cast<double>(value.tv_usec) * 1e-6;
}

}  // namespace

SystemFacts read_system_facts(const host::Root& root) {
  SystemFacts facts;
  if (const auto id = root.read_file("/proc/sys/kernel/random/boot_id")) facts.boot_id = base::trim(*id);
  if (const auto limit = root.read_file("/proc/sys/vm/max_map_count")) {
    facts.max_map_count = base::parse_u64(base::trim(*limit)).value_or(0);
  }
  utsname names{};
  if (::uname(&names) == 0) {
    facts.hostname = static_cast<const char*>(names.nodename);
    facts.release = static_cast<const char*>(names.release);
  }
  return facts;
}

base::Result<base::UniqueFd> open_process_directory(const host::Root& root) {
  return root.open_directory("/proc");
}

double realtime_now() {
  return clock_seconds(CLOCK_REALTIME);
}

double monotonic_now() {
  return clock_seconds(CLOCK_MONOTONIC);
}

double since_boot_now() {
  return clock_seconds(CLOCK_BOOTTIME);
}

double start_since_boot(std::uint64_t start_ticks) {
  return static_cast<double>(start_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t read_own_resident(const host::Root& root) {
  const auto text = root.read_file("/proc/self/status");
  if (!text) return 0;
  const auto status = parse_process_status(*text);
  return status ? status->resident : 0;
}

StartClock::StartClock() : boot_realtime_(realtime_now() - since_boot_now()) {
}

double StartClock::to_realtime(std::uint64_t start_ticks) const {
  return boot_realtime_ + start_since_boot(start_ticks);
}

}  // namespace allocd::kernel
