// SPDX-License-Identifier: Apache-2.0
#include "unitfile/quote.hpp"

#include <string>

#include "support/catch.hpp"

using namespace allocd::unitfile;
using namespace std::string_literals;

TEST_CASE("an Environment= line escapes what has a meaning there") {
  CHECK(render_environment_line("LD_PRELOAD", "/usr/lib/x.so") ==
        R"(Environment="LD_PRELOAD=/usr/lib/x.so")");
  CHECK(render_environment_line("A", "\"\\%$'\n\t\r\x7f\0z"s) == R"(Environment="A=\"\\%%$'\n\t\x0d\x7fz")");
}

TEST_CASE("a line of an EnvironmentFile= escapes what a shell would") {
  CHECK(render_environment_file_line("A", "\"\\$`%' \nb") == "A=\"\\\"\\\\\\$\\`%' \nb\"");
}

TEST_CASE("a path is made literal twice: for specifiers and for patterns") {
  CHECK(escape_specifiers("/a/100%") == "/a/100%%");
  CHECK(escape_file_pattern("/run/a\\x2db@*[1]?%.env") == "/run/a\\\\x2db@\\*\\[1]\\?%%.env");
}
