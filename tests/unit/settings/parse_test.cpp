// SPDX-License-Identifier: Apache-2.0
// What good settings become, and what each bad one is told.
#include "support/settings_text.hpp"

using namespace std::chrono_literals;
using namespace allocd::settings;
using allocd::base::SourcePosition;
using allocd::test::good;
using allocd::test::report;

TEST_CASE("all keys at once") {
  const auto settings = good(
      "version: 1\n"
      "observe:\n"
      "  interval: 5s\n"
      "  recheck_interval: 1h\n"
      "  read_deadline: 250ms\n"
      "  max_processes_per_unit: 65536\n"
      "services:\n"
      "  vllm:\n"
      "    select:\n"
      "      - unit: vllm@*\n"
      "      - cgroup: /machine.slice/libpod-*.scope\n"
      "    allocator: jemalloc\n"
      "  tgi:\n"
      "    select: [unit: tgi.service]\n");
  CHECK(settings.observe == Observe{5s, 1h, 250ms, 65536});
  CHECK(settings.files == std::vector<std::string>{"allocd.yaml"});
  REQUIRE(settings.services.size() == 2);
  CHECK(settings.services[0] ==
        Service{
            "vllm",
            {{SelectorKind::unit, "vllm@*.service", SourcePosition{"allocd.yaml", 10, 15}},
             {SelectorKind::cgroup, "/machine.slice/libpod-*.scope", SourcePosition{"allocd.yaml", 11, 17}}},
            Wanted::jemalloc,
            SourcePosition{"allocd.yaml", 8, 3}});
  CHECK(settings.services[1].allocator == Wanted::any);
}

TEST_CASE("nothing set leaves the defaults") {
  for (const auto* text : {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "~", "{}", "observe:\n",
                           "services:\n", "observe: {}\nservices: {}\n", "version: 1\n"}) {
    INFO(text);
    const auto settings = good(text);
    CHECK(settings.observe == Observe{});
    CHECK(settings.services.empty());
  }
}

TEST_CASE("later files override observe and add services") {
  const auto loaded = parse_settings(
      {{"a", "observe: {interval: 5s, read_deadline: 1s}\nservices: {x: {select: [unit: x]}}\n"},
       {"b", "observe: {interval: 7s}\nservices: {y: {select: [unit: y]}}\n"}});
  REQUIRE(loaded);
  CHECK(loaded->observe.interval == 7s);
  CHECK(loaded->observe.read_deadline == 1s);
  REQUIRE(loaded->services.size() == 2);
  CHECK(loaded->services[1].position == SourcePosition{"b", 2, 12});
  CHECK(loaded->files == std::vector<std::string>{"a", "b"});
}

TEST_CASE("limits are inside their ranges") {
  CHECK(good("observe: {interval: 1s}").observe.interval == 1s);
  CHECK(good("observe: {interval: 10m}").observe.interval == 10min);
  CHECK(good("observe: {recheck_interval: 1d}").observe.recheck_interval == 24h);
  CHECK(good("observe: {read_deadline: 10ms}").observe.read_deadline == 10ms);
  CHECK(good("observe: {max_processes_per_unit: 1}").observe.max_processes_per_unit == 1);
  CHECK(report("observe: {interval: 999ms}") ==
        "allocd.yaml:1:21: 'interval' is '999ms', out of range\n"
        "    observe: {interval: 999ms}\n"
        "                        ^\n"
        "    hint: write 1s to 10m\n");
  CHECK(report("observe: {interval: 10m 1ms}").find("hint: write 1s to 10m\n") != std::string::npos);
  CHECK(report("observe: {recheck_interval: 9s}").find("hint: write 10s to 1d\n") != std::string::npos);
  CHECK(report("observe: {read_deadline: 61s}").find("hint: write 10ms to 1m\n") != std::string::npos);
  for (const auto* number : {"0", "65537", "-1", "4294967297", "99999999999999999999"}) {
    INFO(number);
    const auto shown = report(std::string("observe: {max_processes_per_unit: ") + number + "}");
    CHECK(shown.find(std::string("'max_processes_per_unit' is '") + number + "', out of range\n") !=
          std::string::npos);
    CHECK(shown.find("hint: write 1 to 65536\n") != std::string::npos);
  }
}

