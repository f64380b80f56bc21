// SPDX-License-Identifier: Apache-2.0
#include "host/systemd_units.hpp"

#include <memory>
#include <string_view>
#include <utility>

#include "host/systemd_interface.hpp"
#include "host/unit_properties.hpp"

namespace allocd::host {

SystemdUnits::SystemdUnits(sd_event* loop, const BusOptions& options, std::function<void()> on_change)
    : options_(options),
      on_change_(std::move(on_change)),
      connection_(loop, options_, *this),
      calls_(options_.call_deadline, options_.max_in_flight) {
}

int SystemdUnits::start(sd_event* loop) {
  int result = debounce_.open(loop, [this] { read_due(); });
  if (result >= 0) result = notify_.open(loop, [this] { on_notify(); });
  if (result >= 0) result = repair_.open(loop, [this] { on_repair(); });
  if (result >= 0) result = reload_guard_.open(loop, [this] { begin_reload(false); });
  return result < 0 ? result : connection_.start();
}

void SystemdUnits::select(UnitSelection selection) {
  view_.select(std::move(selection));
  state_.complete = view_.complete();
  if (!owner_.empty()) debounce_.arm(std::chrono::milliseconds(0));
}

// ---- the bus and systemd on it

void SystemdUnits::bus_connected(sd_bus* bus) {
  calls_.attach(bus);
  if (const int result = add_matches(bus); result < 0) {
    ++state_.errors;
    state_.last_error = base::fault_from_errno("watch", kSystemd, -result).error().message();
  }
  if (was_connected_) ++state_.reconnects;
  was_connected_ = true;
  ask_owner();
}

void SystemdUnits::bus_lost(std::string_view why) {
  matches_.clear();
  calls_.detach();
  state_.last_error = why;
  set_owner("");
}

// A match the bus refuses closes the connection (sd_bus_add_match_async(3)), and we try again.
int SystemdUnits::add_matches(sd_bus* bus) {
  const auto add = [&](const char* rule, sd_bus_message_handler_t handler) {
    sd_bus_slot* slot = nullptr;
    const int result = sd_bus_add_match_async(bus, &slot, rule, handler, nullptr, this);
    if (result >= 0) matches_.emplace_back(slot);
    return result;
  };
  int result = add(kNameOwnerRule, &SystemdUnits::on_name_owner);
  if (result >= 0) result = add(kPropertiesRule, &SystemdUnits::on_properties);
  for (const std::string_view member :
       {"UnitNew", "UnitRemoved", "JobRemoved", "Reloading", "UnitFilesChanged"}) {
    if (result >= 0) result = add(manager_rule(member).c_str(), &SystemdUnits::on_manager_signal);
  }
  return result;
}

// The match on NameOwnerChanged was sent before, so no change of owner is missed.
void SystemdUnits::ask_owner() {
  BusCall call{
      .destination = kBus, .path = "/org/freedesktop/DBus", .interface = kBus, .member = "GetNameOwner"};
  call.append = [](sd_bus_message* message) { return sd_bus_message_append(message, "s", kSystemd); };
  calls_.call(std::move(call), [this](const CallReply& reply) {
    const char* owner = nullptr;
    if (reply.outcome == CallOutcome::answered && sd_bus_message_read(reply.message, "s", &owner) > 0) {
      if (owner_.empty()) set_owner(owner);
    } else if (reply.error_name != SD_BUS_ERROR_NAME_HAS_NO_OWNER) {
      count_failure(reply);
    }
  });
}

// A new owner is a systemd that has executed itself again, or come back with the bus: it knows no subscriber.
void SystemdUnits::set_owner(std::string owner) {
  if (owner == owner_) return;
  owner_ = std::move(owner);
  reloading_ = false;
  reload_guard_.disarm();
  calls_.drop_all();
  view_.abandon_reads();
  if (state_.connected = !owner_.empty(); state_.connected) {
    view_.begin_round();
    subscribe();
    ask_manager();
    debounce_.arm(std::chrono::milliseconds(0));
  }
  publish(true);
}

void SystemdUnits::subscribe() {
  subscribe_failed_ = false;
  calls_.call(manager_call("Subscribe"), [this](const CallReply& reply) {
    constexpr std::string_view kAlready = "org.freedesktop.systemd1.AlreadySubscribed";
    if (reply.outcome == CallOutcome::answered || reply.error_name == kAlready) return;
    subscribe_failed_ = true;
    count_failure(reply);
  });
}

// Answered before the units that are read after it. A systemd that has no such property refuses: then it is
// not known, which is no failure.
void SystemdUnits::ask_manager() {
  calls_.call(load_time_call(), [this](const CallReply& reply) {
    std::uint64_t usec = 0;
    if (reply.outcome == CallOutcome::timed_out) {
      count_failure(reply);
    } else if (reply.outcome == CallOutcome::answered && parse_load_time(reply.message, usec) == 0) {
      state_.units_load_usec = usec;
    }
  });
  calls_.call(environment_call(), [this](const CallReply& reply) {
    std::vector<std::string> environment;
    if (reply.outcome == CallOutcome::timed_out) {
      count_failure(reply);
    } else if (reply.outcome == CallOutcome::answered && parse_environment(reply.message, environment) == 0) {
      state_.manager_environment = std::move(environment);
    }
  });
  calls_.call(version_call(), [this](const CallReply& reply) {
    std::string version;
    if (reply.outcome == CallOutcome::timed_out) {
      count_failure(reply);
    } else if (reply.outcome == CallOutcome::answered && parse_version(reply.message, version) == 0) {
      state_.systemd_version = std::move(version);
    }
  });
}

// ---- reading

void SystemdUnits::read_due() {
  if (owner_.empty() || reloading_) return;
  if (view_.take_list_due()) list_units();
  for (const std::string& name : view_.take_due()) read_unit(name);
  publish();
}

void SystemdUnits::list_units() {
  const auto take = [this](const CallReply& reply) { take_list(reply); };
  if (view_.wants_all_names()) {
    calls_.call(manager_call("ListUnits"), take);
    return;
  }
  const auto append = [this](sd_bus_message* call) { return append_patterns(call, view_.patterns()); };
  calls_.call(manager_call("ListUnitsByPatterns", append), take);
}

void SystemdUnits::take_list(const CallReply& reply) {
  std::vector<ListedUnit> units;
  const bool answered = reply.outcome == CallOutcome::answered;
  if (!answered) {
    count_failure(reply);
    view_.list_failed(reply.outcome != CallOutcome::timed_out);
  } else if (const int result = parse_unit_list(reply.message, units); result < 0) {
    ++state_.errors;
    state_.last_error = base::fault_from_errno("read the answer of", "ListUnits", -result).error().message();
    view_.list_failed(true);
  } else {
    view_.listed(units);
  }
  read_due();
}

// GetAll over "" returns the properties of every interface of the unit, as of one moment. A unit that is not
// in memory is loaded for it, so one that does not exist answers too, with LoadState "not-found".
void SystemdUnits::read_unit(const std::string& name) {
  BusCall call{.destination = kSystemd,
               .path = unit_path(name),
               .interface = "org.freedesktop.DBus.Properties",
               .member = "GetAll"};
  call.append = [](sd_bus_message* message) { return sd_bus_message_append(message, "s", ""); };
  calls_.call(std::move(call), [this, name](const CallReply& reply) { take_unit(name, reply); });
}

void SystemdUnits::take_unit(const std::string& name, const CallReply& reply) {
  if (reply.outcome != CallOutcome::answered) {
    count_failure(reply);
    view_.read_failed(name, reply.outcome != CallOutcome::timed_out);
  } else if (auto facts = parse_unit_properties(reply.message); !facts) {
    ++state_.errors;
    state_.last_error = name + ": " + facts.error().message();
    view_.read_failed(name, true);
  } else {
    view_.read_done(name, std::move(*facts));
  }
  publish();
}

void SystemdUnits::count_failure(const CallReply& reply) {
  ++(reply.outcome == CallOutcome::timed_out ? state_.timeouts : state_.errors);
  state_.last_error = reply.error;
  repair_.arm_if_idle(options_.repair);
}

// ---- signals

// Between Reloading(true) and Reloading(false) systemd announces every unit as removed and new.
void SystemdUnits::begin_reload(bool active) {
  reloading_ = active;
  if (active) {
    reload_guard_.arm(options_.reload_deadline);
    return;
  }
  reload_guard_.disarm();
  ask_manager();
  view_.reread_all();
  debounce_.arm(options_.debounce);
}

void SystemdUnits::on_unit_event(void (UnitView::*event)(const std::string&), const std::string& name) {
  if (reloading_ || name.empty()) return;
  (view_.*event)(name);
  debounce_.arm_if_idle(options_.debounce);
}

bool SystemdUnits::is_from_systemd(sd_bus_message* message) const {
  const char* sender = sd_bus_message_get_sender(message);
  return sender != nullptr && owner_ == sender;
}

int SystemdUnits::on_name_owner(sd_bus_message* message, void* self, sd_bus_error* /*error*/) noexcept {
  const char* name = nullptr;
  const char* owner = nullptr;
  if (sd_bus_message_read(message, "sss", &name, nullptr, &owner) >= 0 &&
      std::string_view(name) == kSystemd) {
    static_cast<SystemdUnits*>(self)->set_owner(owner);
  }
  return 0;
}

int SystemdUnits::on_properties(sd_bus_message* message, void* self, sd_bus_error* /*error*/) noexcept {
  auto& units = *static_cast<SystemdUnits*>(self);
  if (units.is_from_systemd(message)) {
    units.on_unit_event(&UnitView::unit_changed, unit_name(sd_bus_message_get_path(message)));
  }
  return 0;
}

int SystemdUnits::on_manager_signal(sd_bus_message* message, void* self, sd_bus_error* /*error*/) noexcept {
  auto& units = *static_cast<SystemdUnits*>(self);
  if (!units.is_from_systemd(message)) return 0;
  const char* name = nullptr;
  const std::string_view member = sd_bus_message_get_member(message);
  if (member == "UnitNew" && sd_bus_message_read(message, "so", &name, nullptr) > 0) {
    units.on_unit_event(&UnitView::unit_new, name);
  } else if (member == "UnitRemoved" && sd_bus_message_read(message, "so", &name, nullptr) > 0) {
    units.on_unit_event(&UnitView::unit_removed, name);
  } else if (member == "JobRemoved" &&
             sd_bus_message_read(message, "uoss", nullptr, nullptr, &name, nullptr) > 0) {
    units.on_unit_event(&UnitView::unit_changed, name);
  } else if (int active = 0; member == "Reloading" && sd_bus_message_read(message, "b", &active) > 0) {
    units.begin_reload(active != 0);
  } else if (member == "UnitFilesChanged" && !units.reloading_) {
    units.begin_reload(false);  // enable and disable change UnitFileState, which has no signal of its own
  }
  return 0;
}

// ---- timers

void SystemdUnits::on_repair() {
  if (owner_.empty()) {
    ask_owner();
    return;
  }
  if (subscribe_failed_) subscribe();
  view_.retry_failed();
  read_due();
}

void SystemdUnits::on_notify() {
  const auto on_change = on_change_;  // a copy: it may destroy us
  if (on_change) on_change();
}

// Tells about changes once nothing more is on its way, or after a debounce while something is slow.
void SystemdUnits::publish(bool state_changed) {
  const bool completed = state_.complete != view_.complete();
  state_.complete = view_.complete();
  if (view_.has_failed()) repair_.arm_if_idle(options_.repair);
  const bool view_changed = view_.take_changed();
  if (state_changed || completed || view_changed) notify_.arm_if_idle(options_.debounce);
  if (notify_.armed() && calls_.idle()) notify_.arm(std::chrono::milliseconds(0));
}

base::Result<std::unique_ptr<UnitManager>> make_unit_manager(sd_event* loop, const BusOptions& options,
                                                             std::function<void()> on_change) {
  auto units = std::make_unique<SystemdUnits>(loop, options, std::move(on_change));
  if (const int result = units->start(loop); result < 0) {
    return base::fault_from_errno("start", "the unit manager", -result);
  }
  return units;
}

}  // namespace allocd::host
