// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics.hpp"
#include "page.hpp"
#include "rich_snapshot.hpp"
#include "support/catch.hpp"

using namespace allocd;
using test::Page;

namespace {

Page page_of(const snapshot::Snapshot& snapshot, double now = 5001) {
  return Page(metrics::Scrape{.snapshot = &snapshot, .exporter = std::nullopt, .now = now});
}

Page page_of(const snapshot::Unit& unit) {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  snapshot.units = {unit};
  return page_of(snapshot);
}

}  // namespace

TEST_CASE("figures of a unit and its roles arrive under their labels") {
  const Page page = page_of(test::rich_snapshot());
  CHECK(page.value("allocd_observer_up") == "1");
  CHECK(page.value(
            "allocd_build_info{version=\"1.2.3\",revision=\"0123456789ab\",compiler=\"gcc 12.2.0\"}") == "1");
  CHECK(page.value("allocd_unit_up{unit=\"chat.service\"}") == "1");
  CHECK(page.value("allocd_unit_info{unit=\"chat.service\",engine=\"vllm\",policy=\"chat\",source=\"unit\","
                   "wanted=\"jemalloc\"}") == "1");
  CHECK(page.value("allocd_unit_memory_anonymous_bytes{unit=\"chat.service\",role=\"worker\"}") == "2048");
  CHECK(page.value("allocd_unit_page_faults{unit=\"chat.service\",role=\"worker\",kind=\"major\"}") == "3");
  CHECK(page.value("allocd_unit_policy_reason{unit=\"chat.service\",reason=\"mapped_not_active\"}") == "1");
  CHECK(page.value("allocd_collector_success{collector=\"processes\"}") == "1");
  CHECK(page.value("allocd_collector_success{collector=\"units\"}") == "0");
  CHECK(page.duplicates.empty());
}

TEST_CASE("a state set has one series for each state, and one of them is 1") {
  const Page page = page_of(test::rich_snapshot());
  CHECK(page.count("allocd_unit_policy_state{") == policy::kStateNames.names.size());
  CHECK(page.value("allocd_unit_policy_state{unit=\"chat.service\",state=\"violation\"}") == "1");
  CHECK(page.value("allocd_unit_policy_state{unit=\"chat.service\",state=\"compliant\"}") == "0");
  CHECK(page.count("allocd_unit_active_state{") == 9);
  double sum = 0;
  for (const auto& [name, value] : page.series) {
    if (name.starts_with("allocd_unit_active_state{")) sum += std::stod(value);
  }
  CHECK(sum == 1);
}

TEST_CASE("the active state follows systemd, and what systemd does not know is told apart") {
  snapshot::Unit unit = test::rich_unit("x.service");
  const auto is = [&](const char* load, const char* active, const char* expected) {
    unit.load_state = load;
    unit.active_state = active;
    return page_of(unit).value(std::string("allocd_unit_active_state{unit=\"x.service\",state=\"") +
                               expected + "\"}") == "1";
  };
  CHECK(is("loaded", "failed", "failed"));
  CHECK(is("loaded", "refreshing", "reloading"));
  CHECK(is("masked", "inactive", "masked"));
  CHECK(is("not-found", "", "absent"));
  CHECK(is("not-found", "inactive", "absent"));
  // The file is gone, the processes are not.
  CHECK(is("not-found", "active", "active"));
  CHECK(is("masked", "active", "active"));
}

TEST_CASE("a drop-in has its state set where something is asked for, and only there") {
  snapshot::Unit unit = test::rich_unit("x.service");
  const std::string intact = "allocd_unit_drop_in_intact{unit=\"x.service\"}";
  CHECK(page_of(unit).value(intact) == "0");
  unit.drop_in.state = policy::DropInState::intact;
  CHECK(page_of(unit).value(intact) == "1");
  CHECK(page_of(unit).value("allocd_unit_drop_in_state{unit=\"x.service\",state=\"intact\"}") == "1");
  CHECK(page_of(unit).value("allocd_unit_drop_in_state{unit=\"x.service\",state=\"tampered\"}") == "0");
  unit.drop_in.state = policy::DropInState::unreadable;
  CHECK(page_of(unit).value(intact) == "no sample");
  unit.drop_in.state = policy::DropInState::absent;
  unit.wanted = settings::Wanted::any;
  CHECK(page_of(unit).count("allocd_unit_drop_in") == 0);
  // One that lies there though nothing asks for it shows.
  unit.drop_in.state = policy::DropInState::tampered;
  CHECK(page_of(unit).value(intact) == "0");
  unit.source = settings::SelectorKind::cgroup;
  CHECK(page_of(unit).count("allocd_unit_drop_in") == 0);
}

TEST_CASE("a restart that is due has an age, one that is not has 0, and the unknown has none") {
  snapshot::Unit unit = test::rich_unit("x.service");
  const std::string age = "allocd_unit_pending_restart_seconds{unit=\"x.service\"}";
  CHECK(page_of(unit).value(age) == "0");
  unit.assessment.state = policy::State::pending_restart;
  unit.pending_restart_seconds = 120;
  CHECK(page_of(unit).value(age) == "120");
  unit.assessment.state = policy::State::unknown;
  CHECK(page_of(unit).value(age) == "no sample");
}

TEST_CASE("what the enforcer has done is there from the start, what cannot be read is not") {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  CHECK(page_of(snapshot).value("allocd_enforcer_rolled_back_total") == "1");
  CHECK(page_of(snapshot).value("allocd_enforcer_last_run_changes") == "2");
  snapshot.enforcer = {.known = true};
  CHECK(page_of(snapshot).value("allocd_enforcer_applied_total") == "0");
  CHECK(page_of(snapshot).count("allocd_enforcer_last_run") == 0);
  snapshot.enforcer.known = false;
  CHECK(page_of(snapshot).count("allocd_enforcer") == 0);
}

