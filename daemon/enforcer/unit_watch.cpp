// SPDX-License-Identifier: Apache-2.0
#include "enforcer/unit_watch.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace allocd::enforcer {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

base::Result<std::unique_ptr<UnitWatch>> UnitWatch::open(const std::string& bus_address) {
  std::unique_ptr<UnitWatch> watch(new UnitWatch());
  if (const int error = sd_event_new(&watch->loop_); error < 0)
    return base::fault_from_errno("create", "an event loop", -error);
  host::BusOptions options{.address = bus_address};
  options.debounce = std::chrono::milliseconds(20);  // nobody is spared by waiting longer: we end soon
  auto manager =
      host::make_unit_manager(watch->loop_, options, [self = watch.get()] { self->changed_ = true; });
  if (!manager) return std::unexpected(manager.error());
  watch->manager_ = std::move(*manager);
  return watch;
}

UnitWatch::~UnitWatch() {
  manager_.reset();  // the bus must go before the loop does
  sd_event_unref(loop_);
}

void UnitWatch::run_once(Clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(until - Clock::now()).count();
  (void)sd_event_run(loop_, static_cast<std::uint64_t>(std::max<std::int64_t>(left, 0)));
}

base::Result<void> UnitWatch::read(const host::UnitSelection& selection, std::chrono::milliseconds limit) {
  const auto until = Clock::now() + limit;
  manager_->select(selection);
  while (!manager_->state().complete && Clock::now() < until) run_once(until);
  if (manager_->state().complete) return {};
  const auto& state = manager_->state();
  return base::fault("read", "systemd's view of the units",
                     !state.last_error.empty() ? state.last_error : "no answer within the time limit");
}

void UnitWatch::follow(std::chrono::milliseconds time) {
  const auto until = Clock::now() + time;
  changed_ = false;
  do run_once(until);
  while (!changed_ && Clock::now() < until);
}

}  // namespace allocd::enforcer
