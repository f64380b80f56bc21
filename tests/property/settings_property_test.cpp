// SPDX-License-Identifier: Apache-2.0
// What holds for any settings text, any duration, byte size and window. Every case prints its seed.
#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <optional>
#include <random>
#include <string>
#include <tuple>

#include "settings/byte_size.hpp"
#include "settings/duration.hpp"
#include "settings/load.hpp"
#include "settings/policy_values.hpp"
#include "settings/selector.hpp"
#include "settings/window.hpp"
#include "support/catch.hpp"
#include "support/time_zone.hpp"

using namespace allocd::settings;

namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t end) {
  return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
}

std::string random_bytes(Random& random) {
  std::string text(below(random, 200), '\0');
  for (auto& c : text) c = static_cast<char>(below(random, 256));
  return text;
}

// Pieces of settings and of YAML, glued together: far likelier than bytes to get past the first check.
std::string random_yaml(Random& random) {
  constexpr std::array<std::string_view, 62> kPieces{"version: ",
                                                     "1",
                                                     "observe:",
                                                     "\n",
                                                     "\n  ",
                                                     "\n    ",
                                                     "\n      - ",
                                                     "interval: ",
                                                     "10s",
                                                     "services:",
                                                     "vllm:",
                                                     "select:",
                                                     "unit: ",
                                                     "cgroup: ",
                                                     "/a.slice/*",
                                                     "allocator: ",
                                                     "jemalloc",
                                                     "{",
                                                     "}",
                                                     "[",
                                                     "]",
                                                     ", ",
                                                     ": ",
                                                     "- ",
                                                     "? ",
                                                     "\"",
                                                     "'",
                                                     "*a",
                                                     "&a ",
                                                     "<<: ",
                                                     "!!str ",
                                                     "---\n",
                                                     "...\n",
                                                     "|\n",
                                                     ">-\n",
                                                     "# c\n",
                                                     "%YAML 1.2\n",
                                                     "\t",
                                                     "\r\n",
                                                     "\xEF\xBB\xBF",
                                                     "é",
                                                     "\\x0a",
                                                     "010",
                                                     "~",
                                                     "mode: ",
                                                     "enforce",
                                                     "restart: ",
                                                     "window",
                                                     "window: ",
                                                     "Sat,Sun 02:00..05:00",
                                                     "library: ",
                                                     "/usr/lib/a.so",
                                                     "malloc_conf: ",
                                                     "narenas:4",
                                                     "extra_preload: ",
                                                     "glibc: ",
                                                     "arena_max: ",
                                                     "1",
                                                     "health: ",
                                                     "http://[::1]:80/",
                                                     "precedence: ",
                                                     "persist: "};
  std::string text;
  for (auto left = below(random, 40); left > 0; --left) text += kPieces.at(below(random, kPieces.size()));
  return text;
}

// One byte of a good file changed, removed or doubled.
std::string damaged(Random& random) {
  std::string text =
      "version: 1\nobserve:\n  interval: 10s\n  max_processes_per_unit: 4096\nservices:\n  vllm:\n    "
      "select:\n"
      "      - unit: vllm@*.service\n      - cgroup: /machine.slice/libpod-*.scope\n    allocator: "
      "jemalloc\n    mode: enforce\n    malloc_conf: narenas:4\n    extra_preload: [/a.so]\n    restart: "
      "window\n    window: Sat 22:00..06:00\n    health: http://127.0.0.1:80/\n  tgi:\n    select: [unit: "
      "tgi]\n"
      "    allocator: glibc\n    glibc: {arena_max: 2, mmap_threshold: 1M}\n  pods:\n    select: [cgroup: "
      "/a]\n";
  for (auto left = below(random, 4) + 1; left > 0; --left) {
    const auto at = below(random, text.size());
    switch (below(random, 3)) {
      case 0:
        text[at] = static_cast<char>(below(random, 256));
        break;
      case 1:
        text.erase(at, 1);
        break;
      default:
        text.insert(at, 1, text[at]);
    }
  }
  return text;
}

