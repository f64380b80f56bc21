// SPDX-License-Identifier: Apache-2.0
// The keys that say what is enforced, alone and with one another. Their wording is also in
// tests/corpus/settings.
#include "support/settings_text.hpp"

using namespace std::chrono_literals;
using namespace allocd::settings;
using allocd::test::good;
using allocd::test::report;

namespace {

Service service(const std::string& keys) {
  const auto settings = good("services:\n  a:\n    select: [unit: a]\n" + keys);
  REQUIRE(settings.services.size() == 1);
  return settings.services[0];
}

std::string report_of(const std::string& keys) {
  return report("services:\n  a:\n    select: [unit: a]\n" + keys);
}

bool says(const std::string& text, const std::string& what) {
  INFO(text);
  return text.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("every key of a policy") {
  const auto read = service(
      "    allocator: jemalloc\n"
      "    mode: enforce\n"
      "    library: /opt/lib/libjemalloc.so.2\n"
      "    malloc_conf: background_thread:true,dirty_decay_ms:1000\n"
      "    extra_preload:\n      - /usr/lib/liba.so\n      - /usr/lib/libb.so\n"
      "    precedence: yield\n"
      "    restart: window\n"
      "    window: [\"Sat,Sun 02:00..05:00\", 03:30..04:15 UTC]\n"
      "    settle: 90s\n"
      "    health: http://[::1]:8000/health\n"
      "    persist: runtime\n");
  CHECK(read.allocator == Wanted::jemalloc);
  CHECK(read.mode == Mode::enforce);
  CHECK(read.library == "/opt/lib/libjemalloc.so.2");
  CHECK(read.malloc_conf == "background_thread:true,dirty_decay_ms:1000");
  CHECK(read.extra_preload == std::vector<std::string>{"/usr/lib/liba.so", "/usr/lib/libb.so"});
  CHECK(read.precedence == Precedence::yield);
  CHECK(read.restart == RestartWhen::window);
  CHECK(read.windows ==
        std::vector<Window>{{0b1100000, 2h, 5h, false}, {kEveryDay, 3h + 30min, 4h + 15min, true}});
  CHECK(read.settle == 90s);
  CHECK(read.health == "http://[::1]:8000/health");
  CHECK(read.persist == Persist::runtime);
}

TEST_CASE("without policy keys nothing is enforced") {
  const auto read = service("    allocator: jemalloc\n");
  CHECK_FALSE(read.mode);
  CHECK_FALSE(read.library);
  CHECK(read.malloc_conf.empty());
  CHECK(read.glibc == GlibcTunables{});
  CHECK(read.precedence == Precedence::last);
  CHECK(read.restart == RestartWhen::never);
  CHECK(read.windows.empty());
  CHECK(read.settle == 10min);
  CHECK(read.health.empty());
  CHECK_FALSE(read.persist);
  CHECK_FALSE(service("    allocator: jemalloc\n    library: auto\n").library);
  const auto settings = good("");
  CHECK(settings.mode == Mode::observe);
  CHECK(settings.persist == Persist::system);
  CHECK(settings.max_concurrent_restarts == 1);
}

TEST_CASE("glibc's tunables") {
  const auto read = service(
      "    allocator: glibc\n    glibc: {arena_max: 4096, trim_threshold: 131072, mmap_threshold: 32M}\n");
  CHECK(read.glibc == GlibcTunables{4096, 131072, std::uint64_t{32} << 20U});
  CHECK(service("    allocator: glibc\n    glibc: {trim_threshold: 0}\n").glibc ==
        GlibcTunables{std::nullopt, 0, std::nullopt});
  const auto glibc = [](const std::string& keys) {
    return report_of("    allocator: glibc\n    glibc: {" + keys + "}\n");
  };
  CHECK(says(glibc("arena_max: 0"), "'arena_max' is '0', out of range"));
  CHECK(says(glibc("arena_max: 4097"), "hint: write 1 to 4096\n"));
  CHECK(says(glibc("trim_threshold: 2T"), "hint: write 0 to 1T\n"));
  CHECK(says(glibc("mmap_threshold: 33M"), "hint: write 0 to 32M\n"));
  CHECK(says(glibc("mmap_threshold: 1MB"),
             "bad mmap_threshold '1MB': 'MB' may mean powers of 1000 or of 1024"));
  CHECK(says(glibc("mmap_threshold: [1]"), "'mmap_threshold' must be a byte size, not a list"));
  CHECK(says(glibc("arenas_max: 2"), "hint: did you mean 'arena_max'?\n"));
  CHECK(says(report_of("    arena_max: 2\n"), "hint: 'arena_max' belongs under 'services.NAME.glibc'; "));
  CHECK(says(report_of("    allocator: glibc\n    glibc:\n"), "'glibc' has no value"));
}

TEST_CASE("keys that the allocator has no use for") {
  CHECK(report_of("    malloc_conf: narenas:4\n    allocator: tcmalloc\n") ==
        "allocd.yaml:4:5: 'malloc_conf' has no use here: the allocator is tcmalloc\n"
        "        malloc_conf: narenas:4\n"
        "        ^\n"
        "    hint: it goes with allocator: jemalloc\n");
  CHECK(says(report_of("    malloc_conf: narenas:4\n"), "the allocator is any\n"));
  CHECK(says(report_of("    allocator: jemalloc\n    glibc: {arena_max: 2}\n"), "'glibc' has no use here"));
  CHECK(says(report_of("    allocator: glibc\n    library: /a.so\n"),
             "hint: it goes with allocator: jemalloc, tcmalloc or mimalloc\n"));
  CHECK(says(report_of("    extra_preload: [/a.so]\n"), "'extra_preload' has no use here"));
  CHECK(report_of("    allocator: glibc\n    extra_preload: [/a.so]\n").empty());
  // The misspelt allocator alone is to blame.
  const auto misspelt = report_of("    allocator: jemaloc\n    malloc_conf: narenas:4\n    mode: enforce\n");
  CHECK(says(misspelt, "unknown allocator 'jemaloc'"));
  CHECK_FALSE(says(misspelt, "has no use"));
  CHECK_FALSE(says(misspelt, "nothing to enforce"));
}

TEST_CASE("restart and window go together") {
  CHECK(report_of("    allocator: jemalloc\n    restart: window\n") ==
        "allocd.yaml:5:14: 'restart: window' needs a 'window'\n"
        "        restart: window\n"
        "                 ^\n"
        "    hint: write 'window: Sat,Sun 02:00..05:00' beside it\n");
  CHECK(report_of("    window: 02:00..05:00\n    restart: now\n") ==
        "allocd.yaml:4:5: 'window' has no use here: 'restart' is now\n"
        "        window: 02:00..05:00\n"
        "        ^\n"
        "    hint: write 'restart: window' beside it\n");
  CHECK(says(report_of("    window: 02:00..05:00\n"), "'restart' is never\n"));
  CHECK_FALSE(says(report_of("    window: 02:00..05:00\n    restart: windw\n"), "has no use"));
  CHECK(report_of("    restart: window\n    window: 22:00..06:00\n").empty());
  CHECK(says(report_of("    restart: window\n    window: []\n"), "'window' is empty\n"));
  CHECK(says(report_of("    restart: window\n    window: [Sat,Sun 02:00..05:00]\n"),
             "bad window 'Sat': it has no time"));
  CHECK(says(report_of("    restart: window\n    window: [{a: b}]\n"),
             "an item of 'window' must be a text, not a map\n"));
  CHECK(says(report_of("    restart: window\n    window:\n      -\n"), "empty item in 'window'\n"));
  CHECK(says(report_of("    restart: window\n    window: {a: b}\n"),
             "'window' must be a span of time, not a map\n"));
}

TEST_CASE("words") {
  CHECK(says(report("mode: enforced\n"), "1:7: unknown mode 'enforced'\n"));
  CHECK(says(report("mode: enforced\n"), "hint: did you mean 'enforce'?\n"));
  CHECK(says(report("mode: on\n"), "hint: 'observe' changes nothing, 'enforce' writes drop-ins\n"));
  CHECK(says(report("mode: [enforce]\n"), "'mode' must be a word, not a list\n"));
  CHECK(says(report("persist: disk\n"), "hint: one of: system, runtime\n"));
  CHECK(says(report_of("    restart: no\n"), "hint: 'never' leaves restarts to you\n"));
  CHECK(says(report_of("    precedence: lst\n"), "hint: did you mean 'last'?\n"));
  CHECK(says(report_of("    library: libjemalloc.so.2\n    allocator: jemalloc\n"),
             "hint: write auto, or an absolute path\n"));
  CHECK(says(report_of("    settle: 9s\n"), "hint: write 10s to 1d\n"));
  CHECK(says(report("max_concurrent_restarts: 65\n"), "hint: write 1 to 64\n"));
  CHECK(good("max_concurrent_restarts: 64\n").max_concurrent_restarts == 64);
  CHECK(says(report_of("    allocator: jemalloc\n    malloc_conf: yes\n"),
             "'malloc_conf' must be a text, not the boolean 'yes'\n"));
}

TEST_CASE("a list of libraries") {
  const auto preload = [](const std::string& list) {
    return report_of("    allocator: jemalloc\n    extra_preload: " + list + "\n");
  };
  CHECK(preload("[]").empty());
  CHECK(says(preload("/a.so"), "'extra_preload' must be a list, not a text\n"));
  CHECK(says(preload("[/a.so, /b.so, /a.so]"), "5:35: bad extra_preload '/a.so': it stands there twice\n"));
  CHECK(says(preload("['/a b.so']"),
             "bad extra_preload '/a b.so': the dynamic linker would split it at the blank\n"));
  CHECK(says(preload("[[/a.so]]"), "an item of 'extra_preload' must be a text, not a list\n"));
  CHECK(says(preload("[ '/a.so:/b.so', b.so ]"), "bad extra_preload 'b.so': it does not begin with '/'\n"));
}

TEST_CASE("the mode of all is that of a service that says none") {
  const auto settings = good(
      "mode: enforce\npersist: runtime\nservices:\n"
      "  a: {select: [unit: a], allocator: jemalloc}\n"
      "  b: {select: [unit: b], allocator: jemalloc, mode: observe, persist: system}\n"
      "  c: {select: [unit: c]}\n"
      "  d: {select: [cgroup: /d], allocator: jemalloc}\n"
      "  e: {select: [unit: e, cgroup: /e], allocator: glibc}\n");
  std::string modes;
  for (const auto& read : settings.services) {
    modes += read.name + " " + std::string(kModeNames.name(effective_mode(settings, read))) + "\n";
  }
  // What asks for nothing, or selects no unit, has nothing to be enforced.
  CHECK(modes == "a enforce\nb observe\nc observe\nd observe\ne enforce\n");
  CHECK(effective_persist(settings, settings.services[0]) == Persist::runtime);
  CHECK(effective_persist(settings, settings.services[1]) == Persist::system);
}

TEST_CASE("enforcing must have something to enforce") {
  CHECK(report_of("    mode: enforce\n    allocator: any\n") ==
        "allocd.yaml:4:11: nothing to enforce: the allocator is any\n"
        "        mode: enforce\n"
        "              ^\n"
        "    hint: write 'allocator: jemalloc', or another one, beside it\n");
  CHECK(says(report_of("    mode: enforce\n"), "nothing to enforce"));
}

TEST_CASE("a service of control groups alone cannot be enforced, whichever file says so") {
  const std::string containers =
      "services:\n  a:\n    select: [cgroup: /a]\n    allocator: jemalloc\n    restart: now\n";
  CHECK(report(containers).empty());
  CHECK(report("mode: enforce\nservices: {a: {select: [cgroup: /a], allocator: jemalloc, mode: observe, "
               "restart: now}}\n")
            .empty());
  const std::string expected =
      "1.yaml:5:5: 'restart' cannot be enforced: service 'a' selects no unit\n"
      "        restart: now\n"
      "        ^\n"
      "    hint: a control group is only observed; remove the key, or write 'mode: observe' beside it\n";
  CHECK(report({{"1.yaml", containers}, {"2.yaml", "mode: enforce\n"}}) == expected);
  // The last word counts.
  CHECK(
      report({{"1.yaml", containers}, {"2.yaml", "mode: enforce\n"}, {"3.yaml", "mode: observe\n"}}).empty());
  CHECK(says(report("services: {a: {select: [cgroup: /a], allocator: jemalloc, mode: enforce}}\n"),
             "1:59: 'mode' cannot be enforced: service 'a' selects no unit\n"));
}
