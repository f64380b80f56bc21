// SPDX-License-Identifier: Apache-2.0
#include "unitfile/words.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "unitfile/specifiers.hpp"

using namespace allocd::unitfile;

namespace {

using Strings = std::vector<std::string>;

// The words; a last "<malformed>" for a value that is cut short.
Strings split(std::string_view text, Escapes escapes = Escapes::c_style) {
  Words words(text, escapes);
  Strings out;
  std::string word;
  for (;;) {
    const auto step = words.next(word);
    if (step == Words::Step::malformed) out.emplace_back("<malformed>");
    if (step != Words::Step::word) return out;
    out.push_back(word);
  }
}

std::string expand(std::string_view text, const Specifiers& specifiers) {
  const auto expanded = expand_specifiers(text, specifiers);
  if (expanded.outcome == Expansion::Outcome::refused) return "<refused>";
  return expanded.outcome == Expansion::Outcome::unresolved ? "<unresolved> " + expanded.text : expanded.text;
}

}  // namespace

TEST_CASE("quotes hold together, also in the middle of a word, and vanish") {
  CHECK(split(R"(A=b "C=d e" 'F="g"' H="i j"k  L='')") == Strings{"A=b", "C=d e", "F=\"g\"", "H=i jk", "L="});
  CHECK(split(R"("")") == Strings{""});
  CHECK(split(" \t ").empty());
}

TEST_CASE("C escapes mean the same in and out of either quote") {
  CHECK(split(R"(a\x41\101\n '\x41\'' "\"\s\u00e9\U0001F600")") ==
        Strings{"aAA\n", "A'", "\" \xC3\xA9\xF0\x9F\x98\x80"});
}

TEST_CASE("what systemd cannot unescape or unquote cuts the rest of the value off") {
  const auto bad = GENERATE(as<std::string>(), "\\e", "\\", "\\x", "\\x4", "\\x00", "\\000", "\\400", "\\18",
                            "\\u00", "\\u0000", "\\U00110000", "\\U0000fffe", "'a", "\"a\\\"", "a\"");
  CHECK(split("A=1 " + bad) == Strings{"A=1", "<malformed>"});
}

TEST_CASE("without escapes a backslash keeps the next character") {
  CHECK(split(R"(\A \x41 "\"" \ b)", Escapes::literal) == Strings{"A", "x41", "\"", " b"});
  CHECK(split("a\\", Escapes::literal) == Strings{"<malformed>"});
}

TEST_CASE("specifiers of a template's instance") {
  const auto unit =
      Specifiers::of_unit("a-b\\x2dc@x-y\\x20z.service", "/etc/systemd/system/a-b\\x2dc@.service");
  CHECK(expand("%n|%N|%p|%P", unit) == "a-b\\x2dc@x-y\\x20z.service|a-b\\x2dc@x-y\\x20z|a-b\\x2dc|a/b-c");
  CHECK(expand("%i|%I|%j|%J|%f", unit) == "x-y\\x20z|x/y z|b\\x2dc|b-c|/x/y z");
  CHECK(expand("%y|%Y", unit) == "/etc/systemd/system/a-b\\x2dc@.service|/etc/systemd/system");
}

TEST_CASE("specifiers of a plain unit") {
  const auto unit = Specifiers::of_unit("srv-models.service", "");
  CHECK(expand("%p|%i|%I|%j|%f", unit) == "srv-models|||models|/srv/models");
  CHECK(
      expand("%t|%S|%C|%L|%E|%T|%V|%u|%h|%d", unit) ==
      "/run|/var/lib|/var/cache|/var/log|/etc|/tmp|/var/tmp|root|/root|/run/credentials/srv-models.service");
  CHECK(expand("%y", unit) == "<unresolved> %y");
}

TEST_CASE("a specifier that this unit has no answer for is refused, as systemd does") {
  CHECK(expand("%f", Specifiers::of_unit("-lead.service", "")) == "<refused>");
  CHECK(expand("%f", Specifiers::of_unit("a@b--c.service", "")) == "<refused>");
  CHECK(expand("%f", Specifiers::of_unit("a@up-..-down.service", "")) == "<refused>");
  CHECK(expand("%f", Specifiers::of_unit("x_0123456789abcdef.service", "")) == "<refused>");
  CHECK(expand("%f", Specifiers::of_unit("a@-.service", "")) == "/");
  CHECK(expand("%I", Specifiers::of_unit("a@b\\y.service", "")) == "<refused>");
}

TEST_CASE("percent signs that specify nothing") {
  const auto unit = Specifiers::of_unit("a.service", "");
  CHECK(expand("%%n % %=%", unit) == "%n % %=%");
  CHECK(expand("%K", unit) == "<refused>");
  CHECK(expand("%9", unit) == "<refused>");
  CHECK(expand("%H is not known here, %p is", unit) == "<unresolved> %H is not known here, a is");
}
