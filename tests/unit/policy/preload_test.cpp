// SPDX-License-Identifier: Apache-2.0
#include "policy/preload.hpp"

#include <optional>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace allocd::policy;
using allocd::allocator::Kind;
using Lines = std::vector<std::string>;

TEST_CASE("the first allocator in LD_PRELOAD is the one that is asked for", "[policy]") {
  CHECK(decide_preload_kind("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2") == Kind::jemalloc);
  CHECK(decide_preload_kind("libtcmalloc_minimal.so.4") == Kind::tcmalloc);
  CHECK(decide_preload_kind("/opt/venv/lib/vllm/libtcmalloc-1a2b3c.so.4:/usr/lib/libjemalloc.so.2") ==
        Kind::tcmalloc);
  CHECK(decide_preload_kind("/opt/libiomp5.so:/usr/lib/libjemalloc.so.2") == Kind::jemalloc);
  CHECK(decide_preload_kind("  libiomp5.so   libmimalloc.so.2.0 ") == Kind::mimalloc);
  CHECK(decide_preload_kind("::libmimalloc-secure.so.2") == Kind::mimalloc);
  CHECK(decide_preload_kind("/usr/$LIB/libjemalloc.so.2") == Kind::jemalloc);
  // libtbbmalloc alone does not define malloc, its proxy does.
  CHECK(decide_preload_kind("libiomp5.so:libtbbmalloc.so.2:libtcmalloc.so.4") == Kind::tcmalloc);
  CHECK(decide_preload_kind("libtbbmalloc_proxy.so.2:libtcmalloc.so.4") == Kind::other);
}

TEST_CASE("names that only look like an allocator ask for nothing", "[policy]") {
  CHECK(decide_preload_kind("") == std::nullopt);
  CHECK(decide_preload_kind(" : ") == std::nullopt);
  CHECK(decide_preload_kind("/opt/libjemalloc.so.2/libiomp5.so") == std::nullopt);
  CHECK(decide_preload_kind("/usr/lib/libjemallocator.so") == std::nullopt);
  CHECK(decide_preload_kind("jemalloc") == std::nullopt);
  CHECK(decide_preload_kind("libc.so.6") == std::nullopt);
}

TEST_CASE("what systemd would set", "[policy]") {
  CHECK(decide_preload(Lines{}, Lines{}) == Preload{"", false});
  CHECK(decide_preload(Lines{"A=1", "LD_PRELOAD=x", "LD_PRELOAD_X=y"}, Lines{}) == Preload{"x", false});
  CHECK(decide_preload(Lines{"LD_PRELOAD=x", "LD_PRELOAD=y"}, Lines{}) == Preload{"y", false});
  CHECK(decide_preload(Lines{"LD_PRELOAD=x"}, Lines{"LD_PRELOAD"}) == Preload{"x", true});
  CHECK(decide_preload(Lines{"LD_PRELOAD=x"}, Lines{"LD_PRELOAD=x"}) == Preload{"x", true});
  CHECK(decide_preload(Lines{"LD_PRELOAD=x"}, Lines{"LD_PRELOAD=z", "LD_PRE"}) == Preload{"x", false});
  CHECK(decide_preload(Lines{"LD_PRELOAD="}, Lines{}) == Preload{"", false});
}

TEST_CASE("a container client's variables are found in every form") {
  using Commands = std::vector<std::vector<std::string>>;
  const Commands commands{{"/usr/bin/podman", "run", "--env", "A=1", "--env=B=2", "-e", "C=three words", "-e",
                           "FROM_OURS", "image"},
                          {"/usr/bin/podman", "run", "-e"}};
  CHECK(allocd::policy::list_container_environment(commands) ==
        std::vector<std::string>{"A=1", "B=2", "C=three words"});
  CHECK(allocd::policy::list_container_environment({}).empty());
}
