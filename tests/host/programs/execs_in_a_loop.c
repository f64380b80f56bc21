// SPDX-License-Identifier: Apache-2.0
// execs_in_a_loop FILE: becomes itself, as fast as it can, until FILE appears; then holds some memory and
// stays. Pid and start time stay the same over some thousand images a second.
#include "common.h"

int main(int argc, char** argv) {
  const char* file = argument(argc, argv, 1, "FILE");
  if (access(file, F_OK) != 0) {
    execv("/proc/self/exe", argv);
    fail("execv");
  }
  void* volatile block = malloc(1 << 20);
  if (block == NULL) fail("malloc");
  memset(block, 1, 1 << 20);
  say("ready");
  stay();
}
