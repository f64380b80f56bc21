// SPDX-License-Identifier: Apache-2.0
#include "preflight/preflight.hpp"

#include <fmt/format.h>

#include "preflight/direct_runner.hpp"
#include "tree.hpp"

using namespace allocd;
using preflight::CanaryOptions;
using preflight::CanaryRun;
using preflight::Ending;
using preflight::Preflight;
using preflight::PreflightRequest;
using preflight::Reason;
using settings::Wanted;
using test::Tree;

namespace {

// Says that malloc belongs to the first entry of the preload, or to libc without one.
class PretendedRunner final : public preflight::CanaryRunner {
 public:
  CanaryRun run(const CanaryOptions& options) override {
    runs.push_back(options);
    const std::string owner = options.preload.substr(0, options.preload.find(':'));
    struct stat status{};
    static_cast<void>(::stat(owner.c_str(), &status));
    CanaryRun made;
    made.ending = Ending::exited;
    made.output = fmt::format(R"({{"owner":"{}","device":{},"inode":{}}})"
                              "\n",
                              owner.empty() ? "/lib/libc.so.6" : owner, status.st_dev, status.st_ino);
    return made;
  }
  std::vector<CanaryOptions> runs;
};

PreflightRequest request_of(Wanted wanted, const std::string& library = "") {
  PreflightRequest request;
  request.allocator = wanted;
  if (!library.empty()) request.library = library;
  return request;
}

preflight::PreflightOptions options() {
  preflight::PreflightOptions made;
  made.canary = ALLOCD_TEST_CANARY;
  made.needs = test::needs_of_tests();
  return made;
}

}  // namespace

TEST_CASE("a library that passes is reported with what was proved") {
  const auto root = host::Root::open("/");
  const Tree tree;
  tree.copy(ALLOCD_TEST_CANARY, "/canary");
  preflight::DirectRunner runner;
  auto with_canary = options();
  with_canary.canary = tree.real("/canary");
  Preflight preflight(*root, runner, with_canary);
  auto request = request_of(Wanted::jemalloc);
  request.preload_after = {test::kLibraries + "libtcmalloc_minimal.so.4"};
  request.environment = {"MALLOC_CONF=background_thread:true"};
  auto result = preflight.check(request);
  INFO(result.sentence);
  REQUIRE(result.passed());
  CHECK(result.sentence.empty());
  CHECK(result.preload ==
        test::kLibraries + "libjemalloc.so.2:" + test::kLibraries + "libtcmalloc_minimal.so.4");
  CHECK(result.owner == test::kLibraries + "libjemalloc.so.2");
  REQUIRE(result.library.has_value());
  CHECK(result.library->identity.build_id.size() == 40);

  request.environment = {"MALLOC_CONF=no_such_option:1"};
  result = preflight.check(request);
  CHECK(result.reason == Reason::bad_malloc_conf);
  CHECK(result.sentence.starts_with(test::kLibraries + "libjemalloc.so.2: "));
  CHECK(result.sentence.find("no_such_option:1") != std::string::npos);
}

TEST_CASE("what was proved once is not tried again, and anything else is") {
  const auto root = host::Root::open("/");
  PretendedRunner runner;
  Preflight preflight(*root, runner, options());
  const auto request = request_of(Wanted::jemalloc);
  const auto first = preflight.check(request);
  CHECK(first.passed());
  CHECK(preflight.check(request) == first);
  CHECK(runner.runs.size() == 1);
  auto other = request;
  other.environment = {"MALLOC_CONF=narenas:1"};
  CHECK(preflight.check(other).passed());
  other.preload_after = {"libtcmalloc.so.4"};
  CHECK(preflight.check(other).passed());
  CHECK(runner.runs.size() == 3);
  CHECK(runner.runs.back().preload.ends_with("libjemalloc.so.2:libtcmalloc.so.4"));
  CHECK(runner.runs.back().environment == other.environment);
}

