// SPDX-License-Identifier: Apache-2.0
// Where YAML, or the library that reads it, would let something else pass than what was meant.
#include "support/settings_text.hpp"

using allocd::test::good;
using allocd::test::report;

namespace {

// The first line of the report: position and message.
std::string first_line(const std::string& report) {
  return report.substr(0, report.find('\n'));
}

std::string repeat(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("repeated keys, at every depth and in every style") {
  CHECK(report("observe:\n  interval: 5s\n  interval: 6s\n") ==
        "allocd.yaml:3:3: repeated key 'interval'\n"
        "      interval: 6s\n"
        "      ^\n"
        "    hint: first at line 2, column 3\n");
  CHECK(first_line(report("observe: {interval: 5s, interval: 5s}")) ==
        "allocd.yaml:1:25: repeated key 'interval'");
  CHECK(first_line(report("version: 1\nversion: 1\n")) == "allocd.yaml:2:1: repeated key 'version'");
  CHECK(first_line(report("version: 1\n\"version\": 1\n")) == "allocd.yaml:2:1: repeated key 'version'");
  CHECK(first_line(report("services:\n  a: {select: [unit: a]}\n  a: {select: [unit: b]}\n")) ==
        "allocd.yaml:3:3: repeated key 'a'");
  CHECK(first_line(report("services: {a: {select: [{unit: a, unit: b}]}}")) ==
        "allocd.yaml:1:25: a selector holds one key");
  CHECK(report("services: {a: {select: [{unit: a, unit: b}]}}").find("1:35: repeated key 'unit'\n") !=
        std::string::npos);
}

TEST_CASE("references are not followed") {
  CHECK(report("services:\n  a: {select: [unit: a], allocator: &x jemalloc}\n  b: {select: [unit: b], "
               "allocator: *x}\n") ==
        "allocd.yaml:3:37: aliases are not accepted\n"
        "      b: {select: [unit: b], allocator: *x}\n"
        "                                        ^\n"
        "    hint: write the value out; put a pattern that begins with '*' in quotes\n");
  CHECK(good("services:\n  a: &unused {select: [unit: a]}\n").services.size() == 1);
  CHECK(report("observe: &o {interval: 5s}\nservices:\n  a:\n    <<: *o\n    select: [unit: a]\n") ==
        "allocd.yaml:4:5: merge keys ('<<') are not accepted\n"
        "        <<: *o\n"
        "        ^\n"
        "    hint: write the keys out\n");
  CHECK(first_line(report("a: *nowhere\n")) == "allocd.yaml:1:4: a '*' begins an alias");
}

TEST_CASE("an alias bomb stays small") {
  std::string bomb = "a0: &a0 [x]\n";
  for (int i = 1; i < 40; ++i) {
    const auto last = std::to_string(i - 1);
    bomb +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + repeat("*a" + last + ", ", 9) + "]\n";
  }
  const auto loaded = allocd::test::load_text(bomb);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().size() == 101);
}

TEST_CASE("a pattern that begins with a star needs quotes") {
  CHECK(report("services:\n  a:\n    select:\n      - unit: *.service\n") ==
        "allocd.yaml:4:15: a '*' begins an alias\n"
        "          - unit: *.service\n"
        "                  ^\n"
        "    hint: put a pattern that begins with '*' in quotes\n");
  CHECK(
      good("services:\n  a:\n    select:\n      - unit: \"*.service\"\n").services[0].selectors[0].pattern ==
      "*.service");
}

TEST_CASE("tags and odd keys") {
  CHECK(report("version: !!int 1\n") ==
        "allocd.yaml:1:10: tags are not accepted\n"
        "    version: !!int 1\n"
        "             ^\n"
        "    hint: remove the word that begins with '!'\n");
  CHECK(first_line(report("observe: !o {}\n")) == "allocd.yaml:1:10: tags are not accepted");
  CHECK(first_line(report("? [a]\n: 1\n")) == "allocd.yaml:1:3: a key must be a name, not a list");
  CHECK(first_line(report(": 1\n")) == "allocd.yaml:1:1: a key must be a name, not nothing");
  CHECK(first_line(report("~: 1\n")) == "allocd.yaml:1:1: a key must be a name, not nothing");
  CHECK(first_line(report("1: 1\n")) == "allocd.yaml:1:1: unknown key '1'");
  CHECK(first_line(report("{a: 1}: 1\n")) == "allocd.yaml:1:1: a key must be a name, not a map");
}

TEST_CASE("numbers that YAML readers disagree about") {
  for (const auto* number :
       {"010", "0x10", "0o10", "1_000", "4096.0", "4e3", "+5", "'4096'", "4k", "12:30"}) {
    INFO(number);
    const auto shown = report(std::string("observe: {max_processes_per_unit: ") + number + "}");
    CHECK(first_line(shown).find("allocd.yaml:1:35: 'max_processes_per_unit' must be a whole number, not ") ==
          0);
  }
  CHECK(report("observe: {max_processes_per_unit: 00}").find("write 0\n") != std::string::npos);
}

TEST_CASE("more than one document") {
  CHECK(report("version: 1\n---\nversion: 1\n") ==
        "allocd.yaml:2:1: a second YAML document begins here\n"
        "    ---\n"
        "    ^\n"
        "    hint: one file holds one document; use several files\n");
  CHECK(first_line(report("version: 1\n---\n")) == "allocd.yaml:2:1: a second YAML document begins here");
  CHECK(good("---\nversion: 1\n...\n").version == 1);
  CHECK(good("%YAML 1.2\n---\nversion: 1\n").version == 1);
}

TEST_CASE("text behind the settings is not dropped") {
  CHECK(first_line(report("- a\nversion: 1\n")) == "allocd.yaml:2:1: the settings end before this line");
  CHECK(first_line(report("version: 1\n...\nmore\n")) ==
        "allocd.yaml:3:1: the settings end before this line");
  CHECK(first_line(report("{}\nversion: 1\n")) == "allocd.yaml:2:1: the settings end before this line");
}

TEST_CASE("an open quote does not swallow the rest of the file") {
  CHECK(report("version: 1\nobserve:\n  interval: \"10s\n  read_deadline: 1s\n") ==
        "allocd.yaml:3:3: a quote is not closed\n"
        "      interval: \"10s\n"
        "      ^\n"
        "    hint: close the quote\n");
  CHECK(first_line(report("version: '1\n")) == "allocd.yaml:1:1: a quote is not closed");
  CHECK(first_line(report("\"")) == "allocd.yaml:1:1: a quote is not closed");
}

TEST_CASE("syntax") {
  CHECK(report("observe:\n  interval:10s\n  read_deadline: 1s\n") ==
        "allocd.yaml:3:16: a ':' where no key can stand\n"
        "      read_deadline: 1s\n"
        "                   ^\n"
        "    hint: is the line indented as its neighbours, is there a blank after each ':', is a quote "
        "missing?\n");
  CHECK(first_line(report("observe:\n  interval: 10s\n read_deadline: 1s\n")) ==
        "allocd.yaml:3:2: a line that is no 'key: value'");
  CHECK(first_line(report("observe: {interval: 10s\n")).find("a '{' is not closed") != std::string::npos);
  CHECK(first_line(report("a: [b\n")).find("a '[' is not closed") != std::string::npos);
  CHECK(first_line(report("a: }\n")) == "allocd.yaml:1:4: a ']' or '}' that closes nothing");
  CHECK(first_line(report("a: - b\n")) == "allocd.yaml:1:4: a '-' where no list item can stand");
  CHECK(first_line(report("a: @b\n")) == "allocd.yaml:1:4: a character that can begin no value");
}

TEST_CASE("nesting is bounded") {
  // A bracket inside a bracket may also begin a map ([[a]: b]), so the column is the parser's affair.
  for (const auto& text :
       {repeat("[", 4000), repeat("[\n", 100'000), repeat("{a: ", 1000), repeat("- ", 1000),
        repeat("? ", 1000), repeat("{? ", 1000), repeat("- ? ", 1000)}) {
    INFO(text.substr(0, 8));
    const auto line = first_line(report(text));
    CHECK(line.starts_with("allocd.yaml:"));
    CHECK(line.ends_with(": nested more than 32 levels deep"));
  }
  CHECK(first_line(report(repeat("[", 100'000))) == "allocd.yaml:1:1: line of 4096 bytes or more");
}

TEST_CASE("tabs") {
  CHECK(report("observe:\n\tinterval: 10s\n\tread_deadline: 1s\n") ==
        "allocd.yaml:2:1: tab in the indentation\n"
        "        interval: 10s\n"
        "    ^\n"
        "    hint: YAML indents with spaces (2 lines are affected)\n");
  CHECK(first_line(report("observe:\n  \tinterval: 10s\n")) == "allocd.yaml:2:3: tab in the indentation");
  CHECK(good("observe:\n  interval:\t5s\t# tabs between words\n\t# and before comments\n\t\n")
            .observe.interval == std::chrono::seconds(5));
}

TEST_CASE("line ends and byte order marks are read past") {
  using namespace std::chrono_literals;
  CHECK(good("\xEF\xBB\xBFobserve:\r\n  interval: 5s\r\n").observe.interval == 5s);
  CHECK(report("\xEF\xBB\xBFobserv: 1\r\n") ==
        "allocd.yaml:1:1: unknown key 'observ'\n"
        "    observ: 1\n"
        "    ^\n"
        "    hint: did you mean 'observe'?\n");
  CHECK(first_line(report("version: 1\robserve:\n")) ==
        "allocd.yaml:1:11: carriage return without a line feed");
}

TEST_CASE("bytes that are no text") {
  CHECK(report(std::string_view("version: 1\0\n", 12)) ==
        "allocd.yaml:1:11: NUL byte\n"
        "    version: 1\\x00\n"
        "              ^\n"
        "    hint: this is not a text file, or it is UTF-16: save it as UTF-8\n");
  CHECK(first_line(report("version: 1 # \xE9t\xE9\n")) == "allocd.yaml:1:14: byte \\xe9 is not UTF-8");
  CHECK(first_line(report("# \xC0\xAF\n")) == "allocd.yaml:1:3: byte \\xc0 is not UTF-8");
  CHECK(first_line(report("\xFF\xFEv")) == "allocd.yaml:1:1: byte \\xff is not UTF-8");
  CHECK(first_line(report("# \x1b[2J\n")) == "allocd.yaml:1:3: control character \\x1b");
  CHECK(first_line(report("# \xC2\x9B\n")) == "allocd.yaml:1:3: control character \\xc2\\x9b");
  CHECK(first_line(report("version: 1 # ends mid-character \xE2\x82")) ==
        "allocd.yaml:1:33: byte \\xe2 is not UTF-8");
}

TEST_CASE("columns count characters") {
  CHECK(first_line(report("observe: {\"ü\": 1, x: 2}\n")) == "allocd.yaml:1:11: unknown key 'ü'");
  CHECK(report("observe: {\"ü\": 1, x: 2}\n").find("allocd.yaml:1:19: unknown key 'x'\n") !=
        std::string::npos);
}

TEST_CASE("large files and long lines are refused before they are parsed") {
  CHECK(report(repeat("# a comment\n", 100'000)) ==
        "allocd.yaml: the file is larger than 1048576 bytes\n    hint: split it into several files\n");
  CHECK(good(repeat("#23456789012345\n", 65'536)).services.empty());
  CHECK(first_line(report("# " + std::string(5000, 'x') + "\n")) ==
        "allocd.yaml:1:1: line of 4096 bytes or more");
  CHECK(good("# " + std::string(4093, 'x') + "\n").services.empty());
}

TEST_CASE("escapes in quoted text do not reach the terminal") {
  CHECK(first_line(report("\"\\e[2J\\n\": 1\n")) == "allocd.yaml:1:1: unknown key '\\x1b[2J\\x0a'");
  CHECK(first_line(report("observe: {interval: \"\\0\"}\n")) ==
        "allocd.yaml:1:21: bad duration '\\x00' for 'interval': a number is missing");
}
