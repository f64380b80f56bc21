// SPDX-License-Identifier: Apache-2.0
// exits_in_a_loop N: keeps N children alive, each of which ends at once; never has the same ones twice.
#include <sys/wait.h>

#include "common.h"

int main(int argc, char** argv) {
  const int children = atoi(argument(argc, argv, 1, "N"));
  int alive = 0;
  say("ready");
  for (;;) {
    for (; alive < children; ++alive) {
      const pid_t child = fork();
      if (child < 0) fail("fork");
      if (child == 0) _exit(malloc(1000) == NULL);
    }
    if (wait(NULL) < 0) fail("wait");
    --alive;
  }
}
