// SPDX-License-Identifier: Apache-2.0
// makes_heaps THREADS MIB FILE: threads that hold MIB each from an arena of glibc of their own, and in FILE
// what malloc_info(3) says of it.
#include <malloc.h>
#include <pthread.h>

#include "common.h"

static size_t wanted;
static pthread_barrier_t filled;

// Blocks too small for a mapping of their own, so that they come from heaps. Only their headers are touched.
static void* fill(void* unused) {
  enum { kBlock = 64 << 10 };
  (void)unused;
  for (size_t held = 0; held < wanted; held += kBlock) {
    void* volatile block = malloc(kBlock);
    if (block == NULL) fail("malloc");
  }
  pthread_barrier_wait(&filled);
  stay();
  return NULL;
}

int main(int argc, char** argv) {
  const char* usage = "THREADS MIB FILE";
  const unsigned threads = (unsigned)atoi(argument(argc, argv, 1, usage));
  wanted = (size_t)atoi(argument(argc, argv, 2, usage)) << 20;
  const char* path = argument(argc, argv, 3, usage);
  mallopt(M_ARENA_MAX, (int)threads + 1);
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  if (pthread_barrier_init(&filled, NULL, threads + 1) != 0) fail("barrier");
  for (unsigned i = 0; i < threads; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, fill, NULL) != 0) fail("pthread_create");
  }
  pthread_barrier_wait(&filled);
  FILE* file = fopen(path, "we");
  if (file == NULL || malloc_info(0, file) != 0 || fclose(file) != 0) fail(path);
  say("ready");
  stay();
}
