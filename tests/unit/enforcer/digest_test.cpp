// SPDX-License-Identifier: Apache-2.0
// What opens the latch of a unit that was rolled back: whatever may have mended it.
#include "enforcer/digest.hpp"

#include <chrono>
#include <filesystem>
#include <string>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace allocd;
using enforcer::digest_of;

TEST_CASE("the digest changes with all that decides whether a unit lives under its policy") {
  settings::Service service;
  service.name = "vllm";
  service.allocator = settings::Wanted::jemalloc;
  const auto before = digest_of(service, "library");
  CHECK(digest_of(service, "library") == before);
  CHECK(digest_of(service, "another") != before);
  const auto differs = [&](const auto& change) {
    auto changed = service;
    change(changed);
    return digest_of(changed, "library") != before;
  };
  CHECK(differs([](auto& it) { it.health = "http://127.0.0.1:8000/health"; }));
  CHECK(differs([](auto& it) { it.settle = std::chrono::minutes(1); }));
  CHECK(differs([](auto& it) { it.malloc_conf = "narenas:2"; }));
  CHECK(differs([](auto& it) { it.extra_preload = {"/opt/shim.so"}; }));
  CHECK_FALSE(differs([](auto& it) { it.restart = settings::RestartWhen::now; }));
}

TEST_CASE("a replaced file of extra_preload is another one") {
  const test::TemporaryDirectory tree;
  const auto library = std::filesystem::path("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
  REQUIRE(std::filesystem::exists(library));
  std::filesystem::create_directories(tree.path() / "opt");
  std::filesystem::copy_file(std::filesystem::canonical(library), tree.path() / "opt/libjemalloc.so.2");
  tree.write("opt/shim.so", "one");
  const auto root = host::Root::open(tree.path().string());
  REQUIRE(root);
  settings::Service service;
  service.name = "vllm";
  service.allocator = settings::Wanted::jemalloc;
  service.library = "/opt/libjemalloc.so.2";
  service.extra_preload = {"/opt/shim.so"};
  const auto identity = [&] { return enforcer::find_library_of(*root, service, "").identity; };
  const auto before = identity();
  CHECK(identity() == before);
  tree.write("opt/shim.so", "another");
  CHECK(identity() != before);
  const auto after = identity();
  std::filesystem::remove(tree.path() / "opt/shim.so");
  CHECK(identity() != after);
}
