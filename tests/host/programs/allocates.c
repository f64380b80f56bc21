// SPDX-License-Identifier: Apache-2.0
// Holds some memory from its own malloc and stays. Built many ways: see CMakeLists.txt.
#include "common.h"

int main(void) {
  enum { kBlocks = 4096, kSize = 1024 };
  static void* volatile blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) {
    blocks[i] = malloc(kSize);
    if (blocks[i] == NULL) fail("malloc");
    memset(blocks[i], i, kSize);
  }
  say("ready");
  stay();
}
