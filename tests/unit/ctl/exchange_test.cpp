// SPDX-License-Identifier: Apache-2.0
// Asking the enforcer: a stand-in for its service answers, or does not, through a real mailbox.
#include "ctl/enforce/exchange.hpp"

#include <cerrno>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "ctl/enforce/follow.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using namespace allocd::ctl;
using namespace std::chrono_literals;
using enforcer::Request;

namespace {

constexpr ExchangeLimits kQuick{.pause = 1ms, .patience = 2ms, .answer = 20s, .starts = 3};

// Runs from start() until it has been waited for `lives` times.
class FakeService final : public EnforcerService {
 public:
  base::Result<void> start() override {
    ++starts;
    if (refuses) return base::fault("start", kEnforcerUnit, "Unit not found.");
    running_for_ = lives;
    if (on_start) on_start();
    return {};
  }
  base::Result<bool> is_running() override { return running_for_ > 0; }
  void wait(std::chrono::milliseconds time) override {
    if (running_for_ > 0) --running_for_;
    if (on_wait) on_wait();
    std::this_thread::sleep_for(time);
  }

  int starts = 0;
  int lives = 1000;
  bool refuses = false;
  std::function<void()> on_start;
  std::function<void()> on_wait;

 private:
  int running_for_ = 0;
};

struct Box {
  test::TemporaryDirectory directory;
  host::Root root = std::move(*host::Root::open(directory.path().string()));
  enforcer::Mailbox mailbox{root, "/mail"};
  Request request{
      .id = "0123456789abcdef0123456789abcdef", .verb = enforcer::Verb::apply, .units = {"a.service"}};
  FakeService service;

  void answer_all() const {
    for (const auto& asked : mailbox.pending()) {
      enforcer::Report report;
      report.request = asked;
      report.pending = asked.units;
      REQUIRE(mailbox.answer(report));
    }
  }
  [[nodiscard]] bool is_empty() const {
    return std::filesystem::is_empty(directory.path() / "mail/requests") &&
           std::filesystem::is_empty(directory.path() / "mail/reports");
  }
};

}  // namespace

TEST_CASE("a request is answered and nothing is left in the mailbox") {
  Box box;
  int waits = 0;
  box.service.on_wait = [&] {
    if (++waits == 5) box.answer_all();
  };
  const auto report = ask_enforcer(box.mailbox, box.service, box.request, kQuick);
  REQUIRE(report);
  CHECK(report->request == box.request);
  CHECK(report->pending == box.request.units);
  CHECK(box.service.starts == 1);
  CHECK(box.is_empty());
}

TEST_CASE("an enforcer that was about to end is started again") {
  Box box;
  box.service.lives = 1;
  box.service.on_start = [&] {
    if (box.service.starts == 2) box.answer_all();
  };
  REQUIRE(ask_enforcer(box.mailbox, box.service, box.request, kQuick));
  CHECK(box.service.starts == 2);
  CHECK(box.is_empty());
}

TEST_CASE("an enforcer that never answers is given up, and the request withdrawn") {
  Box box;
  box.service.lives = 0;
  const auto report = ask_enforcer(box.mailbox, box.service, box.request, kQuick);
  REQUIRE(!report);
  CHECK(report.error().message().find("journalctl -u allocd-enforcer.service") != std::string::npos);
  CHECK(box.service.starts == kQuick.starts);
  CHECK(box.is_empty());
}

TEST_CASE("an enforcer that runs without an end is given up after a while") {
  Box box;
  box.service.lives = 1'000'000;
  auto limits = kQuick;
  limits.answer = 30ms;
  const auto report = ask_enforcer(box.mailbox, box.service, box.request, limits);
  REQUIRE(!report);
  CHECK(box.service.starts == 1);
  CHECK(box.is_empty());
}

TEST_CASE("an enforcer that cannot be started is a fault at once") {
  Box box;
  box.service.refuses = true;
  const auto report = ask_enforcer(box.mailbox, box.service, box.request, kQuick);
  REQUIRE(!report);
  CHECK(report.error().cause == "Unit not found.");
  CHECK(box.is_empty());
}

TEST_CASE("an answer that cannot be understood is a fault, not waited for again") {
  Box box;
  box.service.on_wait = [&] {
    box.directory.write("mail/reports/" + box.request.id + ".json", "{\"items\": 7");
  };
  const auto report = ask_enforcer(box.mailbox, box.service, box.request, kQuick);
  REQUIRE(!report);
  CHECK(report.error().code != ENOENT);
  CHECK(box.service.starts == 1);
}

TEST_CASE("request ids are valid and differ") {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const auto id = make_request_id();
    REQUIRE(id);
    CHECK(id->size() == 32);
    CHECK(enforcer::is_request_id(*id));
    ids.insert(*id);
  }
  CHECK(ids.size() == 100);
}

// ---- following
// ---------------------------------------------------------------------------------------------

namespace {

enforcer::Manifest manifest_with(const std::string& unit, policy::FusePhase phase) {
  enforcer::Manifest manifest;
  manifest.targets["t.service"].units[unit].fuse.phase = phase;
  return manifest;
}

}  // namespace

TEST_CASE("what became of a unit is read off the manifest") {
  using Kind = FuseOutcome::Kind;
  CHECK(find_outcome({}, "a.service") == FuseOutcome{"a.service", Kind::forgotten, "", {}});
  for (const auto phase : {policy::FusePhase::waiting, policy::FusePhase::settling})
    CHECK_FALSE(find_outcome(manifest_with("a.service", phase), "a.service"));
  auto manifest = manifest_with("a.service", policy::FusePhase::settled);
  CHECK(find_outcome(manifest, "a.service") == FuseOutcome{"a.service", Kind::settled, "", {}});
  manifest.targets["t.service"].rolled_back = "b.service: it failed";
  manifest.targets["t.service"].journal = {"boom"};
  CHECK(find_outcome(manifest, "a.service") ==
        FuseOutcome{"a.service", Kind::rolled_back, "b.service: it failed", {"boom"}});
}

TEST_CASE("units are followed until each is decided, or the enforcer ends") {
  const test::TemporaryDirectory directory;
  const auto root = std::move(*host::Root::open(directory.path().string()));
  const auto write = [&](policy::FusePhase phase) {
    auto manifest = manifest_with("a.service", phase);
    manifest.targets["t.service"].units["b.service"].fuse.phase = policy::FusePhase::settled;
    directory.write("state/manifest.json", enforcer::render_manifest(manifest));
  };
  std::vector<std::string> told;
  const auto tell = [&](const FuseOutcome& outcome) { told.push_back(outcome.unit); };
  FakeService service;
  REQUIRE(service.start());
  write(policy::FusePhase::settling);
  SECTION("decided") {
    service.on_wait = [&] { write(policy::FusePhase::settled); };
    REQUIRE(follow_units(root, "/state", {"a.service", "b.service"}, service, tell));
    CHECK(told == std::vector<std::string>{"b.service", "a.service"});
  }
  SECTION("ended") {
    service.lives = 0;
    REQUIRE(service.start());
    const auto followed = follow_units(root, "/state", {"a.service", "b.service"}, service, tell);
    REQUIRE(!followed);
    CHECK(followed.error().where == "a.service");
    CHECK(told == std::vector<std::string>{"b.service"});
  }
}