TEST_CASE("all problems come at once, in order of place") {
  CHECK(report("observe:\n"
               "  intervall: 10s\n"
               "  interval: 10\n"
               "  max_processes_per_unit: 010\n"
               "services:\n"
               "  vllm:\n"
               "    allocator: jemaloc\n") ==
        "allocd.yaml:2:3: unknown key 'intervall'\n"
        "      intervall: 10s\n"
        "      ^\n"
        "    hint: did you mean 'interval'?\n"
        "allocd.yaml:3:13: bad duration '10' for 'interval': it has no unit\n"
        "      interval: 10\n"
        "                ^\n"
        "    hint: write 10s\n"
        "allocd.yaml:4:27: 'max_processes_per_unit' must be a whole number, not '010'\n"
        "      max_processes_per_unit: 010\n"
        "                              ^\n"
        "    hint: a leading zero means octal to some YAML readers: write 10\n"
        "allocd.yaml:6:3: service 'vllm' has no 'select'\n"
        "      vllm:\n"
        "      ^\n"
        "    hint: write 'select:' with at least one selector below it\n"
        "allocd.yaml:7:16: unknown allocator 'jemaloc'\n"
        "        allocator: jemaloc\n"
        "                   ^\n"
        "    hint: did you mean 'jemalloc'?\n");
}

TEST_CASE("a key in the wrong place is told its place") {
  CHECK(report("interval: 10s\n") ==
        "allocd.yaml:1:1: unknown key 'interval'\n"
        "    interval: 10s\n"
        "    ^\n"
        "    hint: 'interval' belongs under 'observe'; known keys: version, mode, persist, "
        "max_concurrent_restarts, observe, node, services\n");
  CHECK(report("select: []\n").find("hint: 'select' belongs under 'services.NAME'; ") != std::string::npos);
  CHECK(report("quux: 1\n") ==
        "allocd.yaml:1:1: unknown key 'quux'\n"
        "    quux: 1\n"
        "    ^\n"
        "    hint: known keys: version, mode, persist, max_concurrent_restarts, observe, node, services\n");
}

TEST_CASE("a value left out is blamed on its key") {
  CHECK(report("observe:\n  interval:\n  read_deadline: 1s\n") ==
        "allocd.yaml:2:3: 'interval' has no value\n"
        "      interval:\n"
        "      ^\n"
        "    hint: write a duration, such as 10s\n");
  CHECK(report("version: ~\n").find("allocd.yaml:1:1: 'version' has no value\n") == 0);
  CHECK(report("services: {a: {select: [unit: a], allocator: }}\n")
            .find("allocd.yaml:1:35: 'allocator' has no value\n") == 0);
}

TEST_CASE("wrong types") {
  CHECK(report("observe: 3\n") ==
        "allocd.yaml:1:10: 'observe' must be a map, not a text\n"
        "    observe: 3\n"
        "             ^\n"
        "    hint: write keys such as 'interval: 10s' below it\n");
  CHECK(report("services: [a]\n").find("allocd.yaml:1:11: 'services' must be a map, not a list\n") == 0);
  CHECK(report("observe: {interval: {a: 1}}\n")
            .find("allocd.yaml:1:21: 'interval' must be a duration, not a map\n") == 0);
  CHECK(report("observe: {interval: [10s]}\n").find("'interval' must be a duration, not a list\n") !=
        std::string::npos);
  CHECK(report("services: {a: [unit: x]}\n").find("'a' must be a map, not a list\n") != std::string::npos);
  CHECK(report("services: {a: {select: x}}\n").find("'select' must be a list, not a text\n") !=
        std::string::npos);
  CHECK(report("- a\n") ==
        "allocd.yaml:1:1: the file must hold a map, not a list\n"
        "    - a\n"
        "    ^\n"
        "    hint: write keys such as 'services:'\n");
  CHECK(report("interval:10s\n") ==
        "allocd.yaml:1:1: the file must hold a map, not a text\n"
        "    interval:10s\n"
        "    ^\n"
        "    hint: is a blank missing after the ':'?\n");
}

