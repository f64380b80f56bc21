// SPDX-License-Identifier: Apache-2.0
// tests/program/fixtures/snapshot.json is what allocd would serve for sample_snapshot(). The program tests
// serve it, and validate it against docs/snapshot.schema.json.
#include <nlohmann/json.hpp>

#include "snapshot/json.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/sample_snapshot.hpp"

TEST_CASE("the fixture of the program tests is the sample snapshot") {
  const auto rendered = allocd::snapshot::render_json(allocd::test::sample_snapshot());
  allocd::test::check_golden("program/fixtures/snapshot.json",
                             nlohmann::ordered_json::parse(rendered).dump(1) + "\n");
}
