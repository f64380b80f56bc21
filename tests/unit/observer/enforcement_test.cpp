// SPDX-License-Identifier: Apache-2.0
// Drop-ins changed on disk, and the file that is touched for it.
#include "observer/enforcement.hpp"

#include <filesystem>
#include <vector>

#include "../host/event_loop.hpp"
#include "journal_record.hpp"
#include "support/catch.hpp"
#include "unit_tree.hpp"

using namespace allocd;
using observer::Enforcement;

namespace {

class Side : public test::UnitTree {
 public:
  Side() : enforcement(loop.get(), root, journal, {"/run/look-now", "/state"}, [this] { ++news; }) {
    std::filesystem::create_directories(directory.path() / "run/systemd/system");
    std::filesystem::create_directories(directory.path() / "state");
    enforcement.watch({"/etc/systemd/system/vllm.service.d"});
  }
  [[nodiscard]] bool hears() {
    const int before = news;
    return loop.run_until([&] { return news > before; });
  }
  [[nodiscard]] bool is_touched() const { return std::filesystem::exists(directory.path() / "run/look-now"); }

  test::EventLoop loop;
  test::JournalRecord journal;
  int news = 0;
  Enforcement enforcement;
};

snapshot::Snapshot drifted() {
  snapshot::Snapshot sample;
  auto& unit = sample.units.emplace_back();
  unit.name = "vllm.service";
  unit.load_state = "loaded";
  unit.mode = settings::Mode::enforce;
  unit.assessment.state = policy::State::not_applied;
  unit.assessment.chain[1].verdict = policy::Verdict::fails;
  return sample;
}

}  // namespace

TEST_CASE("a drop-in that is written, edited or deleted is heard of", "[enforcement]") {
  Side it;
  it.write(test::kOurs, "x");
  CHECK(it.hears());
  it.write(test::kOurs, "xy");
  CHECK(it.hears());
  it.remove(test::kOurs);
  CHECK(it.hears());
  it.remove("/etc/systemd/system/vllm.service.d");
  CHECK(it.hears());
  it.write("/state/manifest.json", "{}");
  CHECK(it.hears());
}

TEST_CASE("other units' files and temporary ones are not", "[enforcement]") {
  Side it;
  it.write("/etc/systemd/system/other.service", "x");
  it.write("/etc/systemd/system/vllm.service.d/.zz-allocd-1", "x");
  it.loop.run_for(std::chrono::milliseconds(50));
  it.write("/state/other", "x");
  it.loop.run_for(std::chrono::milliseconds(400));
  // The directory of the temporary file was new, and that is heard of; nothing after it.
  CHECK(it.news <= 1);
}

TEST_CASE("a reason to look touches the file, an idle sample does not", "[enforcement]") {
  Side it;
  it.enforcement.consider({}, {}, {});
  CHECK_FALSE(it.is_touched());
  it.enforcement.consider(drifted(), {}, {});
  CHECK(it.is_touched());
  CHECK(it.enforcement.problem().empty());
}

TEST_CASE("the touch comes again by itself while the reason stays", "[enforcement]") {
  Side it;
  it.enforcement.consider(drifted(), {}, {});
  it.remove("/run/look-now");
  CHECK(it.loop.run_until([&] { return it.is_touched(); }));
}

TEST_CASE("a file that cannot be touched is a problem, told once", "[enforcement]") {
  Side it;
  it.remove("/run");
  it.enforcement.consider(drifted(), {}, {});
  CHECK(it.enforcement.problem().find("look-now") != std::string::npos);
  CHECK(it.journal.messages.size() == 1);
  std::filesystem::create_directories(it.directory.path() / "run");
  CHECK(it.loop.run_until([&] { return it.is_touched(); }));
  CHECK(it.enforcement.problem().empty());
}
