// SPDX-License-Identifier: Apache-2.0
// The machine and the page cache, read on lanes from trees of files, and all of it on a loop.
#include "observer/side_watch.hpp"

#include <unistd.h>

#include <filesystem>
#include <string>

#include "observer/read_process.hpp"
#include "support/catch.hpp"
#include "support/child_program.hpp"
#include "support/machine_tree.hpp"
#include "support/without_rights.hpp"

using namespace allocd;
using observer::Clock;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<observer::SideEvent> make_event() {
  auto event = observer::SideEvent::make();
  REQUIRE(event);
  return *event;
}

template <typename Watch>
void run_once(Watch& watch, Clock::time_point now) {
  static_cast<void>(watch.go_on(now));
  REQUIRE(test::eventually([&] { return watch.collect(); }));
}

template <typename Watch>
snapshot::Snapshot show(const Watch& watch) {
  snapshot::Snapshot snapshot;
  watch.fill(snapshot, Clock::now());
  return snapshot;
}

settings::Service model_service(const std::string& name, const std::vector<std::string>& paths) {
  settings::Service service;
  service.name = name;
  service.model_paths = paths;
  return service;
}

}  // namespace

TEST_CASE("node watch: the machine, what was declared of it, and the collector that read it") {
  const test::MachineTree tree("6.8-two-nodes");
  observer::NodeWatch watch(tree.root(), make_event());
  settings::Settings settings;
  settings.expect = {{"swappiness", "0..200"}, {"thp.enabled", "never"}};
  const auto now = Clock::now();
  watch.configure(settings, now);
  CHECK_FALSE(show(watch).node.known);
  run_once(watch, now);
  const auto shown = show(watch);
  REQUIRE(shown.node.known);
  CHECK(shown.node.read_at > 0);
  CHECK(shown.node.interval == 60);
  CHECK(shown.node.state.numa.nodes.size() == 2);
  REQUIRE(shown.node.expectations.size() == 2);
  CHECK(shown.node.expectations[0].key == "thp.enabled");
  CHECK(shown.node.expectations[1].state == node::ExpectationState::met);
  REQUIRE(shown.collectors.size() == 1);
  CHECK(shown.collectors[0].name == "node");
  CHECK(shown.collectors[0].success);
  CHECK(shown.collectors[0].last_success_at > 0);
  CHECK(watch.map().nearest_memory(0) == std::vector<unsigned>{0});
  // Settings that expect something else are answered at once, without another reading.
  settings.expect = {{"swappiness", "0..200"}};
  watch.configure(settings, now);
  CHECK(show(watch).node.expectations.size() == 1);
}

TEST_CASE("node watch: it is read again in its interval, and not before") {
  const test::MachineTree tree("6.18-one-node");
  observer::NodeWatch watch(tree.root(), make_event());
  const auto now = Clock::now();
  watch.configure({}, now);
  run_once(watch, now);
  const auto first = show(watch).node.state.vm.swappiness;
  tree.write("/proc/sys/vm/swappiness", "199\n");
  CHECK(watch.go_on(now + 59s) == now + 60s);
  CHECK(show(watch).node.state.vm.swappiness == first);
  run_once(watch, now + 60s);
  CHECK(show(watch).node.state.vm.swappiness == 199U);
}

TEST_CASE("node watch: a damaged file is an error of the collector, and the rest is there") {
  const test::MachineTree tree("6.8-two-nodes");
  tree.write("/proc/sys/vm/swappiness", std::string("\0\xff", 2));
  observer::NodeWatch watch(tree.root(), make_event());
  watch.configure({}, Clock::now());
  run_once(watch, Clock::now());
  const auto shown = show(watch);
  CHECK_FALSE(shown.node.state.vm.swappiness);
  CHECK(shown.node.state.memory.total);
  CHECK_FALSE(shown.collectors[0].success);
  CHECK(shown.collectors[0].errors == 1);
  CHECK(shown.collectors[0].last_error.find("swappiness") != std::string::npos);
  // Shown again and again it is still one error.
  CHECK(show(watch).collectors[0].errors == 1);
}

TEST_CASE("node watch: a GPU that a process has brings a reading forward, and its node is known then") {
  const test::MachineTree tree("6.8-two-nodes");
  tree.write("/sys/class/drm/renderD128/device/numa_node", "1\n");
  observer::NodeWatch watch(tree.root(), make_event());
  const auto now = Clock::now();
  watch.configure({}, now);
  run_once(watch, now);
  CHECK(watch.gpu_nodes().empty());
  snapshot::Snapshot snapshot;
  snapshot.units.emplace_back().processes.emplace_back().placement.gpus = {"renderD128"};
  watch.want_gpus(snapshot, now + 1s);
  run_once(watch, now + 1s);
  CHECK(watch.gpu_nodes() == std::map<std::string, unsigned>{{"renderD128", 1}});
  watch.want_gpus(snapshot, now + 2s);
  CHECK(watch.go_on(now + 2s) == now + 61s);
}

