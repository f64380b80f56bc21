// SPDX-License-Identifier: Apache-2.0
// What a policy sets beside the library: MALLOC_CONF, GLIBC_TUNABLES and more files in LD_PRELOAD. A process
// does not show them, so links 2 to 4 decide.
#include "policy/wanted_variables.hpp"

#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/policy_cases.hpp"

namespace {

using namespace allocd;
using namespace allocd::policy;
using namespace allocd::test;
using allocator::Kind;
using settings::Wanted;
using unitfile::Origin;

const std::string kConf = "background_thread:true";

settings::Service service_with_conf() {
  settings::Service service;
  service.name = "vllm";
  service.allocator = Wanted::jemalloc;
  service.malloc_conf = kConf;
  return service;
}

settings::Service glibc_service() {
  settings::Service service;
  service.name = "vllm";
  service.allocator = Wanted::glibc;
  service.glibc.arena_max = 2;
  return service;
}

void set_loaded(UnitSetting& unit, const std::string& name, const std::string& value) {
  unit.environment.push_back(name + "=" + value);
}

// Another variable by the files: the last place wins.
void set_in_files(UnitSetting& unit, const std::string& name, std::vector<unitfile::Contribution> places) {
  places.back().wins = true;
  const auto is_set = places.back().origin != Origin::unset_environment;
  unit.files->others[name] = {places.back().value, is_set, std::move(places)};
}

// Our drop-in preloads jemalloc, and `conf` is what it sets MALLOC_CONF to.
UnitSetting applied_unit(const std::string& conf = kConf) {
  auto unit = read_unit();
  unit.drop_in_path = kDropIn;
  unit.drop_in_present = unit.drop_in_loaded = true;
  set_in_files(unit, "MALLOC_CONF", {says(Origin::environment, kDropIn, conf)});
  set_loaded(unit, "MALLOC_CONF", conf);
  return unit;
}

std::string judge(UnitSetting unit, const settings::Service& service,
                  const std::vector<ProcessFacts>& processes) {
  unit.wanted_variables = decide_wanted_variables(service, unit);
  const auto assessment = assess_unit(service.allocator, unit, processes);
  std::string text(kStateNames.name(assessment.state));
  text += " " + std::string(kReasonNames.name(assessment.reason)) + " ";
  for (const Link& link : assessment.chain) text += "+-un"[static_cast<std::size_t>(link.verdict)];
  return text;
}

// Has the wanted malloc, and is older than the setting.
ProcessFacts old_right_process() {
  auto process = right_process();
  process.started_at = 400;
  return process;
}

}  // namespace

TEST_CASE("MALLOC_CONF goes from not applied over a restart to compliant", "[policy]") {
  auto unit = read_unit();  // jemalloc by its own files
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "not_applied not_configured +-uu+");
  unit = applied_unit();
  CHECK(judge(unit, service_with_conf(), {old_right_process()}) == "pending_restart started_before +++-+");
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "compliant none +++++");
}

TEST_CASE("what is on disk and not loaded wants a daemon-reload", "[policy]") {
  auto unit = read_unit();
  unit.drop_in_path = kDropIn;
  unit.drop_in_present = true;
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "not_applied not_loaded ++-u+");
  // The file says it already, systemd not yet.
  unit = applied_unit();
  unit.environment.pop_back();
  unit.need_daemon_reload = true;
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "not_applied not_loaded ++-u+");
}

TEST_CASE("another value of MALLOC_CONF is named with its place", "[policy]") {
  auto unit = applied_unit("narenas:2");
  unit.wanted_variables = decide_wanted_variables(service_with_conf(), unit);
  const auto view = decide_setting(Wanted::jemalloc, unit);
  CHECK(view.variables == Setting::incomplete);
  CHECK(view.on_disk.evidence == std::string("MALLOC_CONF=narenas:2 is set by ") + kDropIn +
                                     ":3, and the policy asks for background_thread:true");
  // A later place beats ours.
  unit = applied_unit();
  set_in_files(unit, "MALLOC_CONF",
               {says(Origin::environment, kDropIn, kConf),
                says(Origin::environment_file, "/etc/default/vllm", "narenas:2")});
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "violation overridden ++-u+");
  set_in_files(unit, "MALLOC_CONF",
               {says(Origin::environment, kDropIn, kConf), says(Origin::unset_environment, kUnitFile, "")});
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "violation overridden ++-u+");
}

TEST_CASE("a value with a specifier that is not known here is what systemd makes of it", "[policy]") {
  auto unit = applied_unit();
  auto place = says(Origin::environment, kUnitFile, "background_thread:%s");
  place.is_resolved = false;
  set_in_files(unit, "MALLOC_CONF", {place});
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "compliant none +++++");
  unit.environment.back() = "MALLOC_CONF=narenas:2";
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "not_applied not_configured +-uu+");
}

