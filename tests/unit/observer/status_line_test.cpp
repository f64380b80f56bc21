// SPDX-License-Identifier: Apache-2.0
#include "observer/status_line.hpp"

#include "support/catch.hpp"

using namespace allocd;

TEST_CASE("status line: counts, and what is wrong") {
  snapshot::Snapshot snapshot;
  snapshot.bus.connected = true;
  CHECK(observer::render_status_line(snapshot) == "Watching 0 units, 0 processes");
  snapshot::Unit unit;
  unit.processes.resize(2);
  unit.assessment.state = policy::State::compliant;
  snapshot.units.push_back(unit);
  unit.assessment.state = policy::State::violation;
  unit.processes.resize(1);
  snapshot.units.push_back(unit);
  CHECK(observer::render_status_line(snapshot) == "Watching 2 units, 3 processes: 1 compliant, 1 violation");
  snapshot.bus.connected = false;
  snapshot.config.last_reload_successful = false;
  CHECK(observer::render_status_line(snapshot).ends_with(
      "; systemd is out of reach; the last reload was rejected"));
}
