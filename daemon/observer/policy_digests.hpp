// SPDX-License-Identifier: Apache-2.0
// What the policy of a service comes to on this host, the library's file included, so that a replaced library
// is noticed: by the same digest that the enforcer's latch depends on.
//
// Reading one reads the library's symbols: it is done when the policy has changed, else once in a while.
// Single-threaded, on the loop.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "enforcer/digest.hpp"
#include "settings/settings.hpp"

namespace allocd::observer {

class PolicyDigests {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Read = std::function<enforcer::Digest(const settings::Service&, const std::string& root_directory)>;
  explicit PolicyDigests(Read read) : read_(std::move(read)) {}

  // At most `age` old. Valid until the next call.
  [[nodiscard]] const enforcer::Digest& look(const settings::Service& service,
                                             const std::string& root_directory, Time now,
                                             std::chrono::milliseconds age);

 private:
  struct Known {
    settings::Service service;
    enforcer::Digest digest;
    Time read_at;
  };
  Read read_;
  std::map<std::pair<std::string, std::string>, Known> known_;  // by service and root directory
};

}  // namespace allocd::observer
