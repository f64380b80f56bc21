// SPDX-License-Identifier: Apache-2.0
#include "unitfile/drop_in_text.hpp"

#include <algorithm>
#include <string>

#include "support/catch.hpp"
#include "unitfile/checksum.hpp"
#include "unitfile/environment_file.hpp"
#include "unitfile/unit_text.hpp"

using namespace allocd::unitfile;

namespace {

const DropInBody kBody{{"[Service]", "Environment=\"LD_PRELOAD=libjemalloc.so.2\""}};

std::string sample() {
  return render_owned_text({.unit = "vllm@.service", .policy = "jemalloc", .version = "0.1.0"}, kBody);
}

}  // namespace

TEST_CASE("the checksum is SHA-256") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("an owned text says who wrote it, why and how to undo it") {
  const auto text = sample();
  CHECK(text.starts_with(
      "# Written by allocd 0.1.0 for vllm@.service. Do not edit: allocd leaves an edited file alone "
      "and reports it as tampered.\n# Policy: jemalloc\n# Undo: allocctl revert vllm@.service\n"
      "# Checksum: sha256:"));
  CHECK(text.ends_with("\n[Service]\nEnvironment=\"LD_PRELOAD=libjemalloc.so.2\"\n"));
  CHECK(decide_ownership(text) == Ownership::ours);
}

TEST_CASE("edits are tampering") {
  auto text = sample();
  CHECK(decide_ownership(text + "\n") == Ownership::tampered);
  CHECK(decide_ownership(text + "Nice=1\n") == Ownership::tampered);
  CHECK(decide_ownership(text.substr(0, text.size() - 1)) == Ownership::tampered);
  CHECK(decide_ownership(text.substr(0, 40)) == Ownership::tampered);
  const auto checksum = text.find("# Checksum");
  auto without = text;
  without.erase(checksum, text.find('\n', checksum) + 1 - checksum);
  CHECK(decide_ownership(without) == Ownership::tampered);
  text[text.find("jemalloc")] = 'J';
  CHECK(decide_ownership(text) == Ownership::tampered);
}

TEST_CASE("the newline after the checksum counts even when nothing follows") {
  const auto text = render_owned_text({.unit = "a.service", .policy = "x", .version = "1"}, {});
  CHECK(decide_ownership(text) == Ownership::ours);
  CHECK(decide_ownership(text.substr(0, text.size() - 1)) == Ownership::tampered);
}

TEST_CASE("a file that is not ours is foreign, whatever it says of allocd further down") {
  CHECK(decide_ownership("") == Ownership::foreign);
  CHECK(decide_ownership("[Service]\n# Written by allocd 1 for a.service.\n") == Ownership::foreign);
  CHECK(decide_ownership("\n" + sample()) == Ownership::foreign);
  CHECK(decide_ownership("\xEF\xBB\xBF" + sample()) == Ownership::foreign);
  CHECK(decide_ownership("# Written by allocator 3\n") == Ownership::foreign);
}

TEST_CASE("nothing in a header breaks out of its comment") {
  using namespace std::string_literals;
  const auto hostile = "x\n[Service]\r\nExecStart=/bin/sh\0\nNice=1\x1b]\xff\\"s;
  const auto text =
      render_owned_text({.unit = hostile, .policy = hostile + hostile, .version = hostile}, kBody);
  CHECK(decide_ownership(text) == Ownership::ours);
  const auto parsed = parse_unit_text(text);
  REQUIRE(parsed.assignments.size() == 1);
  CHECK(parsed.assignments[0].key == "Environment");
  CHECK(parsed.problems.empty());
  CHECK(std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\0' || c == '\x1b'; }));
}

TEST_CASE("a header of any length leaves lines that systemd reads") {
  const std::string endless(2 * kLongestLine, 'x');
  const auto text = render_owned_text({.unit = endless, .policy = endless, .version = endless}, kBody);
  CHECK(parse_unit_text(text).is_whole);
  CHECK(parse_unit_text(text).assignments.size() == 1);
}

TEST_CASE("the way back can be pasted into a shell") {
  const auto text = render_owned_text({.unit = "a\\x2db;c'd.service", .policy = "", .version = ""}, {});
  CHECK(text.find("# Undo: allocctl revert 'a\\x2db;c'\\''d.service'\n") != std::string::npos);
}

TEST_CASE("the same text can be an environment file, by either comment rule") {
  const auto rule = GENERATE(CommentRule::ends_with_line, CommentRule::continues);
  const auto text = render_owned_text({.unit = "a\\", .policy = "b\\", .version = "c\\"}, {{"A=\"1\""}});
  const auto content = parse_environment_file(text, rule);
  CHECK(content.assignments == std::vector<FileAssignment>{{"A", "1", 5}});
}
