// SPDX-License-Identifier: Apache-2.0
// The real canary under real libraries, and under libraries made to be refused.
#include "preflight/direct_runner.hpp"

#include <dlfcn.h>
#include <fcntl.h>

#include <filesystem>
#include <tuple>

#include "preflight/canary_exit.hpp"
#include "preflight/verdict.hpp"
#include "support/child_program.hpp"
#include "tree.hpp"

using namespace allocd;
using preflight::CanaryOptions;
using preflight::CanaryRun;
using preflight::DirectRunner;
using preflight::Ending;
using preflight::kReasonNames;
using preflight::Reason;
using test::Tree;
using namespace std::chrono_literals;

namespace {

// The canary and the faulty libraries where nobody may read them; the build folder may be anybody's.
class Bench {
 public:
  Bench() { tree_.copy(ALLOCD_TEST_CANARY, "/canary"); }

  std::string faulty(const std::string& name) {
    const std::string path = "/lib" + name + ".so";
    tree_.copy(std::string(ALLOCD_FAULTY_LIBRARIES) + path, path);
    return tree_.real(path);
  }
  CanaryOptions options(const std::string& preload, std::vector<std::string> environment = {}) const {
    CanaryOptions made;
    made.canary = tree_.real("/canary");
    made.preload = preload;
    made.environment = std::move(environment);
    return made;
  }
  const Tree& tree() const { return tree_; }

 private:
  Tree tree_;
};

CanaryRun run(const CanaryOptions& options) {
  return DirectRunner().run(options);
}

preflight::Verdict verdict_under(const CanaryOptions& options,
                                 allocator::Kind kind = allocator::Kind::jemalloc) {
  const auto result = run(options);
  auto verdict = decide_verdict(result, test::library_at(options.preload, kind));
  UNSCOPED_INFO(verdict.finding.sentence << " [" << preflight::kEndingNames.name(result.ending) << " "
                                         << result.status << "] " << result.errors.substr(0, 200));
  return verdict;
}

std::string reason_under(const CanaryOptions& options) {
  return std::string(kReasonNames.name(verdict_under(options).finding.reason));
}

// mimalloc 2.0.9 and older: the test does not ask the code it tests.
bool mimalloc_is_known_to_misalign() {
  void* library = ::dlopen((test::kLibraries + "libmimalloc.so.2").c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE(library != nullptr);
  auto* version = reinterpret_cast<int (*)()>(::dlsym(library, "mi_version"));
  REQUIRE(version != nullptr);
  return version() <= 209;
}

}  // namespace

TEST_CASE("the libraries of the distribution are sound") {
  const auto [name, kind] = GENERATE(
      table<std::string, allocator::Kind>({{"libjemalloc.so.2", allocator::Kind::jemalloc},
                                           {"libtcmalloc_minimal.so.4", allocator::Kind::tcmalloc}}));
  const Bench bench;
  const auto verdict = verdict_under(bench.options(test::kLibraries + name), kind);
  CHECK(verdict.finding.reason == Reason::ok);
  CHECK(verdict.owner == test::kLibraries + name);
}

TEST_CASE("mimalloc is sound from the version on that aligns what it returns") {
  const Bench bench;
  const auto verdict =
      verdict_under(bench.options(test::kLibraries + "libmimalloc.so.2"), allocator::Kind::mimalloc);
  if (mimalloc_is_known_to_misalign()) {
    CHECK(verdict.finding.reason == Reason::misbehaves);
    CHECK(verdict.finding.sentence.find("install 2.1") != std::string::npos);
  } else {
    CHECK(verdict.finding.reason == Reason::ok);
  }
}

TEST_CASE("without a preload malloc is glibc's") {
  const Bench bench;
  const auto result = run(bench.options("", {"GLIBC_TUNABLES=glibc.malloc.arena_max=1"}));
  const auto verdict = decide_verdict(result, std::nullopt);
  INFO(verdict.finding.sentence);
  CHECK(verdict.finding.reason == Reason::ok);
  CHECK(verdict.owner.find("libc.so.6") != std::string::npos);
}

TEST_CASE("the library that only forwards is sound: the faults below are what is found") {
  Bench bench;
  CHECK(reason_under(bench.options(bench.faulty("none"))) == "ok");
}

TEST_CASE("each fault has its reason") {
  const auto [name, reason] =
      GENERATE(table<std::string, std::string>({{"aborts", "crashed"},
                                                {"warns", "unexpected_output"},
                                                {"chatters", "unexpected_output"},
                                                {"floods", "output_flood"},
                                                {"exits", "misbehaves"},
                                                {"breaks_after_fork", "broken_after_fork"},
                                                {"hangs_after_fork", "broken_after_fork"},
                                                {"no_malloc", "malloc_elsewhere"},
                                                {"no_free", "misbehaves"},
                                                {"misaligns", "misbehaves"},
                                                {"refuses", "misbehaves"},
                                                {"dirty_calloc", "misbehaves"},
                                                {"small_usable_size", "misbehaves"},
                                                {"missing_needed", "missing_dependency"}}));
  Bench bench;
  INFO(name);
  CHECK(reason_under(bench.options(bench.faulty(name))) == reason);
}

TEST_CASE("a library that hangs meets the time limit, and nothing of it is left") {
  Bench bench;
  auto options = bench.options(bench.faulty("hangs"));
  options.time_limit = 300ms;
  CHECK(reason_under(options) == "timed_out");
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no child of ours, not even a dead one
}

TEST_CASE("a process that the library leaves behind is killed with the run") {
  Bench bench;
  const auto path = bench.faulty("leaves_child");
  CHECK(reason_under(bench.options(path)) == "ok");
  // It maps the library's file: nobody does any more.
  const auto mapped_somewhere = [&path] {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream maps(entry.path() / "maps");
      const std::string text{std::istreambuf_iterator<char>(maps), {}};
      if (text.find(path) != std::string::npos) return true;
    }
    return false;
  };
  CHECK(test::eventually([&] { return !mapped_somewhere(); }));
}

