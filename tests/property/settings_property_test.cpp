// SPDX-License-Identifier: Apache-2.0
// What holds for any settings text, any duration and any byte size. Every case prints its seed.
#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>

#include "settings/byte_size.hpp"
#include "settings/duration.hpp"
#include "settings/load.hpp"
#include "settings/selector.hpp"
#include "support/catch.hpp"

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
  constexpr std::array<std::string_view, 44> kPieces{
      "version: ",   "1",          "observe:",   "\n",           "\n  ",     "\n    ",
      "\n      - ",  "interval: ", "10s",        "services:",    "vllm:",    "select:",
      "unit: ",      "cgroup: ",   "/a.slice/*", "allocator: ",  "jemalloc", "{",
      "}",           "[",          "]",          ", ",           ": ",       "- ",
      "? ",          "\"",         "'",          "*a",           "&a ",      "<<: ",
      "!!str ",      "---\n",      "...\n",      "|\n",          ">-\n",     "# c\n",
      "%YAML 1.2\n", "\t",         "\r\n",       "\xEF\xBB\xBF", "é",        "\\x0a",
      "010",         "~"};
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
      "jemalloc\n";
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

void check_any_text(const std::string& text) {
  const auto loaded = parse_settings({{"any.yaml", text}});
  if (loaded) {
    CHECK(loaded->files.size() == 1);
    for (const auto& service : loaded->services) CHECK(!service.selectors.empty());
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