TEST_CASE("the version") {
  CHECK(report("version: {}\n").find("allocd.yaml:1:10: 'version' must be a whole number, not a map\n") == 0);
  CHECK(report("version: 2\n") ==
        "allocd.yaml:1:10: unknown version '2'\n"
        "    version: 2\n"
        "             ^\n"
        "    hint: this allocd reads version 1\n");
  CHECK(report("version: '1'\n") ==
        "allocd.yaml:1:10: 'version' must be a whole number, not the text '1'\n"
        "    version: '1'\n"
        "             ^\n"
        "    hint: remove the quotes\n");
  CHECK(report("version: 1.0\n").find("hint: write decimal digits only\n") != std::string::npos);
}

TEST_CASE("allocator words") {
  CHECK(
      report("services: {a: {select: [unit: a], allocator: off}}\n").find("hint: 'any' asks for nothing\n") !=
      std::string::npos);
  CHECK(report("services: {a: {select: [unit: a], allocator: hoard}}\n") ==
        "allocd.yaml:1:46: unknown allocator 'hoard'\n"
        "    services: {a: {select: [unit: a], allocator: hoard}}\n"
        "                                                 ^\n"
        "    hint: one of: any, glibc, jemalloc, tcmalloc, mimalloc\n");
  CHECK(good("services: {a: {select: [unit: a], allocator: \"mimalloc\"}}\n").services[0].allocator ==
        Wanted::mimalloc);
}

TEST_CASE("service names") {
  CHECK(report("services: {VLLM: {select: [unit: a]}}\n") ==
        "allocd.yaml:1:12: bad service name 'VLLM'\n"
        "    services: {VLLM: {select: [unit: a]}}\n"
        "               ^\n"
        "    hint: write a name of a-z, 0-9, '-' and '_', at most 64 long\n");
  CHECK(report("services: {on: {select: [unit: a]}}\n")
            .find("a service name must be a text, not the boolean 'on'\n") != std::string::npos);
  CHECK(report("services: {70: {select: [unit: a]}}\n")
            .find("a service name must be a text, not the number '70'\n") != std::string::npos);
  CHECK(good("services: {'70': {select: [unit: a]}, 70b: {select: [unit: b]}}\n").services.size() == 2);
  const std::string longest(64, 'a');
  CHECK(good("services: {" + longest + ": {select: [unit: a]}}\n").services[0].name == longest);
  CHECK(report("services: {" + longest + "a: {select: [unit: a]}}\n").find("bad service name") !=
        std::string::npos);
}

TEST_CASE("empty services and selectors") {
  CHECK(report("services:\n  vllm:\n") ==
        "allocd.yaml:2:3: service 'vllm' is empty\n"
        "      vllm:\n"
        "      ^\n"
        "    hint: write 'select:' with at least one selector below it\n");
  CHECK(report("services: {vllm: {}}\n").find("allocd.yaml:1:12: service 'vllm' is empty\n") == 0);
  CHECK(report("services: {a: {select: []}}\n").find("allocd.yaml:1:24: 'select' is empty\n") == 0);
  CHECK(report("services: {a: {select: }}\n").find("allocd.yaml:1:16: 'select' has no value\n") == 0);
  CHECK(report("services: {a: {select: [{}]}}\n").find("allocd.yaml:1:25: empty selector\n") == 0);
  CHECK(report("services: {a: {select: [unit: ]}}\n").find("allocd.yaml:1:25: 'unit' has no value\n") == 0);
  CHECK(report("services: {a: {select: [unit: '']}}\n").find("allocd.yaml:1:31: empty selector\n") == 0);
  CHECK(report("services:\n  a:\n    select:\n      -\n").find("allocd.yaml:3:5: empty selector\n") == 0);
}

