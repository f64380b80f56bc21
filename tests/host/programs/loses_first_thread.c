// SPDX-License-Identifier: Apache-2.0
// loses_first_thread MEBIBYTES: a second thread allocates and touches so much and stays; the first one ends,
// as a main() that calls pthread_exit(3) does. The kernel then shows the process as a zombie, with all its
// memory.
#include <pthread.h>

#include "common.h"

static size_t size;

static void* second(void* unused) {
  volatile char* block = malloc(size);
  if (block == NULL) fail("malloc");
  for (size_t offset = 0; offset < size; offset += 4096) block[offset] = 'x';
  say("ready");
  stay();
  return unused;
}

int main(int argc, char** argv) {
  pthread_t thread;
  size = (size_t)atol(argument(argc, argv, 1, "MEBIBYTES")) << 20;
  if (pthread_create(&thread, NULL, second, NULL) != 0) fail("pthread_create");
  pthread_exit(NULL);
}
