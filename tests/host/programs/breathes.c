// SPDX-License-Identifier: Apache-2.0
// breathes [MILLISECONDS]: maps, touches and unmaps 64 KiB, and again after so long (500), for ever: a
// process of which every sample sees new figures, at next to no cost. For the benchmark.
#include <sys/mman.h>

#include "common.h"

enum { kMapped = 64 * 1024, kPage = 4096 };

static void breathe(void) {
  volatile char* area = mmap(NULL, kMapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) fail("mmap");
  for (size_t offset = 0; offset < kMapped; offset += kPage) area[offset] = 1;
  munmap((void*)area, kMapped);
}

int main(int argc, char** argv) {
  const long wait = argc > 1 ? atol(argv[1]) : 500;
  for (;;) {
    breathe();
    pause_ms(wait);
  }
}
