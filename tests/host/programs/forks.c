// SPDX-License-Identifier: Apache-2.0
// forks N: N forked children, all stay.
#include "common.h"

int main(int argc, char** argv) {
  const int children = atoi(argument(argc, argv, 1, "N"));
  free(malloc(100000));
  for (int i = 0; i < children; ++i) {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) stay();
  }
  say("ready");
  stay();
}
