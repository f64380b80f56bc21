// SPDX-License-Identifier: Apache-2.0
// What is asked of the machine, of model files and of costly reads.
#include <vector>

#include "support/settings_text.hpp"

using allocd::kernel::CostlyKind;
using allocd::node::Expectations;
using allocd::test::good;
using allocd::test::report;

namespace {

allocd::settings::Settings good_files(const std::vector<allocd::settings::SourceText>& sources) {
  const auto loaded = allocd::settings::parse_settings(sources);
  if (!loaded) FAIL(allocd::settings::render_problems(loaded.error()));
  return *loaded;
}

}  // namespace

TEST_CASE("expectations are taken as written, numbers and texts alike") {
  CHECK(good("").expect.empty());
  CHECK(good("node:\n").expect.empty());
  CHECK(good("node: {expect: }").expect.empty());
  const auto settings = good(
      "node:\n  expect:\n    thp.enabled: madvise|never\n    numa_balancing: 0\n    zone_reclaim_mode: '0'\n"
      "    max_map_count: \">=262144\"\n    hugepages.2M: 1..10\n    hugepages.1G: 4\n");
  CHECK(settings.expect == Expectations{{"thp.enabled", "madvise|never"},
                                        {"numa_balancing", "0"},
                                        {"zone_reclaim_mode", "0"},
                                        {"max_map_count", ">=262144"},
                                        {"hugepages.2M", "1..10"},
                                        {"hugepages.1G", "4"}});
}

TEST_CASE("a later file wins, key by key, and however a size of pages is spelt") {
  const auto settings =
      good_files({{"a.yaml", "node: {expect: {swappiness: 10, hugepages.2M: 8, iommu: none}}"},
                  {"b.yaml", "node: {expect: {swappiness: 1, hugepages.2048kB: 16}}"}});
  CHECK(settings.expect == Expectations{{"swappiness", "1"}, {"hugepages.2048kB", "16"}, {"iommu", "none"}});
}

TEST_CASE("a value that cannot be is refused, and says why") {
  CHECK(report("node: {expect: {thp.enabled: off}}").find("\"off\" is none of always") != std::string::npos);
  CHECK(report("node: {expect: {swappiness: 201}}").find("out of range: 0 to 200") != std::string::npos);
  CHECK(report("node: {expect: {swappiness: [1]}}").find("must be a value, not a list") != std::string::npos);
  CHECK(report("node: {expect: {swappiness: !!int 1}}").find("tags are not accepted") != std::string::npos);
  CHECK(report("node: {expect: {iommu: \"a\\e[1m\"}}").find('\x1b') == std::string::npos);
}

TEST_CASE("model files and costly reads of a service") {
  const auto settings = good(
      "services: {a: {select: [unit: a], model_paths: ['/srv/*.gguf', /m/**/x], costly_reads: [numa_maps]}}");
  CHECK(settings.services[0].model_paths == std::vector<std::string>{"/srv/*.gguf", "/m/**/x"});
  CHECK(settings.services[0].costly_reads == std::vector{CostlyKind::numa_maps});
  CHECK(good("services: {a: {select: [unit: a]}}").services[0].costly_reads.empty());
}

TEST_CASE("a service has at most 32 patterns of model files") {
  std::string patterns;
  for (int i = 0; i < 32; ++i) patterns += "/m/" + std::to_string(i) + ",";
  const auto text = [&](const std::string& more) {
    return "services: {a: {select: [unit: a], model_paths: [" + patterns + more + "]}}";
  };
  CHECK(report(text("")).empty());
  CHECK(report(text("/m/more")).find("at most 32") != std::string::npos);
}

TEST_CASE("a service of control groups alone may have both while all is enforced") {
  CHECK(report("mode: enforce\nservices: {a: {select: [cgroup: /a], model_paths: [/m], costly_reads: "
               "[smaps_rollup]}}") == std::string());
}