TEST_CASE("without systemd's view there is no active state and no count of restarts") {
  snapshot::Unit unit = test::rich_unit("x.service");
  const char* const word = GENERATE("", "a-word-of-tomorrow");
  unit.load_state = "";
  unit.active_state = word;
  const Page page = page_of(unit);
  CHECK(page.count("allocd_unit_active_state{") == 0);
  CHECK(page.count("allocd_unit_restarts_total{") == 0);
  CHECK(page.value("allocd_unit_up{unit=\"x.service\"}") == "1");
}

TEST_CASE("a unit that is absent still has its series") {
  snapshot::Unit unit;
  unit.name = "gone.service";
  unit.load_state = "not-found";
  unit.active_state = "inactive";
  const Page page = page_of(unit);
  CHECK(page.value("allocd_unit_up{unit=\"gone.service\"}") == "0");
  CHECK(page.value("allocd_unit_active_state{unit=\"gone.service\",state=\"absent\"}") == "1");
  CHECK(page.count("allocd_unit_start_time_seconds{") == 0);  // it never started: that is not 1970
  CHECK(page.count("allocd_unit_processes{") == 0);
}

TEST_CASE("what no memory map has told is not 0 but missing") {
  snapshot::Unit unit = test::rich_unit("x.service");
  unit.roles = {test::usual_role(engine::Role::worker)};
  unit.roles[0].max_mappings = 0;
  unit.roles[0].glibc_heaps = 0;
  unit.roles[0].active = {{allocator::Kind::unknown, 70}};
  const Page page = page_of(unit);
  CHECK(page.count("allocd_unit_mappings_max{") == 0);
  CHECK(page.count("allocd_unit_glibc_heaps{") == 0);
  CHECK(page.count("allocd_unit_jemalloc_background_threads{") == 0);
  CHECK(page.count("allocd_unit_processes_library_off_disk{") == 0);
  CHECK(page.value(
            "allocd_unit_processes_by_allocator{unit=\"x.service\",role=\"worker\",allocator=\"unknown\"}") ==
        "70");
}

TEST_CASE("series an alert watches are 0 before anything happened") {
  snapshot::Unit unit = test::rich_unit("x.service");
  unit.roles = {test::usual_role(engine::Role::worker)};
  const Page page = page_of(unit);
  const std::string labels = "{unit=\"x.service\",role=\"worker\",";
  CHECK(page.value("allocd_unit_processes_by_allocator" + labels + "allocator=\"glibc\"}") == "0");
  CHECK(page.value("allocd_unit_processes_by_allocator" + labels + "allocator=\"jemalloc\"}") == "70");
  CHECK(page.value("allocd_unit_processes_by_allocator" + labels + "allocator=\"musl\"}") == "no sample");
  CHECK(page.value("allocd_unit_processes_allocator_idle" + labels + "allocator=\"jemalloc\"}") == "0");
  CHECK(page.value("allocd_unit_processes_by_state" + labels + "state=\"violation\"}") == "0");
  CHECK(page.value("allocd_unit_processes_by_state" + labels + "state=\"exempt\"}") == "no sample");
}

TEST_CASE("without a snapshot the page says so and nothing more") {
  const metrics::ExporterFacts facts{
      .version = "9", .started_at = 1, .fetch_duration = 0.5, .fetch_errors = 3};
  const Page page(metrics::Scrape{.snapshot = nullptr, .exporter = facts, .now = 10});
  CHECK(page.value("allocd_observer_up") == "0");
  CHECK(page.value("allocd_exporter_snapshot_fetch_errors_total") == "3");
  CHECK(page.count("allocd_unit") == 0);
  CHECK(page.count("allocd_") == page.count("allocd_exporter_") + 1);
}

TEST_CASE("an old snapshot is not shown as the present") {
  const snapshot::Snapshot snapshot = test::rich_snapshot();
  const Page page = page_of(snapshot, snapshot.taken_at + metrics::stale_after(snapshot) + 1);
  CHECK(page.value("allocd_observer_up") == "0");
  CHECK(page.about_units() == 0);
  CHECK(page.value("allocd_snapshot_timestamp_seconds") == "5000");

  // A clock set back makes a fresh sample look as if it came from the future; it is fresh all the same.
  CHECK(page_of(snapshot, snapshot.taken_at - 3600).value("allocd_observer_up") == "1");
}

TEST_CASE("two parts of one name do not break the page") {
  snapshot::Snapshot snapshot = test::rich_snapshot();
  snapshot.units.push_back(test::rich_unit("chat.service"));
  // Different bytes, none of them UTF-8: the same label.
  snapshot.units.push_back(test::rich_unit("/a\xFE"));
  snapshot.units.push_back(test::rich_unit("/a\xFF"));
  snapshot.collectors.push_back(snapshot.collectors[0]);
  snapshot.units[0].roles.push_back(test::rich_role(engine::Role::worker));
  const Page page = page_of(snapshot);
  CHECK(page.duplicates.empty());
  CHECK(page.count("allocd_unit_up{") == 2);
}

TEST_CASE("the page is the same for the same snapshot, and collect() says what render_page() writes") {
  const snapshot::Snapshot snapshot = test::rich_snapshot();
  const std::string page = page_of(snapshot).text;
  CHECK(page == page_of(snapshot).text);
  CHECK(page == metrics::render_text(metrics::collect(snapshot, 5001)));
}
