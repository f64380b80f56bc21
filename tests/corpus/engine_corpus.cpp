// SPDX-License-Identifier: Apache-2.0
// tests/corpus/engine/*.txt: command lines as they were seen, and what they must be taken for.
// A process that is classified wrongly becomes one more line there.
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "engine/engine.hpp"
#include "support/catch.hpp"

namespace {

using namespace allocd;

struct Line {
  std::string place;
  std::string cmdline;
  std::string expected;
  std::string comm;
};

std::string unescape_cmdline(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size();
    const char next = escape ? text[i + 1] : '\0';
    if (escape && (next == 's' || next == '0' || next == 'n')) {
      out += next == 's' ? ' ' : next == 'n' ? '\n' : '\0';
      ++i;
    } else {
      out += text[i] == ' ' ? '\0' : text[i];
    }
  }
  if (!out.empty()) out += '\0';
  return out;
}

std::vector<Line> read_corpus() {
  std::vector<Line> lines;
  for (const auto& file : std::filesystem::directory_iterator(ALLOCD_TESTS_DIR "/corpus/engine")) {
    std::ifstream stream(file.path());
    std::string text;
    for (int number = 1; std::getline(stream, text); ++number) {
      if (text.empty() || text.starts_with('#')) continue;
      const auto fields = base::split(text, '\t');
      const std::string place = file.path().filename().string() + ":" + std::to_string(number);
      if (fields.size() < 2 || fields.size() > 3) FAIL(place << ": wants two or three fields");
      lines.push_back({place, unescape_cmdline(fields[0]), std::string(fields[1]),
                       std::string(fields.size() == 3 ? fields[2] : std::string_view{})});
    }
  }
  return lines;
}

std::string describe(const Line& line) {
  const auto words = engine::split_cmdline(line.cmdline);
  const auto claim = engine::decide_role(line.cmdline, line.comm);
  std::string text(engine::kEngineNames.name(engine::decide_engine(words)));
  text += " ";
  text += engine::kRoleNames.name(claim.role);
  const auto add = [&](std::string_view key, const std::optional<std::uint32_t>& rank) {
    if (rank) text += " " + std::string(key) + "=" + std::to_string(*rank);
  };
  add("dp", claim.ranks.dp);
  add("pp", claim.ranks.pp);
  add("tp", claim.ranks.tp);
  add("ep", claim.ranks.ep);
  return text;
}

}  // namespace

TEST_CASE("every command line of the corpus is told apart", "[engine][corpus]") {
  const auto lines = read_corpus();
  CHECK(lines.size() >= 150);
  for (const auto& line : lines) {
    INFO(line.place);
    CHECK(describe(line) == line.expected);
  }
}
