// SPDX-License-Identifier: Apache-2.0
// systemd's view of units for a program without a loop of its own: ask, wait, look.
//
// Blocking, each wait with a limit. Single-threaded.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "host/unit_manager.hpp"

namespace allocd::enforcer {

class UnitWatch {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<UnitWatch>> open(const std::string& bus_address);
  ~UnitWatch();
  UnitWatch(const UnitWatch&) = delete;
  UnitWatch& operator=(const UnitWatch&) = delete;

  // Reads every unit of the selection anew. A fault when systemd has not answered for all within `limit`.
  [[nodiscard]] base::Result<void> read(const host::UnitSelection& selection,
                                        std::chrono::milliseconds limit);
  // Follows systemd's signals for `time`, or until something has changed.
  void follow(std::chrono::milliseconds time);
  [[nodiscard]] const std::map<std::string, host::UnitFacts>& units() const { return manager_->units(); }

 private:
  UnitWatch() = default;
  void run_once(std::chrono::steady_clock::time_point until);

  sd_event* loop_ = nullptr;
  std::unique_ptr<host::UnitManager> manager_;
  bool changed_ = false;
};

}  // namespace allocd::enforcer