TEST_CASE("a library that was exchanged is tried again") {
  const Tree tree;
  const auto root = tree.root();
  tree.copy(test::kLibraries + "libjemalloc.so.2", "/x.so");
  PretendedRunner runner;
  Preflight preflight(root, runner, options());
  static_cast<void>(preflight.check(request_of(Wanted::jemalloc, "/x.so")));
  static_cast<void>(preflight.check(request_of(Wanted::jemalloc, "/x.so")));
  CHECK(runner.runs.size() == 1);
  tree.copy(test::kLibraries + "libjemalloc.so.2", "/y.so");
  std::filesystem::rename(tree.real("/y.so"), tree.real("/x.so"));
  static_cast<void>(preflight.check(request_of(Wanted::jemalloc, "/x.so")));
  CHECK(runner.runs.size() == 2);
}

TEST_CASE("no canary flies for what is known to be wrong before") {
  const Tree tree;
  const auto root = tree.root();
  tree.copy(std::string(ALLOCD_FAULTY_LIBRARIES) + "/libno_malloc.so", "/no_malloc.so");
  tree.copy(test::kLibraries + "libjemalloc.so.2", "/sound.so");
  PretendedRunner runner;
  Preflight preflight(root, runner, options());
  CHECK(preflight.check(request_of(Wanted::jemalloc, "/absent.so")).reason == Reason::library_not_found);
  CHECK(preflight.check(request_of(Wanted::jemalloc, "/no_malloc.so")).reason == Reason::no_malloc);
  auto request = request_of(Wanted::jemalloc, "/sound.so");
  request.preload_after = {"/with blank.so"};
  CHECK(preflight.check(request).reason == Reason::bad_path);
  request.preload_after = {""};
  CHECK(preflight.check(request).reason == Reason::bad_path);
  request = request_of(Wanted::glibc);
  request.environment = {"GLIBC_TUNABLES=glibc.malloc.arena_maximum=2"};
  CHECK(preflight.check(request).reason == Reason::bad_tunable);
  request.root_directory = "/srv/with blank";
  CHECK(preflight.check(request).reason == Reason::bad_path);
  CHECK(runner.runs.empty());
}

TEST_CASE("for glibc nothing is preloaded but what was there") {
  const auto root = host::Root::open("/");
  PretendedRunner runner;
  Preflight preflight(*root, runner, options());
  auto request = request_of(Wanted::glibc);
  request.environment = {"GLIBC_TUNABLES=glibc.malloc.arena_max=2"};
  const auto result = preflight.check(request);
  INFO(result.sentence);
  CHECK(result.passed());
  CHECK(result.preload.empty());
  CHECK_FALSE(result.library.has_value());
  REQUIRE(runner.runs.size() == 1);
  CHECK(runner.runs[0].preload.empty());
}

TEST_CASE("a policy that asks for nothing needs no proof") {
  const auto root = host::Root::open("/");
  PretendedRunner runner;
  CHECK(Preflight(*root, runner, options()).check(request_of(Wanted::any)).passed());
  CHECK(runner.runs.empty());
}

TEST_CASE("behind a root of its own, the service's copy is proved and its inner path is written") {
  const Tree tree;
  const auto root = tree.root();
  tree.copy(test::kLibraries + "libjemalloc.so.2", "/srv/image/opt/real.so");
  tree.link("/opt/real.so", "/srv/image/usr/lib/libjemalloc.so.2");
  PretendedRunner runner;
  Preflight preflight(root, runner, options());
  auto request = request_of(Wanted::jemalloc);
  request.root_directory = "/srv/image";
  request.preload_after = {"/opt/more.so", "libsoname.so.1"};
  CHECK(preflight.check(request).reason == Reason::library_not_found);
  tree.copy(test::kLibraries + "libjemalloc.so.2", "/opt/more.so");  // the host's is not the service's
  CHECK(preflight.check(request).reason == Reason::library_not_found);
  tree.copy(test::kLibraries + "libjemalloc.so.2", "/srv/image/opt/more.so");
  std::filesystem::permissions(tree.real("/srv/image/opt/more.so"), std::filesystem::perms(0666));
  CHECK(preflight.check(request).reason == Reason::writable_by_others);
  std::filesystem::permissions(tree.real("/srv/image/opt/more.so"), std::filesystem::perms(0644));
  const auto result = preflight.check(request);
  CHECK(result.preload == "/usr/lib/libjemalloc.so.2:/opt/more.so:libsoname.so.1");
  REQUIRE(runner.runs.size() == 1);
  CHECK(runner.runs[0].preload == "/srv/image/opt/real.so:/srv/image/opt/more.so:libsoname.so.1");
}
