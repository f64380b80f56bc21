// SPDX-License-Identifier: Apache-2.0
#include "base/shell_word.hpp"

#include "support/catch.hpp"

using allocd::base::as_shell_word;

TEST_CASE("a word for a shell is quoted where it must be, and nothing in it is obeyed") {
  CHECK(as_shell_word("vllm@a.service") == "vllm@a.service");
  CHECK(as_shell_word("/machine.slice/libpod-3f1c9a.scope") == "/machine.slice/libpod-3f1c9a.scope");
  CHECK(as_shell_word("foo\\x2dbar.service") == "'foo\\x2dbar.service'");
  CHECK(as_shell_word("a b;reboot") == "'a b;reboot'");
  CHECK(as_shell_word("$(reboot)'`reboot`") == "'$(reboot)'\\''`reboot`'");
  CHECK(as_shell_word("") == "''");
}
