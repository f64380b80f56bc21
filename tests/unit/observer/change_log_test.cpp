// SPDX-License-Identifier: Apache-2.0
// From snapshot to snapshot: what is told, once, and what is not.
#include "observer/change_log.hpp"

#include <string>

#include "host/message_id.hpp"
#include "journal_record.hpp"
#include "support/catch.hpp"

using namespace allocd;
using policy::DropInState;
using policy::Reason;
using policy::State;
namespace id = host::message_id;

namespace {

class Log {
 public:
  Log() {
    sample.bus.connected = true;
    sample.units.emplace_back().name = "vllm.service";
    unit().drop_in = {
        "/d/zz-allocd.conf", DropInState::intact, true, 900, policy::DropInPhase::waiting, false};
  }
  snapshot::Unit& unit() { return sample.units.front(); }
  void is(State state, Reason reason = Reason::none) {
    unit().assessment.state = state;
    unit().assessment.reason = reason;
    log.note(sample);
  }
  void lies(DropInState state) {
    unit().drop_in.state = state;
    log.note(sample);
  }

  test::JournalRecord journal;
  snapshot::Snapshot sample;
  observer::ChangeLog log{journal};
};

}  // namespace

TEST_CASE("from applied over pending to compliant, each step is told once", "[change_log]") {
  Log it;
  it.is(State::not_applied, Reason::not_configured);
  CHECK(it.journal.messages.empty());  // how it was found
  it.is(State::pending_restart, Reason::started_before);
  it.is(State::pending_restart, Reason::started_before);
  it.is(State::inactive, Reason::unit_down);
  it.is(State::unknown, Reason::unreadable);
  it.is(State::compliant);
  it.is(State::inactive, Reason::unit_down);
  it.is(State::compliant);
  REQUIRE(it.journal.count(id::kStateChanged) == 2);
  const auto& pending = it.journal.messages[0].fields;
  CHECK(pending.at("ALLOCD_UNIT") == "vllm.service");
  CHECK(pending.at("ALLOCD_BEFORE") == "not_applied");
  CHECK(pending.at("ALLOCD_STATE") == "pending_restart");
  CHECK(pending.at("ALLOCD_REASON") == "started_before");
  CHECK(it.journal.messages[1].text == "vllm.service: was pending_restart, is compliant now.");
}

TEST_CASE("a rollback is a warning, also when it is how the unit was found", "[change_log]") {
  Log it;
  it.is(State::rolled_back, Reason::fuse);
  REQUIRE(it.journal.count(id::kStateChanged) == 1);
  CHECK(it.journal.messages[0].priority == host::Priority::warning);
}

TEST_CASE("violations keep their own messages", "[change_log]") {
  Log it;
  it.is(State::compliant);
  it.is(State::violation, Reason::overridden_by_runtime);
  it.is(State::compliant);
  CHECK(it.journal.count(id::kViolation) == 1);
  CHECK(it.journal.count(id::kViolationCleared) == 1);
  CHECK(it.journal.count(id::kStateChanged) == 0);
}

TEST_CASE("a drop-in edited by hand is told once for each edit", "[change_log]") {
  Log it;
  it.lies(DropInState::intact);
  it.lies(DropInState::tampered);
  it.lies(DropInState::unreadable);
  it.lies(DropInState::tampered);
  CHECK(it.journal.count(id::kDropInTampered) == 1);
  CHECK(it.journal.messages[0].fields.at("ALLOCD_PATH") == "/d/zz-allocd.conf");
  it.lies(DropInState::intact);
  it.lies(DropInState::tampered);
  CHECK(it.journal.count(id::kDropInTampered) == 2);
}

TEST_CASE("a deleted drop-in is told, one that the enforcer took away is not", "[change_log]") {
  Log it;
  it.lies(DropInState::intact);
  it.lies(DropInState::absent);
  REQUIRE(it.journal.count(id::kDropInTampered) == 1);
  CHECK(it.journal.messages[0].text == "vllm.service: /d/zz-allocd.conf was deleted.");

  Log other;
  other.lies(DropInState::intact);
  other.unit().drop_in.applied_at = 0;  // reverted: forgotten
  other.lies(DropInState::absent);
  CHECK(other.journal.count(id::kDropInTampered) == 0);
  other.unit().drop_in.applied_at = 950;  // about to be written
  other.lies(DropInState::absent);
  CHECK(other.journal.count(id::kDropInTampered) == 0);
}
