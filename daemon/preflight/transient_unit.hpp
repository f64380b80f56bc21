// SPDX-License-Identifier: Apache-2.0
// One transient service on a synchronous bus connection: started, waited for, asked how it ended, released.
//
// Every call has a deadline. While it runs, the caller's capture is drained. The destructor kills and
// releases what still runs. Used by systemd_runner.cpp alone.
#pragma once

#include <systemd/sd-bus.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "host/bus_handles.hpp"
#include "preflight/capture.hpp"

namespace allocd::preflight {

struct TransientService {
  std::string name;
  std::string description;
  std::string program;
  std::vector<std::string> environment;
  std::chrono::milliseconds time_limit{};
  int output_fd = -1;
  int errors_fd = -1;
};

// Service.Result, ExecMainCode (CLD_...) and ExecMainStatus.
struct ServiceEnd {
  std::string result;
  std::int32_t code = 0;
  std::int32_t status = 0;
};

class TransientUnit {
 public:
  TransientUnit(std::string address, std::chrono::milliseconds call_deadline)
      : address_(std::move(address)), deadline_(call_deadline) {}
  ~TransientUnit();
  TransientUnit(const TransientUnit&) = delete;
  TransientUnit& operator=(const TransientUnit&) = delete;

  [[nodiscard]] base::Result<void> connect();
  [[nodiscard]] base::Result<void> start(const TransientService& service);
  // True when its job ended within `limit` and without a flood, false when it did not.
  [[nodiscard]] base::Result<bool> wait(Capture& capture, std::chrono::milliseconds limit);
  [[nodiscard]] base::Result<ServiceEnd> read_end();
  // SIGKILL to every process of it.
  void kill();

 private:
  [[nodiscard]] base::Result<host::MessageHandle> call(sd_bus_message* message, const char* what);
  [[nodiscard]] base::Result<host::MessageHandle> call_manager(const char* member,
                                                               const std::string& argument);
  [[nodiscard]] int process();
  static int on_job_removed(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;

  std::string address_;
  std::chrono::milliseconds deadline_;
  host::BusHandle bus_;
  host::SlotHandle job_slot_;  // after bus_: released first
  std::string name_;           // "" while there is nothing to release
  std::string job_;
  std::vector<std::string> removed_jobs_;  // heard of before the answer told our job's name
};

}  // namespace allocd::preflight
