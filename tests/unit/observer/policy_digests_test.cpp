// SPDX-License-Identifier: Apache-2.0
// How often the library of a policy is looked at.
#include "observer/policy_digests.hpp"

#include "support/catch.hpp"

using namespace allocd;
using namespace std::chrono_literals;
using observer::PolicyDigests;

TEST_CASE("a digest is read once in a while, and at once for another policy or root", "[digests]") {
  int reads = 0;
  PolicyDigests digests([&](const settings::Service& service, const std::string& root_directory) {
    ++reads;
    return enforcer::Digest{service.malloc_conf + root_directory, true};
  });
  const PolicyDigests::Time start{1000s};
  settings::Service service;
  service.name = "vllm";
  service.malloc_conf = "a:1";
  CHECK(digests.look(service, "", start, 60s).text == "a:1");
  CHECK(digests.look(service, "", start + 59s, 60s).text == "a:1");
  CHECK(reads == 1);
  CHECK(digests.look(service, "/srv", start + 59s, 60s).text == "a:1/srv");
  CHECK(reads == 2);
  CHECK(digests.look(service, "", start + 60s, 60s).text == "a:1");
  CHECK(reads == 3);
  service.malloc_conf = "b:2";
  CHECK(digests.look(service, "", start + 61s, 60s).text == "b:2");
  CHECK(reads == 4);
  CHECK(digests.look(service, "", start + 62s, 60s).text == "b:2");
  CHECK(reads == 4);
}
