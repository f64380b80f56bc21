// SPDX-License-Identifier: Apache-2.0
#include "engine/command.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace allocd::engine;
using Line = std::vector<std::string>;

TEST_CASE("python: what follows the options is what runs", "[engine]") {
  const auto form = [](const Line& line) { return parse_command(line).form; };
  CHECK(parse_command(Line{"python3", "-m", "a.b", "x"}).name == "a.b");
  CHECK(parse_command(Line{"python3", "-m", "a.b", "x"}).arguments == Line{"x"});
  CHECK(parse_command(Line{"python3.12", "-Bum", "a.b"}).name == "a.b");
  CHECK(parse_command(Line{"python3", "-ma.b"}).name == "a.b");
  CHECK(parse_command(Line{"python3", "-X", "-m", "x.py"}).path == "x.py");  // -m is the value of -X
  CHECK(parse_command(Line{"python3", "--version"}).form == Form::interpreter);
  CHECK(parse_command(Line{"pypy3", "-c", "pass", "vllm"}).form == Form::code);
  CHECK(form({"python3", "-m"}) == Form::interpreter);
  CHECK(form({"python3"}) == Form::interpreter);
  CHECK(form({"python3", "-"}) == Form::interpreter);
  CHECK(form({"python-config"}) == Form::program);
  CHECK(form({"pythonista", "-m", "x"}) == Form::program);
}

TEST_CASE("wrappers: their own words are skipped", "[engine]") {
  const auto inner = [](const Line& line) {
    const Command command = parse_command(line);
    REQUIRE(command.form == Form::wrapper);
    return command.arguments;
  };
  CHECK(inner({"env", "A=1", "-u", "B", "C=/x/y=z", "prog", "D=1"}) == Line{"prog", "D=1"});
  CHECK(inner({"env", "-S", "A=1 prog x", "y"}) == Line{"env", "A=1", "prog", "x", "y"});
  CHECK(inner({"timeout", "-k", "5", "60", "prog", "-k"}) == Line{"prog", "-k"});
  CHECK(inner({"timeout", "--kill-after=5", "60", "prog"}) == Line{"prog"});
  CHECK(inner({"taskset", "-c", "0-3", "prog"}) == Line{"prog"});
  CHECK(inner({"mpirun", "-n", "2", "--mca", "btl", "tcp", "prog"}) == Line{"prog"});
  CHECK(inner({"uv", "--directory", "/srv", "run", "--", "prog"}) == Line{"prog"});
  CHECK(inner({"uv", "run", "-m", "a.b", "c"}) == Line{"python", "-m", "a.b", "c"});
  CHECK(inner({"nice"}).empty());
  CHECK(inner({"timeout", "60"}).empty());
  CHECK(inner({"env", "-u"}).empty());
  CHECK(parse_command(Line{"uv", "pip", "install", "x"}).form == Form::program);
  CHECK(parse_command(Line{"conda"}).form == Form::program);
}

TEST_CASE("shell text: the commands, without what stands around them", "[engine]") {
  using Script = std::vector<Line>;
  CHECK(split_shell_text("a b; c && d || e | f & g\nh") ==
        Script{{"a", "b"}, {"c"}, {"d"}, {"e"}, {"f"}, {"g"}, {"h"}});
  CHECK(split_shell_text("A=1 B='x y' exec prog A=2") == Script{{"prog", "A=2"}});
  CHECK(split_shell_text(R"(p 'a b' "c \" d" e\ f "" x"y"'z')") ==
        Script{{"p", "a b", "c \" d", "e f", "", "xyz"}});
  CHECK(split_shell_text("p ${MODEL} $(date) # not this; nor this\nq") ==
        Script{{"p", "${MODEL}", "$"}, {"date"}, {"q"}});
  CHECK(split_shell_text("p 2>&1 x") == Script{{"p", "2>&1", "x"}});
  CHECK(split_shell_text("p 'never closed") == Script{{"p", "never closed"}});
  CHECK(split_shell_text("p \\") == Script{{"p", ""}});
  CHECK(split_shell_text("if ! true; then prog x; fi") == Script{{"true"}, {"prog", "x"}, {"fi"}});
  CHECK(split_shell_text("").empty());
  CHECK(split_shell_text(";;&&||").empty());
}

TEST_CASE("final commands: nesting is followed only so far", "[engine]") {
  CHECK(find_final_commands(Line{"sudo", "env", "nice", "bash", "-c", "a; b"}).size() == 2);
  Line deep(100, "nohup");
  deep.emplace_back("prog");
  CHECK(find_final_commands(deep).empty());
  CHECK(find_final_commands(Line{"bash", "script.sh"}).size() == 1);
  CHECK(find_final_commands(Line{""}).empty());
}
