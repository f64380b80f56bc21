// SPDX-License-Identifier: Apache-2.0
// A line of maps as the kernel renders it (fs/proc/task_mmu.c: show_map_vma, seq_path) is read back as what
// it was rendered from: whatever the path, to its last blank. Seeds are printed on failure.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernel/maps.hpp"
#include "support/catch.hpp"
#include "support/rounds.hpp"

namespace {

using namespace allocd;

struct Made {
  kernel::Mapping mapping;
  std::string path;  // its true name
};

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : random_(seed) {}

  // In address order, as the kernel gives them.
  std::vector<Made> process() {
    std::vector<Made> made(below(20));
    std::uint64_t address = 0x1000;
    for (auto& each : made) {
      each.mapping.start = address += std::uint64_t{below(1000)} << 12U;
      each.mapping.end = address += std::uint64_t{1 + below(1U << 20U)} << 12U;
      each.mapping.readable = flag();
      each.mapping.writable = flag();
      each.mapping.executable = flag();
      each.mapping.is_private = flag();
      if (flag()) continue;
      each.mapping.offset = std::uint64_t{random_()} << 12U;
      each.mapping.device_major = below(1U << 12U);
      each.mapping.device_minor = below(1U << 20U);
      each.mapping.inode = (std::uint64_t{random_()} << 32U) + 1 + below(UINT32_MAX);
      each.path = "/" + name();
    }
    return made;
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  bool flag() { return below(2) == 0; }
  // No NUL; and no backslash: the kernel does not escape it in this file, and what looks like "\012" is taken
  // as a newline. The unit tests hold that.
  std::string name() {
    static const std::vector<std::string> kPieces{"a",         " ",          "  ",     "\n",     "\t", "/",
                                                  "(deleted)", " (deleted)", "[heap]", "012",    "é",  "\xff",
                                                  "\x7f",      "lib.so",     "\x01",   "00:00 0"};
    std::string text;
    for (auto n = below(8); n > 0; --n) text += kPieces[below(static_cast<std::uint32_t>(kPieces.size()))];
    return text + "x";
  }

  std::mt19937 random_;
};

// As seq_path with "\n" to escape, behind a column the kernel pads to with blanks.
std::string render(const Made& made) {
  const auto& m = made.mapping;
  std::string line = fmt::format("{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ", m.start, m.end,
                                 m.readable ? 'r' : '-', m.writable ? 'w' : '-', m.executable ? 'x' : '-',
                                 m.is_private ? 'p' : 's', m.offset, m.device_major, m.device_minor, m.inode);
  if (!made.path.empty()) {
    line.resize(std::max<std::size_t>(line.size(), 73), ' ');
    for (const char c : made.path) line += c == '\n' ? std::string("\\012") : std::string(1, c);
  }
  return line + "\n";
}

}  // namespace

TEST_CASE("maps: what the kernel renders is read back as it was") {
  for (int round = 0; round < test::rounds(2000); ++round) {
    const auto seed = static_cast<std::uint32_t>(round);
    const auto made = Maker(seed).process();
    std::string text;
    for (const auto& each : made) text += render(each);
    INFO("seed " << seed << "\n" << text);
    std::size_t at = 0;
    const int result = kernel::visit_maps_text(text, [&](const kernel::Mapping& mapping) {
      REQUIRE(at < made.size());
      const auto& expected = made[at].mapping;
      CHECK(mapping.start == expected.start);
      CHECK(mapping.end == expected.end);
      CHECK(mapping.readable == expected.readable);
      CHECK(mapping.writable == expected.writable);
      CHECK(mapping.executable == expected.executable);
      CHECK(mapping.is_private == expected.is_private);
      CHECK(mapping.offset == expected.offset);
      CHECK(mapping.device_major == expected.device_major);
      CHECK(mapping.device_minor == expected.device_minor);
      CHECK(mapping.inode == expected.inode);
      CHECK(kernel::unescape_maps_path(mapping.path) == made[at].path);
      ++at;
    });
    CHECK(result == 0);
    CHECK(at == made.size());
  }
}