TEST_CASE("a drop-in that was edited or deleted is told for its variables too", "[policy]") {
  auto unit = applied_unit("narenas:2");
  unit.is_tampered = true;
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "not_applied tampered +--u+");
  unit = read_unit();
  unit.drop_in_path = kDropIn;
  unit.drop_in_loaded = true;
  set_loaded(unit, "MALLOC_CONF", kConf);
  unit.need_daemon_reload = false;
  CHECK(judge(unit, service_with_conf(), {right_process()}).starts_with("not_applied "));
}

TEST_CASE("glibc's tunables are asked for as any other variable", "[policy]") {
  auto unit = silent_unit();
  unit.files.emplace();
  const auto process = process_with(Kind::glibc);
  CHECK(judge(unit, glibc_service(), {process}) == "not_applied not_configured +-uu+");
  unit.loaded_at = 3000;
  unit.drop_in_path = kDropIn;
  unit.drop_in_present = unit.drop_in_loaded = true;
  set_in_files(unit, "GLIBC_TUNABLES", {says(Origin::environment, kDropIn, "glibc.malloc.arena_max=2")});
  set_loaded(unit, "GLIBC_TUNABLES", "glibc.malloc.arena_max=2");
  CHECK(judge(unit, glibc_service(), {process}) == "pending_restart started_before +++-+");
  unit.loaded_at = 1000;
  CHECK(judge(unit, glibc_service(), {process}) == "compliant none +++++");
  // Without the files, systemd's own word will do, and others' tunables do not matter.
  unit.files.reset();
  unit.environment.back() = "GLIBC_TUNABLES=glibc.rtld.nns=3:glibc.malloc.arena_max=2";
  CHECK(judge(unit, glibc_service(), {process}) == "compliant none +++++");
}

TEST_CASE("files that the policy names have to be in LD_PRELOAD", "[policy]") {
  auto service = service_with_conf();
  service.malloc_conf.clear();
  service.extra_preload = {"/opt/shim.so"};
  auto unit = read_unit();
  CHECK(judge(unit, service, {right_process()}).starts_with("not_applied not_configured"));
  service.extra_preload.clear();
  service.library = "/opt/libjemalloc.so.2";
  CHECK(judge(unit, service, {right_process()}).starts_with("not_applied not_configured"));
  service.library = kJemallocPath;
  unit.files->variable.contributions.front().wins = true;
  CHECK(judge(unit, service, {right_process()}) == "compliant none +++++");
}

TEST_CASE("what allocd's drop-in still sets and nobody asks for is not in place", "[policy]") {
  auto service = service_with_conf();
  service.malloc_conf.clear();
  CHECK(judge(applied_unit(), service, {right_process()}).starts_with("not_applied not_configured"));
  // The unit's own MALLOC_CONF is nobody's business.
  auto unit = read_unit();
  set_in_files(unit, "MALLOC_CONF", {says(Origin::environment, kUnitFile, "narenas:2")});
  set_loaded(unit, "MALLOC_CONF", "narenas:2");
  unit.files->own.variables["MALLOC_CONF"] = unit.files->others["MALLOC_CONF"];
  CHECK(judge(unit, service, {right_process()}) == "compliant none +++++");
}

TEST_CASE("what the enforcer knows of a start counts more than times", "[policy]") {
  auto unit = applied_unit();
  unit.start = KnownStart::after;  // the drop-in was lost and put back
  CHECK(judge(unit, service_with_conf(), {old_right_process()}) == "compliant none +++++");
  unit.start = KnownStart::before;  // a worker that its parent, started before, has forked since
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "pending_restart started_before +++-+");
}

TEST_CASE("a policy that yields asks an allocator's own unit for nothing", "[policy]") {
  auto service = service_with_conf();
  service.precedence = settings::Precedence::yield;
  auto unit = read_unit();
  unit.files->own.variables["LD_PRELOAD"] = {kJemallocPath, true, {}};
  CHECK(judge(unit, service, {right_process()}) == "compliant none +++++");
}

TEST_CASE("a wrong malloc stays the worse of two troubles", "[policy]") {
  CHECK(judge(applied_unit(), service_with_conf(), {old_right_process(), idle_process(2)}) ==
        "violation overridden_by_runtime +++--");
  CHECK(judge(read_unit(), service_with_conf(), {right_process(), idle_process(2)})
            .starts_with("violation overridden_by_runtime +-"));
}

TEST_CASE("a unit that came by its malloc by other means lacks its variables all the same", "[policy]") {
  auto unit = silent_unit();
  unit.files.emplace();
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "not_applied not_configured +-uu+");
  set_in_files(unit, "MALLOC_CONF", {says(Origin::environment, kUnitFile, kConf)});
  set_loaded(unit, "MALLOC_CONF", kConf);
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "compliant none +nnn+");
  unit.loaded_at = 3000;
  CHECK(judge(unit, service_with_conf(), {right_process()}) == "pending_restart started_before +nn-+");
}
