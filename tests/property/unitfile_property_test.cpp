// SPDX-License-Identifier: Apache-2.0
// What is written comes back as it was, any edit of an owned text shows, and the rules of resets and order
// hold for random units.
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/rounds.hpp"
#include "unitfile/drop_in_text.hpp"
#include "unitfile/environment.hpp"
#include "unitfile/environment_file.hpp"
#include "unitfile/quote.hpp"
#include "unitfile/unit_text.hpp"
#include "unitfile/utf8.hpp"

namespace {

using namespace allocd::unitfile;

constexpr unsigned kSeed = 20251123;

// Bytes with a meaning somewhere, between random characters. No NUL: nothing can carry one.
std::string random_value(std::mt19937& random) {
  constexpr std::array<std::string_view, 26> kPieces{
      "\"",           "'",     "\\",   "%", "%n", "%%",  "$", "`",    "\n",   "\r",
      "\t",           " ",     "=",    "#", ";",  "[",   "]", "\\\n", "\x1b", "\x7f",
      "\xEF\xBB\xBF", "\\x41", "${A}", "*", "-",  "\x01"};
  std::string value;
  for (auto count = random() % 12; count > 0; --count) {
    if (random() % 3 != 0) {
      value += kPieces[random() % kPieces.size()];
      continue;
    }
    const auto character = static_cast<char32_t>(1 + random() % 0x10FFFF);
    if (is_valid_character(character)) append_utf8(value, character);
  }
  return value;
}

UnitSources sources_of(std::string service) {
  UnitSources sources;
  sources.files.push_back({"/u", "[Service]\n" + std::move(service)});
  sources.specifiers = Specifiers::of_unit("a@b.service", "/u");
  return sources;
}

std::string value_of(const Environment& environment, const std::string& name) {
  const auto found = environment.variables.find(name);
  return found != environment.variables.end() && found->second.is_set ? found->second.value : "<not set>";
}

std::string random_line(std::mt19937& random) {
  constexpr std::array<std::string_view, 4> kKeys{
      "Environment=", "UnsetEnvironment=", "PassEnvironment=", "EnvironmentFile="};
  constexpr std::array<std::string_view, 10> kValues{"",     "A=1",  "A=2 B=3", "A",   "B A=1",
                                                     "A=%i", "A=%H", "/f",      "-/g", "\"A"};
  std::string line(kKeys[random() % kKeys.size()]);
  line += kValues[random() % kValues.size()];
  return line + "\n";
}

UnitSources random_sources(std::mt19937& random) {
  auto sources = sources_of({});
  for (auto files = random() % 4; files > 0; --files) {
    std::string text = "[Service]\n";
    for (auto lines = random() % 5; lines > 0; --lines) text += random_line(random);
    sources.files.push_back({"/d" + std::to_string(files), text});
  }
  sources.manager_environment = {"A=manager"};
  sources.process_one_environment = std::vector<std::string>{"A=one", "B=one"};
  sources.environment_files["/f"] = {
      .outcome = EnvironmentFileText::Outcome::read, .files = {{"/f", "A=f\nB=f\n"}}, .cause = {}};
  sources.environment_files["/g"] = {};
  return sources;
}

}  // namespace

