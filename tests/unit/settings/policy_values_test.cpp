// SPDX-License-Identifier: Apache-2.0
#include "settings/policy_values.hpp"

#include <string>

#include "support/catch.hpp"

using namespace allocd::settings;

namespace {

template <typename Parsed>
std::string why(const Parsed& parsed) {
  return parsed ? "accepted" : parsed.error().message;
}

}  // namespace

TEST_CASE("a path that the dynamic linker would take for something else is refused") {
  for (const auto* text :
       {"/usr/lib/libjemalloc.so.2", "/opt/a-b_c+d,e=f/libx.so", "/lib/\xC3\xA9.so", "/a%b"}) {
    INFO(text);
    CHECK(parse_preload_path(text) == std::string(text));
  }
  CHECK(why(parse_preload_path("")) == "it is empty");
  CHECK(why(parse_preload_path("libjemalloc.so.2")) == "it does not begin with '/'");
  CHECK(why(parse_preload_path("/a b.so")) == "the dynamic linker would split it at the blank");
  CHECK(why(parse_preload_path("/a.so:/b.so")) == "the dynamic linker would split it at the ':'");
  CHECK(why(parse_preload_path("/usr/$LIB/a.so")) == "the dynamic linker would expand the '$'");
  CHECK(why(parse_preload_path("/a\n.so")) == "it has a control character");
  CHECK(why(parse_preload_path("/a\xC2\x85.so")) == "it has a control character");
  CHECK(why(parse_preload_path("/usr//a.so")) == "it has an empty part");
  CHECK(why(parse_preload_path("/usr/lib/")) == "it has an empty part");
  CHECK(why(parse_preload_path("/usr/../a.so")) == "it has a part '..'");
  CHECK(why(parse_preload_path("/" + std::string(5000, 'a'))) == "a path is at most 4095 bytes long");
}

TEST_CASE("jemalloc's options by their shape") {
  for (const auto* text : {"narenas:4", "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:-1",
                           "slab_sizes:1-4096:17|100-200:1,prof_prefix:/tmp/a.%p", "arenas.x:1"}) {
    INFO(text);
    CHECK(parse_malloc_conf(text) == std::string(text));
  }
  CHECK(why(parse_malloc_conf("")) == "it is empty");
  CHECK(why(parse_malloc_conf("a:1, b:2")) == "it has a blank, or a character that is not ASCII");
  CHECK(why(parse_malloc_conf("a:1\nb:2")) == "it has a blank, or a character that is not ASCII");
  CHECK(why(parse_malloc_conf("a:1,")) == "it ends with a ','");
  CHECK(why(parse_malloc_conf("a:1,,b:2")) == "an option is missing between two ','");
  CHECK(why(parse_malloc_conf("narenas")) == "'narenas' has no ':'");
  CHECK(parse_malloc_conf("narenas=4").error().hint == "write narenas:4");
  CHECK(why(parse_malloc_conf(":4")) == "'' is no name of an option");
  CHECK(why(parse_malloc_conf("nar$enas:4")) == "'nar$enas' is no name of an option");
  CHECK(why(parse_malloc_conf("narenas:")) == "the option 'narenas' has no value");
  CHECK(why(parse_malloc_conf("a:1,b:2,a:3")) == "the option 'a' stands there twice");
}

TEST_CASE("a health URL is of this host") {
  CHECK(parse_health_url("http://127.0.0.1:8000/health") == HealthUrl{"127.0.0.1", 8000, "/health"});
  CHECK(parse_health_url("http://[::1]:1/") == HealthUrl{"::1", 1, "/"});
  CHECK(parse_health_url("http://localhost:65535/v1/models?full=1&a=@b:c") ==
        HealthUrl{"localhost", 65535, "/v1/models?full=1&a=@b:c"});
  CHECK(why(parse_health_url("")) == "it is empty");
  CHECK(why(parse_health_url("https://127.0.0.1:8000/")) == "only http:// is asked");
  CHECK(why(parse_health_url("HTTP://127.0.0.1:8000/")) == "it does not begin with http://");
  CHECK(why(parse_health_url("127.0.0.1:8000/")) == "it does not begin with http://");
  for (const auto* text : {"http://10.0.0.1:80/", "http://127.0.0.2:80/", "http://localhost.evil:80/",
                           "http://127.0.0.1.evil:80/", "http://[::2]:80/", "http://[::1:80/",
                           "http://::1:80/", "http:///", "http://", "http://:80/", "http://[::1]x:80/",
                           "http://0:80/", "http://2130706433:80/", "http://LOCALHOST:80/"}) {
    INFO(text);
    CHECK(why(parse_health_url(text)).ends_with(" is not the loopback of this host"));
  }
  CHECK(why(parse_health_url("http://root:secret@127.0.0.1:80/")) == "it holds a user name");
  CHECK(why(parse_health_url("http://127.0.0.1:80@evil/")) == "it holds a user name");
  CHECK(why(parse_health_url("http://127.0.0.1/health")) == "it has no port");
  for (const auto* port : {"", "0", "65536", "080", "+80", "8x", "99999999999999999999"}) {
    INFO(port);
    CHECK(why(parse_health_url("http://127.0.0.1:" + std::string(port) + "/")).ends_with(" is not a port"));
  }
  CHECK(why(parse_health_url("http://127.0.0.1:80")) == "it has no path");
  CHECK(why(parse_health_url("http://127.0.0.1:80?a")) == "it has no path");
  CHECK(why(parse_health_url("http://127.0.0.1:80/#top")) == "it has a '#'");
  CHECK(why(parse_health_url("http://127.0.0.1:80/a b")) ==
        "it has a blank, or a character that is not ASCII");
  CHECK(why(parse_health_url("http://127.0.0.1:80/\r\nHost: evil")) ==
        "it has a blank, or a character that is not ASCII");
}
