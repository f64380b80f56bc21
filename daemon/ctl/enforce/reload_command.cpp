// SPDX-License-Identifier: Apache-2.0
#include "ctl/enforce/reload_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/text.hpp"
#include "ctl/terminal_text.hpp"
#include "host/systemd_control.hpp"
#include "snapshot/client.hpp"

namespace allocd::ctl {

namespace {

using snapshot::Snapshot;
using Clock = std::chrono::steady_clock;

constexpr const char* kObserverUnit = "allocd.service";

base::Result<Snapshot> fetch(const CommandLine& line) {
  return snapshot::fetch({.socket_path = line.socket, .deadline = line.timeout},
                         snapshot::Detail::without_processes);
}

// A sample may take its time; three of them and some seconds will show it.
Clock::duration patience_for(const Snapshot& before) {
  constexpr std::chrono::seconds kExtra{10};
  const std::chrono::duration<double> samples{3 * std::clamp(before.interval, 0.0, 3600.0)};
  return kExtra + std::chrono::duration_cast<Clock::duration>(samples);
}

Answer describe(const Snapshot& now, bool loaded) {
  if (loaded) return {kDone, "allocd has loaded its configuration\n", ""};
  std::string problems;
  for (std::string_view rest = now.config.error; !rest.empty();)
    problems += printable(base::take_line(rest), false) + "\n";
  return {kBadConfiguration, "", problems + "allocctl: allocd keeps the configuration it had\n"};
}

Answer await(const CommandLine& line, const Snapshot& before) {
  constexpr std::chrono::milliseconds kPause{200};
  const auto until = Clock::now() + patience_for(before);
  while (Clock::now() < until) {
    const auto now = fetch(line);
    // It may be between two listens; what stays is told below.
    const auto loaded = now ? decide_reload(before, *now) : std::nullopt;
    if (loaded) return describe(*now, *loaded);
    std::this_thread::sleep_for(kPause);
  }
  return {kUnreachable, "",
          fmt::format("allocctl: no sample shows the new configuration yet\n"
                      "allocctl: try: journalctl -u {}\n",
                      kObserverUnit)};
}

}  // namespace

std::optional<bool> decide_reload(const Snapshot& before, const Snapshot& now) {
  if (now.config.last_success_at > before.config.last_success_at) return true;
  if (now.config.last_reload_successful) return std::nullopt;
  // The same failure as before is a new one only in a sample that was begun after the signal.
  const bool is_new = before.config.last_reload_successful || now.config.error != before.config.error ||
                      now.sequence > before.sequence + 1;
  return is_new ? std::optional(false) : std::nullopt;
}

Answer run_reload(const CommandLine& line) {
  CommandLine all;
  all.places = line.places;
  if (auto checked = check_config(all); checked.code != kDone) return {checked.code, "", checked.err};
  const auto before = line.wait ? fetch(line) : base::Result<Snapshot>(Snapshot{});
  if (!before) return answer_without_snapshot(before.error());
  host::SystemdControl control({.address = line.places.bus_address});
  if (auto reloaded = control.reload_unit(kObserverUnit); !reloaded) return answer_fault(reloaded.error());
  return line.wait ? await(line, *before) : Answer{kDone, "", ""};
}

}  // namespace allocd::ctl
