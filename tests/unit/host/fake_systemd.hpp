// SPDX-License-Identifier: Apache-2.0
// A stand-in for org.freedesktop.systemd1 on a private bus, on the test's own loop: no thread, no sleep.
//
// Like systemd it answers GetAll for a unit that is not in memory by loading it, announcing it, collecting it
// and announcing that. It can hold answers back, answer nonsense, burst signals, give up its name and die.
#pragma once

#include <systemd/sd-event.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host/bus_handles.hpp"

namespace allocd::test {

struct FakeUnit {
  std::string load_state = "loaded";
  std::string active_state = "active";
  std::uint32_t main_pid = 100;
  std::vector<std::string> argv{"/usr/bin/vllm", "serve"};
  std::int32_t numa_policy = 2;
  std::string alias_of;     // another unit answers for this name
  bool in_memory = true;    // listed; not collected after a read
  bool wrong_type = false;  // MainPID comes as a string
  bool refused = false;     // an error instead of properties
};

class FakeSystemd {
 public:
  FakeSystemd(sd_event* loop, std::string address);
  FakeSystemd(const FakeSystemd&) = delete;
  FakeSystemd& operator=(const FakeSystemd&) = delete;

  void connect();  // and take the name
  void disconnect();
  void release_name();
  void take_name();

  // Units in /etc, so to say; others do not exist.
  std::map<std::string, FakeUnit> units;
  std::set<std::string> held;   // units whose GetAll gets no answer
  std::uint64_t load_usec = 0;  // UnitsLoadTimestamp; 0: it has no such property
  bool hold_lists = false;      // ListUnits and ListUnitsByPatterns get no answer
  // Seen so far.
  std::string client;  // bus name of the last subscriber
  int subscriptions = 0;
  int lists = 0;
  std::map<std::string, int> reads;
  std::size_t most_held = 0;  // most calls that waited at one moment

  void release_held(const std::string& name);  // answers what waits for it

  void emit_new(const std::string& name) { emit_unit("UnitNew", name); }
  void emit_removed(const std::string& name) { emit_unit("UnitRemoved", name); }
  void emit_changed(const std::string& name);
  void emit_job_removed(const std::string& name);
  void emit_reloading(bool active);
  void emit_unit_files_changed();

 private:
  static int on_message(sd_bus_message* message, void* self, sd_bus_error* error);
  int answer(sd_bus_message* call);
  int answer_get_all(sd_bus_message* call);
  int reply_properties(sd_bus_message* call, const std::string& name);
  int reply_list(sd_bus_message* call, const std::vector<std::string>& patterns);
  void emit_unit(const char* member, const std::string& name);
  void send(sd_bus_message* signal);

  sd_event* loop_;
  std::string address_;
  allocd::host::BusHandle bus_;
  allocd::host::SlotHandle filter_;
  std::map<std::string, std::vector<allocd::host::MessageHandle>> waiting_;
};

}  // namespace allocd::test
