// SPDX-License-Identifier: Apache-2.0
// systemd's own view of the units we care about, kept fresh by signals.
//
// One long-lived sd-bus connection on one sd-event loop. Every call is asynchronous and has a deadline;
// one GetAll per unit over all its interfaces, never a call per property. After Subscribe() the view follows
// PropertiesChanged, UnitNew, UnitRemoved and Reloading (between Reloading(true) and Reloading(false)
// unit signals are ignored and everything is read again). Bursts are debounced. When the bus goes away
// the last view is kept, `state().connected` is false, and we reconnect with back-off.
//
// Read-only: nothing here changes a unit. Single-threaded, on the loop. org.freedesktop.systemd1(5).
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace allocd::host {

struct EnvironmentFile {
  std::string path;
  bool ignore_missing = false;
  bool operator==(const EnvironmentFile&) const = default;
};

// BindPaths= or BindReadOnlyPaths=: what of the host a unit sees at which place.
struct BindPath {
  std::string source;
  std::string destination;
  bool operator==(const BindPath&) const = default;
};

// Values as org.freedesktop.systemd1.Unit and .Service give them. Timestamps are CLOCK_REALTIME
// microseconds, those called monotonic CLOCK_MONOTONIC; 0 for "never".
struct UnitFacts {
  std::string name;
  std::string load_state;    // loaded, not-found, masked, error, bad-setting
  std::string active_state;  // active, activating, inactive, failed, ...
  std::string sub_state;
  std::string unit_file_state;
  std::string fragment_path;
  std::string source_path;  // e.g. the quadlet a unit was generated from
  std::vector<std::string> drop_in_paths;
  std::string control_group;  // "/system.slice/vllm.service", "" while the unit is down
  std::uint32_t main_pid = 0;
  std::uint32_t restarts = 0;  // NRestarts
  std::string invocation_id;   // 32 hex digits
  std::uint64_t active_enter_usec = 0;
  std::uint64_t inactive_exit_usec = 0;
  std::uint64_t main_start_usec = 0;  // ExecMainStartTimestamp
  std::string result;                 // how it last ended: success, exit-code, signal, timeout, ...
  std::uint64_t active_enter_monotonic = 0;
  std::uint64_t active_exit_monotonic = 0;
  std::uint64_t inactive_exit_monotonic = 0;
  std::uint64_t main_exit_monotonic = 0;  // ExecMainExitTimestampMonotonic; 0 while the main process runs
  bool need_daemon_reload = false;
  std::vector<std::string> environment;  // "NAME=value"
  std::vector<EnvironmentFile> environment_files;
  std::vector<std::string> unset_environment;
  std::vector<std::string> pass_environment;
  std::vector<std::vector<std::string>> exec_start;  // argv of each ExecStart=, path first
  std::string root_directory;
  std::string root_image;
  std::vector<BindPath> bind_paths;  // read-only ones too
  bool no_new_privileges = false;
  bool delegate = false;
  std::optional<int> numa_policy;   // NUMAPolicy=, as set_mempolicy(2) counts them; nothing: not set
  std::vector<unsigned> numa_mask;  // NUMAMask=, nodes, rising
  std::vector<unsigned>
      cpu_affinity;  // CPUAffinity=, rising; of "numa" the CPUs of numa_mask; empty: not set

  bool operator==(const UnitFacts&) const = default;
};

// Which units to keep facts of. A name that does not exist is kept with load_state "not-found".
struct UnitSelection {
  std::vector<std::string> names;     // exact: "vllm.service", "vllm@a.service"
  std::vector<std::string> patterns;  // globs over loaded units: "vllm@*.service"
  // Over every other loaded .service unit; empty selects none. Called with complete facts.
  std::function<bool(const UnitFacts&)> accepts;
};

struct BusState {
  bool connected = false;  // to the bus, and systemd owns its name there
  // Every selected unit has been answered for since the last (re)connect or selection; an error is an answer
  // (the unit keeps its last facts, or stays absent), a timeout is not.
  bool complete = false;
  // When systemd last read its unit files again (daemon-reload, daemon-reexec), CLOCK_REALTIME; 0 when it has
  // not since it started, or does not say (before version 250). As new as the facts it is read with.
  std::uint64_t units_load_usec = 0;
  // systemd's own environment ("NAME=value"): DefaultEnvironment= and `systemctl set-environment`, as of the
  // last time it was connected to or read its unit files again; empty when it does not say.
  std::vector<std::string> manager_environment;
  std::string systemd_version;  // "252.39-1~deb12u1", read at the same times
  std::uint64_t reconnects = 0;
  std::uint64_t timeouts = 0;  // calls that met their deadline
  std::uint64_t errors = 0;    // calls that failed otherwise
  std::string last_error;
};

class UnitManager {
 public:
  virtual ~UnitManager() = default;
  // Replaces the selection; `state().complete` turns false until it has been read.
  virtual void select(UnitSelection selection) = 0;
  // By unit name; of a unit selected by an alias, that is the alias. Valid until the loop runs again or
  // `select` is called.
  [[nodiscard]] virtual const std::map<std::string, UnitFacts>& units() const = 0;
  [[nodiscard]] virtual const BusState& state() const = 0;
};

struct BusOptions {
  std::string address;  // D-Bus address; "" is the system bus
  std::chrono::milliseconds call_deadline{5000};
  std::chrono::milliseconds debounce{150};
  std::chrono::milliseconds reconnect_min{200};
  std::chrono::milliseconds reconnect_max{10000};
  std::chrono::milliseconds repair{60000};           // until what failed is read again without a signal
  std::chrono::milliseconds reload_deadline{30000};  // longest Reloading(true) that is believed
  std::size_t max_in_flight = 16;
};

// `on_change` is called from the loop after the view has changed (debounced), also when the connection
// state did. Never fails for want of a bus: it keeps trying.
[[nodiscard]] base::Result<std::unique_ptr<UnitManager>> make_unit_manager(sd_event* loop,
                                                                           const BusOptions& options,
                                                                           std::function<void()> on_change);

}  // namespace allocd::host