TEST_CASE("a library of another machine is not loaded, whatever the exit code says") {
  Bench bench;
  auto bytes = test::read_bytes(bench.faulty("none"));
  bytes[18] = 22;  // e_machine: EM_S390
  bench.tree().write("/libforeign.so", bytes, 0755);
  CHECK(reason_under(bench.options(bench.tree().real("/libforeign.so"))) == "not_loaded");
}

TEST_CASE("a malloc_conf that jemalloc does not take is named, pair by pair") {
  const Bench bench;
  const auto verdict = verdict_under(
      bench.options(test::kLibraries + "libjemalloc.so.2", {"MALLOC_CONF=narenas:2,dirty_decoy_ms:5"}));
  CHECK(verdict.finding.reason == Reason::bad_malloc_conf);
  CHECK(verdict.finding.sentence.find("dirty_decoy_ms:5") != std::string::npos);
  CHECK(reason_under(bench.options(test::kLibraries + "libjemalloc.so.2",
                                   {"MALLOC_CONF=background_thread:true,narenas:2,dirty_decay_ms:0"})) ==
        "ok");
  CHECK(reason_under(bench.options(test::kLibraries + "libjemalloc.so.2",
                                   {"MALLOC_CONF=abort_conf:true,x:y"})) == "bad_malloc_conf");
}

TEST_CASE("another library behind ours may be anything that loads") {
  const Bench bench;
  const std::string ours = test::kLibraries + "libjemalloc.so.2";
  auto options = bench.options(ours + ":" + test::kLibraries + "libtcmalloc_minimal.so.4");
  CHECK(decide_verdict(run(options), test::library_at(ours)).finding.reason == Reason::ok);
  options = bench.options(ours + ":/nonexistent/extra.so");
  const auto verdict = decide_verdict(run(options), test::library_at(ours));
  CHECK(verdict.finding.reason == Reason::not_loaded);
  CHECK(verdict.finding.sentence.find("/nonexistent/extra.so") != std::string::npos);
}

TEST_CASE("the environment is what was given, and nothing of ours") {
  Bench bench;
  ::setenv("MALLOC_CONF", "leaked", 1);
  auto result = run(bench.options(bench.faulty("tells_malloc_conf")));
  ::unsetenv("MALLOC_CONF");
  CHECK(result.errors == "none");
  result = run(bench.options(bench.faulty("tells_malloc_conf"), {"MALLOC_CONF=a b=c:$d%e"}));
  CHECK(result.errors == "a b=c:$d%e");
}

TEST_CASE("the canary never runs as root") {
  Bench bench;
  CHECK(run(bench.options(bench.faulty("tells_user"))).errors == "nobody special");
}

TEST_CASE("a canary that is not there, or may not be run, is no verdict on the library") {
  Bench bench;
  auto options = bench.options(bench.faulty("none"));
  options.canary = "/nonexistent/canary";
  auto result = run(options);
  CHECK(result.ending == Ending::not_run);
  CHECK(result.why_not_run == "cannot start for the canary /nonexistent/canary: No such file or directory");
  bench.tree().chmod("/canary", 0644);
  result = run(bench.options(bench.faulty("none")));
  CHECK(result.ending == Ending::not_run);
}

TEST_CASE("a caller without stdio of its own is no trouble") {
  const Bench bench;
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    for (int fd = 0; fd < 3; ++fd) ::close(fd);
    const auto result = run(bench.options(test::kLibraries + "libjemalloc.so.2"));
    const auto verdict = decide_verdict(result, test::library_at(test::kLibraries + "libjemalloc.so.2"));
    ::_exit(verdict.finding.reason == Reason::ok ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}