TEST_CASE("page cache watch: nothing to look at is no collector") {
  const test::MachineTree tree;
  observer::PageCacheWatch watch(tree.root(), make_event());
  watch.configure({}, Clock::now());
  CHECK(watch.go_on(Clock::now()) == Clock::time_point::max());
  CHECK(show(watch).collectors.empty());
  CHECK(show(watch).model_files.empty());
}

TEST_CASE("page cache watch: one service after the other, each with its own figures") {
  const test::MachineTree tree;
  tree.write("/m/a/1.gguf", std::string(8192, 'x'));
  tree.write("/m/a/2.gguf", std::string(100, 'x'));
  tree.write("/m/b/3.gguf", "x");
  observer::PageCacheWatch watch(tree.root(), make_event());
  settings::Settings settings;
  settings.services = {model_service("a", {"/m/a/*.gguf"}), model_service("b", {"/m/b"}),
                       model_service("none", {})};
  const auto now = Clock::now();
  watch.configure(settings, now);
  CHECK(show(watch).model_files.at(0).read_at == 0);
  run_once(watch, now);
  run_once(watch, now);
  CHECK(watch.go_on(now) == now + settings.observe.page_cache_interval);
  auto shown = show(watch);
  REQUIRE(shown.model_files.size() == 2);
  CHECK(shown.model_files[0].service == "a");
  CHECK(shown.model_files[0].read_at > 0);
  CHECK(shown.model_files[0].figures.files == 2);
  CHECK(shown.model_files[0].figures.bytes == 8292);
  CHECK(shown.model_files[0].figures.cached <= 8292);
  CHECK(shown.model_files[1].figures.bytes == 1);
  REQUIRE(shown.collectors.size() == 1);
  CHECK(shown.collectors[0].name == "page_cache");
  CHECK(shown.collectors[0].success);
  // A service that is told of other files is looked at anew; the others keep their turn.
  settings.services[1].model_paths = {"/m/a/2.gguf"};
  settings.services.erase(settings.services.begin());
  watch.configure(settings, now);
  run_once(watch, now);
  shown = show(watch);
  REQUIRE(shown.model_files.size() == 1);
  CHECK(shown.model_files[0].figures.bytes == 100);
}

TEST_CASE("page cache watch: a good read of one service does not hide a bad one of another") {
  const test::MachineTree tree;
  tree.write("/m/a/1.gguf", "x");
  tree.write("/m/b/2.gguf", "x");
  observer::PageCacheWatch watch(tree.root(), make_event());
  settings::Settings settings;
  settings.services = {model_service("a", {"/m/a/1.gguf"}), model_service("b", {"/m/b/2.gguf"})};
  const auto now = Clock::now();
  watch.configure(settings, now);
  std::filesystem::permissions(tree.path_of("/m/a/1.gguf"), std::filesystem::perms::none);
  {
    const test::WithoutRights nobody;  // threads that are started have no more than their parent
    run_once(watch, now);
  }
  run_once(watch, now);
  auto shown = show(watch);
  CHECK(shown.model_files.at(1).figures.files == 1);
  CHECK_FALSE(shown.collectors.at(0).success);
  CHECK(shown.collectors.at(0).last_error.starts_with("a: "));
  CHECK(shown.collectors.at(0).permission_errors == 1);
  const auto later = now + settings.observe.page_cache_interval;
  run_once(watch, later);
  CHECK(show(watch).collectors.at(0).success);
}

TEST_CASE("page cache watch: files that are not there are none, not unknown") {
  const test::MachineTree tree;
  observer::PageCacheWatch watch(tree.root(), make_event());
  settings::Settings settings;
  settings.services = {model_service("a", {"/absent/*"})};
  watch.configure(settings, Clock::now());
  run_once(watch, Clock::now());
  const auto shown = show(watch);
  CHECK(shown.model_files[0].figures.files == 0);
  CHECK_FALSE(shown.model_files[0].figures.is_unknown());
  CHECK(shown.collectors[0].success);
}

TEST_CASE("side watch: on a loop the machine is known soon, which is told once") {
  const test::MachineTree tree("6.8-two-nodes");
  sd_event* raw = nullptr;
  REQUIRE(sd_event_new(&raw) >= 0);
  const observer::EventLoop loop(raw);
  int told = 0;
  auto watch = observer::SideWatch::start(raw, tree.root(), {}, [&] { ++told; });
  REQUIRE(watch);
  observer::EvidencePool pool(observer::make_process_reader(), 1s);
  observer::Sampler sampler(tree.root(), pool);
  REQUIRE(test::eventually([&] {
    sd_event_run(raw, 1000);
    return (*watch)->knows_node();
  }));
  CHECK(told == 1);
  snapshot::Snapshot snapshot;
  (*watch)->follow(snapshot, sampler, {});
  CHECK(snapshot.node.known);
  CHECK(snapshot.collectors.size() == 1);
  watch->reset();
}
