// SPDX-License-Identifier: Apache-2.0
// Drift as people see it: each state against a file, and what must never be said.
#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "ctl/drift_advice.hpp"
#include "ctl/drift_words.hpp"
#include "ctl/views.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/sample_drift.hpp"
#include "width.hpp"

using namespace allocd;
using namespace allocd::ctl;
using test::check_width;
using test::kHostile;

namespace {

const RenderOptions kPlain{.now = test::kSampleTime + 4};

void check_golden(const std::string& name, const std::string& text) {
  check_width(text, 80);
  test::check_golden("unit/ctl/golden/" + name + ".txt", text);
}

std::string read_whole(const std::string& path) {
  const std::ifstream file(ALLOCD_SOURCE_DIR + path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string unit_view(const drift::Report& report, const RenderOptions& options = kPlain,
                      allocator::Kind active = allocator::Kind::glibc) {
  return render_drift_unit(test::sample_drift_snapshot(),
                           test::sample_drift_unit("x.service", report, active), options);
}

std::string table_of(const drift::Report& report) {
  auto sample = test::sample_drift_snapshot();
  sample.units = {test::sample_drift_unit("x.service", report, allocator::Kind::glibc)};
  return render_drift(sample, kPlain);
}

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

// Where lines are broken is no matter.
std::string unwrapped(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  while (has(text, "  ")) text.erase(text.find("  "), 1);
  return text;
}

}  // namespace

TEST_CASE("drift of every unit in a table", "[drift]") {
  const auto sample = test::sample_drift_snapshot();
  check_golden("drift", render_drift(sample, kPlain));
  check_golden("drift_ascii", render_drift(sample, {.utf8 = false, .now = kPlain.now}));
  test::check_golden("unit/ctl/golden/drift_color.txt",
                     render_drift(sample, {.color = true, .now = kPlain.now}));
}

TEST_CASE("drift of one unit, in each state", "[drift]") {
  const auto sample = test::sample_drift_snapshot();
  for (const auto& unit : sample.units) {
    check_golden("drift_" + unit.name.substr(0, unit.name.find('.')),
                 render_drift_unit(sample, unit, kPlain));
  }
  check_golden("drift_chat_ascii",
               render_drift_unit(sample, sample.units[1], {.utf8 = false, .now = kPlain.now}));
}

TEST_CASE("the excerpts in the documents are what the views print", "[drift]") {
  const auto sample = test::sample_drift_snapshot();
  const auto table = render_drift(sample, kPlain);
  const auto chat = render_drift_unit(sample, sample.units[1], kPlain);
  CHECK(has(read_whole("/docs/drift.md"), "$ allocctl drift\n" + table + "```"));
  CHECK(has(read_whole("/docs/drift.md"), "$ allocctl drift chat\n" + chat + "```"));
  CHECK(has(read_whole("/README.md"), "$ allocctl drift\n" + table + "```"));
}

TEST_CASE("without a unit drift says why there is none", "[drift]") {
  CHECK(render_drift({}, kPlain).starts_with("No unit: "));
}

TEST_CASE("lows stand in the table where they fit beside all else", "[drift]") {
  auto sample = test::sample_drift_snapshot();
  CHECK(has(render_drift(sample, kPlain), "LOWS"));
  sample.units[0].name = "a-name-that-takes-the-room-of-the-lows.service";
  const auto narrow = render_drift(sample, kPlain);
  CHECK_FALSE(has(narrow, "LOWS"));
  check_width(narrow, 80);
  CHECK(has(render_drift(sample, {.width = 132, .now = kPlain.now}), "LOWS"));
}

TEST_CASE("what is too young is never said to have no drift, nor anything to be a leak", "[drift]") {
  for (const auto& report : {test::sample_young(), test::sample_half_judged()}) {
    for (const auto& text : {unit_view(report), table_of(report)}) {
      CHECK(has(unwrapped(text), "window too short: "));
      CHECK_FALSE(has(text, "no drift"));
    }
  }
  CHECK(has(table_of(test::sample_young()), "window too short: 12 of 78 hours"));
  CHECK(has(table_of(test::sample_half_judged()), "no rule holds so far, window too short: 48 of 78 hours"));
  const auto sample = test::sample_drift_snapshot();
  for (const auto& unit : sample.units) CHECK_FALSE(has(render_drift_unit(sample, unit, kPlain), "leak"));
}

TEST_CASE("a window is full hours seen of hours needed", "[drift]") {
  auto report = test::sample_young();
  report.window = 3599;
  CHECK(drift_window_text(report) == "window too short: 0 of 78 hours");
  report.window = 78 * test::kHour - 1;
  CHECK(drift_window_text(report) == "window too short: 77 of 78 hours");
  report.needed = 77.5 * test::kHour;  // a started hour is needed
  report.window = 77 * test::kHour;
  CHECK(drift_window_text(report) == "window too short: 77 of 78 hours");
  // It lived long enough and was not seen for most of it.
  report.window = 90 * test::kHour;
  CHECK(drift_window_text(report) == "window too short: 90 hours with gaps");
  report.state = drift::State::normal;
  CHECK(drift_window_text(report).empty());
}

TEST_CASE("restarts hide growth only of a unit that is too young, and only what would be drift", "[drift]") {
  auto report = test::sample_young();
  CHECK(is_hidden_by_restarts(report));
  CHECK(has(unwrapped(unit_view(report)), "Each restart hides it."));
  CHECK(has(unwrapped(table_of(report)), "+457.8M a day within its last 8 lives: restarts hide it"));
  CHECK(drift_note(report) == "growth hidden by restarts, +457.8M a day within its ended lives");
  report.lives_growth_per_second = 90e6 / test::kDay;  // less than 96 MiB
  CHECK_FALSE(is_hidden_by_restarts(report));
  report.lives_growth_per_second = 110e6 / test::kDay;
  CHECK(is_hidden_by_restarts(report));
  for (auto& life : report.lives) life.warm_floor = test::gib(60);  // and 0.4 % of that is more
  CHECK_FALSE(is_hidden_by_restarts(report));
  CHECK(drift_note(report).empty());
  // It was mended since, and this life is long enough to show it.
  auto mended = test::sample_steady();
  mended.lives = test::sample_young().lives;
  mended.lives_growth_per_second = 20e6 / test::kHour;
  CHECK_FALSE(is_hidden_by_restarts(mended));
  CHECK_FALSE(has(unit_view(mended), "hides it"));
}

TEST_CASE("each figure that is absent is left out or a dash, and never 0", "[drift]") {
  drift::Report bare;
  bare.known = true;
  bare.needed = test::kNeeded;
  for (const auto state : drift::kStateNames.values()) {
    bare.state = state;
    const auto text = unit_view(bare);
    CHECK(has(text, "x.service: " + std::string(drift::kStateNames.name(state))));
    CHECK(has(text, "after warm-up not known yet"));
    CHECK(has(text, "none that could be read"));
    for (const auto* const words : {"0 %", "quietest now", "  the floor ", "  lows", "  peak", "  falls",
                                    "Roles", "Ended lives", "nan", "inf"}) {
      INFO(words);
      CHECK_FALSE(has(text, words));
    }
    check_width(table_of(bare), 80);
  }
  CHECK(has(unit_view(drift::Report{}), "x.service: no verdict"));
  // allocd came when the unit had long been warm: that is not "yet".
  auto late = test::sample_half_judged();
  late.warm_floor.reset();
  CHECK(has(unwrapped(unit_view(late)), "after warm-up not known: it was not seen between the 6th"));
  late.limit_kind = drift::LimitKind::cgroup;
  CHECK(has(unit_view(late), "none that could be read"));
}

TEST_CASE("a unit whose memory could not be read is told from one that is down", "[drift]") {
  auto unit = test::sample_drift_unit("x.service", {}, allocator::Kind::glibc);
  CHECK(drift_advice_for(unit).meaning == "The unit has no process, and no life of it is known.");
  unit.up = true;
  CHECK(drift_advice_for(unit).meaning ==
        "The memory of its processes could not be read, or was not read yet.");
  CHECK(drift_advice_for(unit).commands == std::vector<std::string>{"allocctl explain x.service"});
}

TEST_CASE("signs: at the peak in every sample, what falls, arenas, allocators", "[drift]") {
  auto report = test::sample_drifting();
  CHECK(has(unit_view(report), "RSS was at its peak in every sample"));
  CHECK(has(unit_view(report), "107 glibc heaps, of 64 MiB at most each"));
  CHECK(has(unit_view(report), "glibc 1, by processes"));
  report.at_peak = 0.5;
  report.falls = 0.004;
  const auto other = unit_view(report, kPlain, allocator::Kind::jemalloc);
  CHECK(has(unwrapped(other), "at its peak in 50 % of the samples"));
  CHECK(has(other, "nothing comes back when load falls"));
  CHECK(has(other, "0 glibc heaps\n"));
  CHECK(has(other, "jemalloc 1, by processes"));
}

TEST_CASE("the kind is unknown until the report carries one", "[drift]") {
  auto report = test::sample_drifting();
  report.kind = drift::Kind::unknown;
  CHECK(has(unit_view(report), "unknown: ten days of drift tell more"));
  report.kind = drift::Kind::slowing;
  CHECK(has(unwrapped(unit_view(report)), "slowing: the second half of its life grew less than the first"));
}

TEST_CASE("the limit of the machine is not called the unit's, and a floor that does not rise meets none",
          "[drift]") {
  CHECK(has(unwrapped(unit_view(test::sample_steady())),
            "what it holds and the machine has available, which others take from too; the floor does not "
            "rise towards it"));
  auto report = test::sample_drifting();
  report.time_to_limit = 20 * 365 * test::kDay;
  CHECK(has(unwrapped(unit_view(report)), "met in over 1y"));
  CHECK(has(table_of(report), " over 1y "));
  report.time_to_limit = 0;
  CHECK(has(unwrapped(unit_view(report)), "; it is met now"));
}

TEST_CASE("advice has commands that can be pasted, whatever the unit is called", "[drift]") {
  auto unit = test::sample_drift_unit("a b;reboot", test::sample_drifting(), allocator::Kind::glibc);
  auto advice = drift_advice_for(unit);
  CHECK(advice.commands ==
        std::vector<std::string>{"allocctl show 'a b;reboot'", "allocctl plan 'a b;reboot'"});
  CHECK(advice.runbook == "docs/runbooks/AllocdMemoryDriftSlow.md");
  unit.drift.slow = false;
  CHECK(drift_advice_for(unit).runbook == "docs/runbooks/AllocdMemoryDriftFast.md");
  unit.drift = test::sample_exhausting();
  CHECK(drift_advice_for(unit).runbook == "docs/runbooks/AllocdMemoryExhaustionSoon.md");
  CHECK(drift_advice_for(unit).commands.back() == "systemctl restart 'a b;reboot'");
  unit.source = settings::SelectorKind::cgroup;  // nothing that systemctl could restart
  CHECK(drift_advice_for(unit).commands.size() == 1);
}

TEST_CASE("no line of drift is too wide, whatever the names and figures", "[drift]") {
  const bool utf8 = GENERATE(true, false);
  const std::size_t width = GENERATE(std::size_t{80}, std::size_t{132});
  const RenderOptions options{.width = width, .utf8 = utf8, .now = kPlain.now};
  auto sample = test::sample_drift_snapshot();
  for (const double extreme : {std::numeric_limits<double>::max(), -1e300, -1.0, 0.0, 1e-300}) {
    for (const auto state : drift::kStateNames.values()) {
      for (auto& unit : sample.units) {
        unit.name = unit.service = kHostile;
        unit.drift = test::sample_extreme_report(state, extreme);
      }
      check_width(render_drift(sample, options), width);
      check_width(render_drift_unit(sample, sample.units.front(), options), width);
    }
  }
}