std::size_t count_lines(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
}

void check_problem(const Problem& problem, std::string_view text) {
  CHECK(!problem.message.empty());
  const auto [file, line, column] = problem.position;
  CHECK(file == "any.yaml");
  CHECK(line >= 0);
  CHECK(static_cast<std::size_t>(line) <= count_lines(text));
  CHECK((line == 0) == (column == 0));
  if (line == 0) return;
  // A column counts characters, so bytes bound it; one past the end is where something is missing.
  CHECK(static_cast<std::size_t>(column) <= problem.source_line.size() + 1);
}

// What a plan may rely on, whatever was read.
void check_service(const Settings& settings, const Service& service) {
  CHECK(!service.selectors.empty());
  CHECK((service.restart == RestartWhen::window) == !service.windows.empty());
  if (!service.malloc_conf.empty()) CHECK(service.allocator == Wanted::jemalloc);
  if (service.glibc != GlibcTunables{}) CHECK(service.allocator == Wanted::glibc);
  if (service.allocator == Wanted::any) CHECK((!service.library && service.extra_preload.empty()));
  if (effective_mode(settings, service) == Mode::enforce) {
    CHECK(service.allocator != Wanted::any);
    CHECK(selects_units(service));
  }
}

void check_any_text(const std::string& text) {
  const auto loaded = parse_settings({{"any.yaml", text}});
  if (loaded) {
    CHECK(loaded->files.size() == 1);
    for (const auto& service : loaded->services) check_service(*loaded, service);
    return;
  }
  CHECK(!loaded.error().empty());
  std::tuple<int, int> last;
  for (const auto& problem : loaded.error()) {
    check_problem(problem, text);
    const std::tuple<int, int> place{problem.position.line, problem.position.column};
    CHECK(last <= place);
    last = place;
  }
  const auto shown = render_problems(loaded.error());
  CHECK(
      std::ranges::none_of(shown, [](char c) { return c != '\n' && static_cast<unsigned char>(c) < 0x20; }));
}

}  // namespace

TEST_CASE("settings: no text makes the parser throw, and every problem lies in its file") {
  const auto seed = GENERATE(range(0, 1500));
  INFO("seed " << seed);
  Random random(static_cast<std::uint64_t>(seed));
  check_any_text(random_bytes(random));
  check_any_text(random_yaml(random));
  check_any_text(damaged(random));
}

TEST_CASE("settings: a good file with a file behind it says the same as both apart") {
  const auto seed = GENERATE(range(0, 300));
  INFO("seed " << seed);
  Random random(static_cast<std::uint64_t>(seed));
  const SourceText first{"first.yaml", "observe: {interval: 5s}\n"};
  const SourceText second{"any.yaml", damaged(random)};
  const auto alone = parse_settings({second});
  const auto together = parse_settings({first, second});
  CHECK(alone.has_value() == together.has_value());
  if (!alone && !together) CHECK(alone.error() == together.error());
}

TEST_CASE("settings: durations round trip") {
  const auto seed = GENERATE(range(0, 500));
  INFO("seed " << seed);
  Random random(static_cast<std::uint64_t>(seed));
  // Small ones as often as large ones.
  const auto limit = static_cast<std::uint64_t>(kLongestDuration.count()) >> below(random, 42);
  const std::chrono::milliseconds duration{below(random, limit + 1)};
  INFO(render_duration(duration));
  CHECK(parse_duration(render_duration(duration)) == duration);
}

TEST_CASE("settings: byte sizes round trip") {
  const auto seed = GENERATE(range(0, 500));
  INFO("seed " << seed);
  Random random(static_cast<std::uint64_t>(seed));
  const std::uint64_t bytes = (random() >> below(random, 64)) << (10 * below(random, 3));
  INFO(render_byte_size(bytes));
  CHECK(parse_byte_size(render_byte_size(bytes)) == bytes);
}

