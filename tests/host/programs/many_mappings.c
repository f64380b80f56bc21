// SPDX-License-Identifier: Apache-2.0
// many_mappings N: N more lines in /proc/PID/maps (neighbours differ in protection, so they do not merge).
#include <sys/mman.h>

#include "common.h"

int main(int argc, char** argv) {
  const long wanted = atol(argument(argc, argv, 1, "N"));
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char* area =
      mmap(NULL, (size_t)wanted * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED) fail("mmap");
  for (long i = 0; i < wanted; i += 2) {
    if (mprotect(area + (size_t)i * page, page, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
  }
  say("ready");
  stay();
}