TEST_CASE("selectors of the wrong shape") {
  CHECK(report("services: {a: {select: [vllm, /m]}}\n") ==
        "allocd.yaml:1:25: a selector must be a map, not a text\n"
        "    services: {a: {select: [vllm, /m]}}\n"
        "                            ^\n"
        "    hint: write '- unit: vllm'\n"
        "allocd.yaml:1:31: a selector must be a map, not a text\n"
        "    services: {a: {select: [vllm, /m]}}\n"
        "                                  ^\n"
        "    hint: write '- cgroup: /m'\n");
  CHECK(
      report("services: {a: {select: [{unit: a, cgroup: /b}]}}\n").find("1:25: a selector holds one key\n") !=
      std::string::npos);
  CHECK(report("services: {a: {select: [units: a]}}\n").find("hint: did you mean 'unit'?\n") !=
        std::string::npos);
  CHECK(report("services: {a: {select: [unit: 12]}}\n") ==
        "allocd.yaml:1:31: 'unit' must be a text, not the number '12'\n"
        "    services: {a: {select: [unit: 12]}}\n"
        "                                  ^\n"
        "    hint: write '12' in quotes if you mean the text\n");
  CHECK(good("services: {a: {select: [unit: '12']}}\n").services[0].selectors[0].pattern == "12.service");
}

TEST_CASE("a bad pattern is shown where it stands") {
  CHECK(
      report("services:\n  a:\n    select:\n      - unit: vllm@.service\n") ==
      "allocd.yaml:4:15: bad selector 'unit: vllm@.service': a template runs no processes, its instances do\n"
      "          - unit: vllm@.service\n"
      "                  ^\n"
      "    hint: write vllm@*.service\n");
}

TEST_CASE("a selector is written once") {
  CHECK(report("services:\n  a: {select: [unit: x, unit: x.service]}\n") ==
        "allocd.yaml:2:31: repeated selector 'unit: x.service'\n"
        "      a: {select: [unit: x, unit: x.service]}\n"
        "                                  ^\n"
        "    hint: first in service 'a' at allocd.yaml:2:22\n");
  CHECK(report("services:\n  a: {select: [unit: x]}\n  b: {select: [unit: x]}\n")
            .find("allocd.yaml:3:22: repeated selector 'unit: x.service'\n") == 0);
  CHECK(report({{"1.yaml", "services: {a: {select: [cgroup: /x]}}"},
                {"2.yaml", "services: {b: {select: [cgroup: /x]}}"}}) ==
        "2.yaml:1:33: repeated selector 'cgroup: /x'\n"
        "    services: {b: {select: [cgroup: /x]}}\n"
        "                                    ^\n"
        "    hint: first in service 'a' at 1.yaml:1:33\n");
}

TEST_CASE("a service stands in one file") {
  CHECK(report({{"1.yaml", "services:\n  a: {select: [unit: x]}\n"},
                {"2.yaml", "services:\n  a: {select: [unit: y]}\n"}}) ==
        "2.yaml:2:3: service 'a' is defined twice\n"
        "      a: {select: [unit: y]}\n"
        "      ^\n"
        "    hint: first at 1.yaml:2:3\n");
}

TEST_CASE("problems of several files come in order of files") {
  const auto loaded =
      parse_settings({{"z.yaml", "b: 1\na: 1\n"}, {"y.yaml", "version: 1\n"}, {"x.yaml", "c: 1\n"}});
  REQUIRE_FALSE(loaded);
  REQUIRE(loaded.error().size() == 3);
  CHECK(loaded.error()[0].position == SourcePosition{"z.yaml", 1, 1});
  CHECK(loaded.error()[1].position == SourcePosition{"z.yaml", 2, 1});
  CHECK(loaded.error()[2].position == SourcePosition{"x.yaml", 1, 1});
}

TEST_CASE("a file with very many problems is cut") {
  std::string text;
  for (int i = 0; i < 150; ++i) text += "a" + std::to_string(i) + ": 1\n";
  const auto loaded = allocd::test::load_text(text);
  REQUIRE_FALSE(loaded);
  REQUIRE(loaded.error().size() == 101);
  CHECK(render_problem(loaded.error()[100]) == "allocd.yaml: 50 more problems are not shown\n");
}