TEST_CASE("settings: a pattern that was accepted is accepted again, unchanged") {
  const auto seed = GENERATE(range(0, 500));
  INFO("seed " << seed);
  Random random(static_cast<std::uint64_t>(seed));
  constexpr std::string_view kAlphabet = "ab@*?[]!-./\\ {é";
  std::string text;
  for (auto left = below(random, 12); left > 0; --left) text += kAlphabet.at(below(random, kAlphabet.size()));
  INFO(text);
  if (const auto unit = parse_unit_pattern(text)) CHECK(parse_unit_pattern(*unit) == *unit);
  if (const auto cgroup = parse_cgroup_pattern(text)) CHECK(parse_cgroup_pattern(*cgroup) == *cgroup);
}

TEST_CASE("settings: what is preloaded holds nothing that the dynamic linker reads") {
  const auto seed = GENERATE(range(0, 500));
  INFO("seed " << seed);
  Random random(static_cast<std::uint64_t>(seed));
  constexpr std::string_view kAlphabet = "/ab.: $\n\t\x7f,%\\\"'";
  std::string text = "/";
  for (auto left = below(random, 8); left > 0; --left) text += kAlphabet.at(below(random, kAlphabet.size()));
  const auto path = parse_preload_path(text);
  if (path) CHECK(*path == text);
  if (path) CHECK(path->find_first_of(" :$\n\t\x7f") == std::string::npos);
  const auto conf = parse_malloc_conf(text.substr(1));
  if (conf) CHECK(conf->find_first_of(" \n\t\x7f") == std::string::npos);
}

TEST_CASE("settings: only the loopback is asked for health") {
  const auto seed = GENERATE(range(0, 500));
  INFO("seed " << seed);
  Random random(static_cast<std::uint64_t>(seed));
  constexpr std::array<std::string_view, 14> kPieces{"127.0.0.1", "[::1]", "localhost", ":", "80", "/", "@",
                                                     "?",         "#",     "evil",      ".", "[",  "]", "%"};
  std::string text = "http://";
  for (auto left = below(random, 7); left > 0; --left) text += kPieces.at(below(random, kPieces.size()));
  INFO(text);
  const auto url = parse_health_url(text);
  if (!url) return;
  const auto host = url->host == "::1" ? "[::1]" : url->host;
  CHECK((host == "127.0.0.1" || host == "[::1]" || host == "localhost"));
  CHECK("http://" + host + ":" + std::to_string(url->port) + url->target == text);
}

// ---- windows ---------------------------------------------------------------------------------------------

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// A multiple of `unit` before `end`.
seconds random_time(Random& random, seconds end, seconds unit) {
  const auto count = static_cast<std::size_t>(end / unit);
  return static_cast<std::int64_t>(below(random, count)) * unit;
}

Window random_window(Random& random, seconds unit) {
  constexpr seconds kDay = std::chrono::hours{24};
  Window window;
  window.days = static_cast<std::uint8_t>(below(random, 127) + 1);
  // Around the hours at which clocks are changed as often as at any.
  const bool early = below(random, 2) == 0;
  window.begin = random_time(random, early ? std::chrono::hours{4} : kDay, unit);
  window.end = window.begin + unit + random_time(random, kDay - window.begin, unit);
  if (below(random, 3) == 0) window.end = random_time(random, kDay, unit);
  if (window.end == window.begin) window.end += unit;
  window.utc = below(random, 5) == 0;
  return window;
}