TEST_CASE("any value written into a unit comes back", "[unitfile][property]") {
  std::mt19937 random(kSeed);
  for (int round = 0; round < allocd::test::rounds(20'000); ++round) {
    const std::string value = random_value(random);
    INFO("seed " << kSeed << " round " << round);
    const auto line = render_environment_line("A", value);
    REQUIRE(line.find_first_of("\n\r") == std::string::npos);
    REQUIRE(parse_unit_text("[Service]\n" + line).assignments.size() == 1);
    const auto environment = compute_environment(sources_of(line + "\n"));
    REQUIRE(environment.doubts.empty());
    REQUIRE(value_of(environment, "A") == value);
  }
}

TEST_CASE("any value written into an environment file comes back, by either comment rule",
          "[unitfile][property]") {
  std::mt19937 random(kSeed);
  for (int round = 0; round < allocd::test::rounds(20'000); ++round) {
    const std::string first = random_value(random);
    const std::string second = random_value(random);
    INFO("seed " << kSeed << " round " << round);
    const auto text =
        render_environment_file_line("A", first) + "\n" + render_environment_file_line("B", second) + "\n";
    for (const auto rule : {CommentRule::ends_with_line, CommentRule::continues}) {
      const auto content = parse_environment_file(text, rule);
      REQUIRE(content.refusal.empty());
      REQUIRE(content.problems.empty());
      REQUIRE(content.assignments.size() == 2);
      REQUIRE(content.assignments[0].value == first);
      REQUIRE(content.assignments[1].value == second);
    }
  }
}

TEST_CASE("an escaped text has no specifiers left", "[unitfile][property]") {
  std::mt19937 random(kSeed);
  const auto specifiers = Specifiers::of_unit("a@b.service", "/u");
  for (int round = 0; round < allocd::test::rounds(20'000); ++round) {
    const std::string text = random_value(random);
    const auto expanded = expand_specifiers(escape_specifiers(text), specifiers);
    REQUIRE(expanded.outcome == Expansion::Outcome::expanded);
    REQUIRE(expanded.text == text);
  }
}

TEST_CASE("bytes that are not UTF-8 are never set, and break no other line", "[unitfile][property]") {
  std::mt19937 random(kSeed);
  for (int round = 0; round < allocd::test::rounds(5'000); ++round) {
    std::string value = random_value(random);
    value.insert(random() % (value.size() + 1), 1, static_cast<char>(0xF8 + random() % 8));
    const auto environment =
        compute_environment(sources_of("Environment=B=1\n" + render_environment_line("A", value) + "\n"));
    REQUIRE(value_of(environment, "A") == "<not set>");
    REQUIRE(value_of(environment, "B") == "1");
  }
}

TEST_CASE("any one-byte edit of an owned text is seen", "[unitfile][property]") {
  std::mt19937 random(kSeed);
  for (int round = 0; round < 40; ++round) {
    const std::string text =
        render_owned_text({.unit = random_value(random), .policy = random_value(random), .version = "1"},
                          {{"[Service]", render_environment_line("A", random_value(random))}});
    REQUIRE(decide_ownership(text) == Ownership::ours);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      INFO("seed " << kSeed << " round " << round << " byte " << i);
      std::string edited = text;
      edited.insert(i, 1, static_cast<char>(random()));
      REQUIRE(decide_ownership(edited) != Ownership::ours);
      if (i == text.size()) continue;
      edited = text;
      edited.erase(i, 1);
      REQUIRE(decide_ownership(edited) != Ownership::ours);
      edited = text;
      edited[i] = static_cast<char>(edited[i] ^ static_cast<char>(1 + random() % 255));
      REQUIRE(decide_ownership(edited) != Ownership::ours);
    }
  }
}

TEST_CASE("whatever an owned header says, only the body assigns", "[unitfile][property]") {
  std::mt19937 random(kSeed);
  for (int round = 0; round < allocd::test::rounds(5'000); ++round) {
    const auto text = render_owned_text(
        {.unit = random_value(random), .policy = random_value(random), .version = random_value(random)},
        {{"[Service]", "Nice=1"}});
    const auto parsed = parse_unit_text(text);
    REQUIRE(parsed.is_whole);
    REQUIRE(parsed.problems.empty());
    REQUIRE(parsed.assignments == std::vector<Assignment>{{"Service", "Nice", "1", 6}});
  }
}

TEST_CASE("every variable has one winner or is not set, and a reset one never wins", "[unitfile][property]") {
  std::mt19937 random(kSeed);
  for (int round = 0; round < allocd::test::rounds(20'000); ++round) {
    const auto environment = compute_environment(random_sources(random));
    INFO("seed " << kSeed << " round " << round);
    for (const auto& [name, variable] : environment.variables) {
      REQUIRE_FALSE(variable.contributions.empty());
      int winners = 0;
      Origin before = Origin::manager;
      for (const auto& each : variable.contributions) {
        REQUIRE(before <= each.origin);
        before = each.origin;
        if (!each.wins) continue;
        ++winners;
        REQUIRE_FALSE(each.reset_by.has_value());
        REQUIRE((each.origin == Origin::unset_environment) == !variable.is_set);
        if (variable.is_set) REQUIRE(each.value == variable.value);
      }
      REQUIRE(winners <= 1);
      REQUIRE((winners == 1 || !variable.is_set));
    }
  }
}

TEST_CASE("a drop-in that resets all four lists leaves the manager's environment alone",
          "[unitfile][property]") {
  std::mt19937 random(kSeed);
  for (int round = 0; round < allocd::test::rounds(5'000); ++round) {
    auto sources = random_sources(random);
    sources.files.push_back(
        {"/last",
         "[Service]\nEnvironment=\nEnvironmentFile=\nPassEnvironment=\nUnsetEnvironment=\n"
         "EnvironmentFile=/mine\n"});
    sources.environment_files["/mine"] = {
        .outcome = EnvironmentFileText::Outcome::read, .files = {{"/mine", "C=mine\n"}}, .cause = {}};
    const auto environment = compute_environment(sources);
    REQUIRE(value_of(environment, "A") == "manager");
    REQUIRE(value_of(environment, "B") == "<not set>");
    REQUIRE(value_of(environment, "C") == "mine");
    REQUIRE(environment.can_start);
  }
}
