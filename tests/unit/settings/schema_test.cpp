// SPDX-License-Identifier: Apache-2.0
#include "settings/schema.hpp"

#include <algorithm>
#include <set>

#include "settings/document_rules.hpp"
#include "support/settings_text.hpp"

using allocd::settings::documented_keys;
using allocd::settings::KeyDoc;
using allocd::settings::looks_like_boolean;
using allocd::settings::looks_like_number;

namespace {

std::string defaults_as_yaml() {
  std::string yaml = "observe:\n";
  for (const auto& key : documented_keys()) {
    if (key.path.starts_with("observe.")) yaml += "  " + key.path.substr(8) + ": " + key.default_value + "\n";
  }
  return yaml;
}

}  // namespace

TEST_CASE("every key is documented once, in one sentence") {
  std::set<std::string> paths;
  for (const auto& key : documented_keys()) {
    INFO(key.path);
    CHECK(paths.insert(key.path).second);
    CHECK(!key.type.empty());
    CHECK(key.meaning.ends_with('.'));
    CHECK(std::ranges::count(key.meaning, '\n') == 0);
  }
  for (const auto* path : {"version",
                           "mode",
                           "persist",
                           "max_concurrent_restarts",
                           "observe.interval",
                           "observe.max_processes_per_unit",
                           "services.NAME.select",
                           "services.NAME.select[].cgroup",
                           "services.NAME.allocator",
                           "services.NAME.mode",
                           "services.NAME.library",
                           "services.NAME.malloc_conf",
                           "services.NAME.extra_preload",
                           "services.NAME.glibc",
                           "services.NAME.glibc.mmap_threshold",
                           "services.NAME.precedence",
                           "services.NAME.restart",
                           "services.NAME.window",
                           "services.NAME.settle",
                           "services.NAME.health",
                           "services.NAME.persist",
                           "services.NAME.model_paths",
                           "services.NAME.costly_reads",
                           "observe.node_interval",
                           "node.expect"}) {
    INFO(path);
    CHECK(paths.contains(path));
  }
}

TEST_CASE("documented defaults and ranges are those that are read") {
  const auto find = [](std::string_view path) {
    return *std::ranges::find(documented_keys(), path, &KeyDoc::path);
  };
  CHECK(find("observe.interval") ==
        KeyDoc{"observe.interval", "duration", "10s", "1s to 10m", "How often every process is sampled."});
  CHECK(find("observe.recheck_interval").range == "10s to 1d");
  CHECK(find("observe.max_processes_per_unit").default_value == "4096");
  CHECK(find("observe.node_interval").range == "10s to 1h");
  CHECK(find("observe.page_cache_interval").default_value == "5m");
  CHECK(find("observe.costly_longest").range == "1ms to 10s");
  CHECK(find("services.NAME.costly_reads").range == "smaps_rollup, numa_maps");
  CHECK(find("node.expect").range.find("thp.enabled, ") == 0);
  CHECK(find("services.NAME.allocator").range == "any, glibc, jemalloc, tcmalloc, mimalloc");
  CHECK(find("mode").default_value == "observe");
  CHECK(find("max_concurrent_restarts").range == "1 to 64");
  CHECK(find("services.NAME.restart").default_value == "never");
  CHECK(find("services.NAME.settle").default_value == "10m");
  CHECK(find("services.NAME.glibc.mmap_threshold").range == "0 to 32M");
  CHECK(allocd::test::good(defaults_as_yaml()).observe == allocd::settings::Observe{});
}

TEST_CASE("the ends of every documented range are accepted") {
  // What stands around the key, so that it is alone to blame.
  const auto around = [](const KeyDoc& key, const std::string& value) {
    const auto name = key.path.substr(key.path.rfind('.') + 1);
    const auto pair = name + ": " + value;
    if (key.path.starts_with("observe.")) return "observe: {" + pair + "}";
    if (!key.path.starts_with("services.")) return pair;
    const bool glibc = key.path.starts_with("services.NAME.glibc.");
    return "services: {a: {select: [unit: a], allocator: glibc, " + (glibc ? "glibc: {" + pair + "}" : pair) +
           "}}";
  };
  int ranges = 0;
  for (const auto& key : documented_keys()) {
    const auto to = key.range.find(" to ");
    if (to == std::string::npos) continue;
    ++ranges;
    INFO(key.path);
    CHECK(allocd::test::report(around(key, key.range.substr(0, to))) == std::string());
    CHECK(allocd::test::report(around(key, key.range.substr(to + 4))) == std::string());
  }
  CHECK(ranges == 13);
}

TEST_CASE("what other YAML readers take for numbers and booleans") {
  for (const auto* text :
       {"1", "-1", "+1", "010", "0x1F", "0o17", "1_000", "1.5", ".5", "1e3", "12:30:45", ".inf", "-.NaN"}) {
    INFO(text);
    CHECK(looks_like_number(text));
  }
  for (const auto* text : {"", "a", "70b", "1a", "-", ".", "e", "vllm-1", "0x", "1.2.service", "10s"}) {
    INFO(text);
    CHECK_FALSE(looks_like_number(text));
  }
  CHECK(looks_like_boolean("yes"));
  CHECK(looks_like_boolean("OFF"));
  CHECK_FALSE(looks_like_boolean("y"));
  CHECK_FALSE(looks_like_boolean("online"));
}
