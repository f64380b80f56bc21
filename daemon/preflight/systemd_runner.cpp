// SPDX-License-Identifier: Apache-2.0
#include "preflight/systemd_runner.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdint>

#include "preflight/capture.hpp"
#include "preflight/transient_unit.hpp"

namespace allocd::preflight {

namespace {

// systemd ends the unit at the limit; past this much more, we stop believing that it will.
constexpr std::chrono::seconds kGrace{5};
// What systemd exits with when it could not set the program up: EXIT_CHDIR and up (systemd.exec(5)).
constexpr int kFirstSetupFailure = 200;

CanaryRun not_run(std::string why) {
  CanaryRun run;
  run.why_not_run = std::move(why);
  return run;
}

std::string random_name() {
  std::uint64_t number = 0;
  while (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) {
  }
  return fmt::format("allocd-canary-{:016x}.service", number);
}

CanaryRun to_run(const ServiceEnd& end, const CanaryOptions& options) {
  CanaryRun run;
  run.status = end.status;
  if (end.code == CLD_EXITED) {
    run.ending = Ending::exited;
    if (end.status >= kFirstSetupFailure) {
      return not_run(fmt::format("systemd could not run {} (exit status {}, result {})", options.canary,
                                 end.status, end.result));
    }
  } else if (end.result == "timeout") {
    run.ending = Ending::timed_out;
  } else if (end.code == CLD_KILLED || end.code == CLD_DUMPED) {
    run.ending = Ending::killed;
  } else {
    return not_run(fmt::format("systemd did not run {} (result {})", options.canary, end.result));
  }
  return run;
}

CanaryRun wait_and_read(TransientUnit& unit, Capture& capture, const CanaryOptions& options) {
  const auto ended = unit.wait(capture, options.time_limit + kGrace);
  if (!ended) return not_run(ended.error().message());
  if (!*ended) {
    unit.kill();
    CanaryRun run;
    run.ending = Ending::timed_out;
    return run;
  }
  const auto end = unit.read_end();
  return end ? to_run(*end, options) : not_run(end.error().message());
}

}  // namespace

CanaryRun SystemdRunner::run(const CanaryOptions& options) {
  auto capture = Capture::open(options.output_limit);
  if (!capture) return not_run(capture.error().message());
  TransientService service;
  service.name = random_name();
  service.description = "Trial of an allocator library by allocd";
  service.program = options.canary;
  service.environment = options.environment;
  if (!options.preload.empty()) service.environment.push_back("LD_PRELOAD=" + options.preload);
  service.time_limit = options.time_limit;
  service.output_fd = capture->output_fd();
  service.errors_fd = capture->errors_fd();

  TransientUnit unit(options_.address, options_.call_deadline);
  if (auto connected = unit.connect(); !connected) return not_run(connected.error().message());
  if (auto started = unit.start(service); !started) return not_run(started.error().message());
  capture->close_write_ends();
  CanaryRun run = wait_and_read(unit, *capture, options);
  capture->drain();
  run.flooded = capture->flooded();
  run.output = std::move(capture->output());
  run.errors = std::move(capture->errors());
  return run;
}

}  // namespace allocd::preflight
