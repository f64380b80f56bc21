// SPDX-License-Identifier: Apache-2.0
#include "preflight/verdict.hpp"

#include <signal.h>

#include <algorithm>
#include <string>

#include "preflight/canary_exit.hpp"
#include "support/catch.hpp"

using namespace allocd;
using preflight::CanaryRun;
using preflight::decide_verdict;
using preflight::Ending;
using preflight::kReasonNames;
using preflight::Library;

namespace {

Library jemalloc() {
  Library library;
  library.path = "/usr/lib/libjemalloc.so.2";
  library.identity.device = 7;
  library.identity.inode = 9;
  library.kind = allocator::Kind::jemalloc;
  return library;
}

CanaryRun sound() {
  CanaryRun run;
  run.ending = Ending::exited;
  run.output = R"({"owner":"/usr/lib/libjemalloc.so.2","device":7,"inode":9,"glibc":"2.36","page_size":4096})"
               "\n";
  return run;
}

std::string reason_of(const CanaryRun& run, const std::optional<Library>& library = jemalloc()) {
  const auto verdict = decide_verdict(run, library);
  INFO(verdict.finding.sentence);
  CHECK(verdict.finding.sentence.empty() == (verdict.finding.reason == preflight::Reason::ok));
  CHECK(std::ranges::all_of(verdict.finding.sentence,
                            [](char c) { return static_cast<unsigned char>(c) >= 0x20; }));
  CHECK(verdict.finding.sentence.size() < 1000);
  return std::string(kReasonNames.name(verdict.finding.reason));
}

std::string reason_of_errors(const std::string& errors) {
  auto run = sound();
  run.errors = errors;
  return reason_of(run);
}

}  // namespace

TEST_CASE("a run is sound when it ended well, owned malloc and said nothing") {
  const auto verdict = decide_verdict(sound(), jemalloc());
  CHECK(verdict.finding == preflight::Finding{});
  CHECK(verdict.owner == "/usr/lib/libjemalloc.so.2");
}

TEST_CASE("malloc must belong to the very file that was examined") {
  auto run = sound();
  auto other = jemalloc();
  other.identity.inode = 10;
  CHECK(reason_of(run, other) == "malloc_elsewhere");
  other = jemalloc();
  other.identity.device = 8;
  CHECK(reason_of(run, other) == "malloc_elsewhere");
  // The same name is not the same file; another name of the same file is.
  run.output = R"({"owner":"/lib/other-name.so","device":7,"inode":9})"
               "\n";
  CHECK(reason_of(run) == "ok");
}

TEST_CASE("for glibc, malloc must belong to the C library") {
  auto run = sound();
  CHECK(reason_of(run, std::nullopt) == "malloc_elsewhere");
  run.output = R"({"owner":"/lib/x86_64-linux-gnu/libc.so.6","device":7,"inode":1})"
               "\n";
  CHECK(reason_of(run, std::nullopt) == "ok");
}

TEST_CASE("complaints that leave the exit code at 0 are heard") {
  const std::string ld = "ERROR: ld.so: object '/x.so' from LD_PRELOAD cannot be preloaded ";
  CHECK(reason_of_errors(ld + "(cannot open shared object file): ignored.\n") == "not_loaded");
  CHECK(reason_of_errors(ld + "(failed to map segment from shared object): ignored.\n") == "not_loaded");
  CHECK(reason_of_errors("<jemalloc>: Invalid conf pair: x:y\n") == "bad_malloc_conf");
  CHECK(reason_of_errors("<jemalloc>: Invalid conf value: narenas:x\n") == "bad_malloc_conf");
  CHECK(reason_of_errors("<jemalloc>: Out-of-range conf value: lg_chunk:99\n") == "bad_malloc_conf");
  CHECK(reason_of_errors("<jemalloc>: Conf string ends with comma\n") == "bad_malloc_conf");
  CHECK(reason_of_errors("<jemalloc>: Malformed conf string\n") == "bad_malloc_conf");
  CHECK(reason_of_errors("<jemalloc>: Unsupported system page size\n") == "wrong_page_size");
  CHECK(reason_of_errors("mimalloc: warning: unable to allocate huge page\n") == "unexpected_output");
  CHECK(reason_of_errors("\n") == "unexpected_output");
  CHECK(reason_of_errors("something first\n<jemalloc>: Invalid conf pair: x:y") == "bad_malloc_conf");
}

TEST_CASE("a bad pair is quoted, escaped and capped") {
  auto run = sound();
  run.errors = "<jemalloc>: Invalid conf pair: x:y\n";
  CHECK(decide_verdict(run, jemalloc()).finding.sentence.find("Invalid conf pair: x:y") != std::string::npos);
  run.errors = "<jemalloc>: Invalid conf pair: \033[2J" + std::string(100'000, 'z');
  const auto sentence = decide_verdict(run, jemalloc()).finding.sentence;
  CHECK(sentence.find('\033') == std::string::npos);
  CHECK(sentence.size() < 500);
}

TEST_CASE("what the complaint says beats how the run ended") {
  CanaryRun run;
  run.ending = Ending::killed;
  run.status = SIGABRT;
  CHECK(reason_of(run) == "crashed");
  run.errors =
      "<jemalloc>: Invalid conf pair: x:y\n<jemalloc>: Abort (abort_conf:true) on invalid conf value\n";
  CHECK(reason_of(run) == "bad_malloc_conf");
  run.ending = Ending::exited;
  run.status = 127;
  run.errors =
      "canary: error while loading shared libraries: libx.so.1: cannot open shared object file: No such "
      "file\n";
  CHECK(reason_of(run) == "missing_dependency");
  run.errors =
      "canary: error while loading shared libraries: /x.so: cannot allocate memory in static TLS block\n";
  CHECK(reason_of(run) == "not_loaded");
  run.errors = "canary: symbol lookup error: /x.so: undefined symbol: mystery\n";
  CHECK(reason_of(run) == "not_loaded");
}

TEST_CASE("every way to end has its reason") {
  CanaryRun run;
  run.ending = Ending::not_run;
  run.why_not_run = "cannot connect";
  CHECK(reason_of(run) == "cannot_run");
  run.ending = Ending::timed_out;
  CHECK(reason_of(run) == "timed_out");
  run.flooded = true;
  CHECK(reason_of(run) == "output_flood");
  run.flooded = false;
  run.ending = Ending::killed;
  run.status = 4711;  // no signal of this system
  CHECK(reason_of(run) == "crashed");
  run.ending = Ending::exited;
  for (const auto& [code, reason] :
       std::initializer_list<std::pair<int, const char*>>{{preflight::kCanaryNoOwner, "malloc_elsewhere"},
                                                          {preflight::kCanarySplitOwner, "misbehaves"},
                                                          {preflight::kCanaryMisaligned, "misbehaves"},
                                                          {preflight::kCanaryChildHung, "broken_after_fork"},
                                                          {preflight::kCanaryNoFork, "cannot_run"},
                                                          {1, "misbehaves"}}) {
    run.status = code;
    CHECK(reason_of(run) == reason);
  }
}

TEST_CASE("stdout is the canary's line alone") {
  auto run = sound();
  const std::string line = run.output;
  for (const std::string& output :
       {std::string(), std::string("\n"), "hello\n" + line, line + "hello\n", line + line,
        std::string("{}\n"), std::string("[1]\n"), std::string(R"({"owner":1,"device":7,"inode":9})"),
        std::string(R"({"owner":"/x","device":-7,"inode":"9"})"), line.substr(0, 20)}) {
    run.output = output;
    INFO(output);
    CHECK(reason_of(run) == "unexpected_output");
  }
}
