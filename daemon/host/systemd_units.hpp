// SPDX-License-Identifier: Apache-2.0
// The UnitManager over sd-bus: turns systemd's signals and answers into events of a UnitView.
//
// Owns the connection, the matches, the calls and the timers; decides nothing about units itself (UnitView
// does). Signals count only when they come from the owner of org.freedesktop.systemd1: any local user may
// send us signals that look like them. Single-threaded, on the loop.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/bus_calls.hpp"
#include "host/bus_connection.hpp"
#include "host/event_timer.hpp"
#include "host/unit_manager.hpp"
#include "host/unit_view.hpp"

namespace allocd::host {

class SystemdUnits final : public UnitManager, private BusListener {
 public:
  SystemdUnits(sd_event* loop, const BusOptions& options, std::function<void()> on_change);

  // 0 or a negative errno value.
  [[nodiscard]] int start(sd_event* loop);

  void select(UnitSelection selection) override;
  [[nodiscard]] const std::map<std::string, UnitFacts>& units() const override { return view_.units(); }
  [[nodiscard]] const BusState& state() const override { return state_; }

 private:
  void bus_connected(sd_bus* bus) override;
  void bus_lost(std::string_view why) override;

  // systemd on the bus
  [[nodiscard]] int add_matches(sd_bus* bus);
  void ask_owner();
  void set_owner(std::string owner);
  void subscribe();
  void ask_manager();

  // reading
  void read_due();
  void list_units();
  void take_list(const CallReply& reply);
  void read_unit(const std::string& name);
  void take_unit(const std::string& name, const CallReply& reply);
  void count_failure(const CallReply& reply);

  // signals
  void begin_reload(bool active);
  void on_unit_event(void (UnitView::*event)(const std::string&), const std::string& name);
  [[nodiscard]] bool is_from_systemd(sd_bus_message* message) const;
  static int on_name_owner(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  static int on_properties(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;
  static int on_manager_signal(sd_bus_message* message, void* self, sd_bus_error* error) noexcept;

  // timers
  void on_repair();
  void on_notify();
  void publish(bool state_changed = false);

  BusOptions options_;
  std::function<void()> on_change_;
  BusState state_;
  UnitView view_;
  std::string owner_;  // unique bus name of systemd, "" while it has none
  bool reloading_ = false;
  bool subscribe_failed_ = false;
  bool was_connected_ = false;
  EventTimer debounce_;
  EventTimer notify_;
  EventTimer repair_;
  EventTimer reload_guard_;
  // Destroyed in this order, from below: matches and calls hold slots on the connection's bus.
  BusConnection connection_;
  BusCalls calls_;
  std::vector<SlotHandle> matches_;
};

}  // namespace allocd::host