// From the C library's own broken-down time.
bool slow_is_inside(const Window& window, std::time_t time) {
  std::tm clock{};
  REQUIRE((window.utc ? ::gmtime_r(&time, &clock) : ::localtime_r(&time, &clock)) != nullptr);
  const seconds of_day{clock.tm_hour * 3600 + clock.tm_min * 60 + clock.tm_sec};
  const auto on = [&](int weekday) {
    return (window.days >> (weekday + 6) % 7 & 1) != 0;
  };  // tm_wday 0 is Sunday
  if (window.begin < window.end) return on(clock.tm_wday) && window.begin <= of_day && of_day < window.end;
  return (on(clock.tm_wday) && of_day >= window.begin) || (on(clock.tm_wday + 6) && of_day < window.end);
}

// Minute by minute.
std::optional<std::time_t> slow_next_opening(const Window& window, std::time_t from) {
  constexpr std::time_t kHorizon = 62 * 86'400;
  for (auto time = from; time < from + kHorizon; time += 60) {
    if (slow_is_inside(window, time)) return time;
  }
  return std::nullopt;
}

// Zones as POSIX writes them need no files. Berlin; Sydney; Lord Howe, which changes by half an hour; Havana,
// which skips midnight; and, where its file is, Samoa, which once skipped a Friday.
struct Zone {
  const char* name;
  std::array<std::time_t, 2> changes;
};
constexpr std::array<Zone, 6> kZones{{
    {"UTC0", {1774746000, 1792890000}},
    {"CET-1CEST,M3.5.0,M10.5.0/3", {1774746000, 1792890000}},
    {"AEST-10AEDT,M10.1.0,M4.1.0/3", {1775318400, 1791043200}},
    {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", {1775314800, 1791041400}},
    {"CST5CDT,M3.2.0/0,M11.1.0/1", {1772946000, 1793509200}},
    {"Pacific/Apia", {1325239200, 1333202400}},
}};

std::time_t near_a_change(Random& random, const Zone& zone) {
  constexpr std::time_t kAround = 9 * 1440;
  const auto minute = static_cast<std::time_t>(below(random, 2 * kAround)) - kAround;
  return zone.changes.at(below(random, 2)) + minute * 60;
}

}  // namespace

TEST_CASE("settings: windows round trip") {
  const auto seed = GENERATE(range(0, 500));
  INFO("seed " << seed);
  Random random(static_cast<std::uint64_t>(seed));
  const auto window = random_window(random, seconds{1});
  INFO(render_window(window));
  CHECK(parse_window(render_window(window)) == window);
}

TEST_CASE("settings: a window is open when the clock on the wall says so") {
  const auto seed = GENERATE(range(0, 400));
  const auto& zone = kZones.at(static_cast<std::size_t>(seed) % kZones.size());
  const allocd::test::TimeZone as_zone(zone.name);
  Random random(static_cast<std::uint64_t>(seed));
  const auto window = random_window(random, seconds{1});
  INFO("seed " << seed << ", " << zone.name << ", " << render_window(window));
  for (int i = 0; i < 100; ++i) {
    const auto time = near_a_change(random, zone) + static_cast<std::time_t>(below(random, 60));
    INFO(time);
    CHECK(is_inside(window, std::chrono::system_clock::from_time_t(time)) == slow_is_inside(window, time));
  }
}

TEST_CASE("settings: the next opening is the first minute that is inside") {
  const auto seed = GENERATE(range(0, 300));
  const auto& zone = kZones.at(static_cast<std::size_t>(seed) % kZones.size());
  const allocd::test::TimeZone as_zone(zone.name);
  Random random(static_cast<std::uint64_t>(seed));
  const auto window = random_window(random, minutes{1});
  INFO("seed " << seed << ", " << zone.name << ", " << render_window(window));
  for (int i = 0; i < 8; ++i) {
    const auto from = near_a_change(random, zone);
    INFO(from);
    const auto next = next_opening(window, std::chrono::system_clock::from_time_t(from));
    const auto slow = slow_next_opening(window, from);
    REQUIRE(next.has_value() == slow.has_value());
    if (next) CHECK(std::chrono::system_clock::to_time_t(*next) == *slow);
  }
}
