// SPDX-License-Identifier: Apache-2.0
// What the small programs of the host tier share. Each plays one awkward process and then stays.
#ifndef ALLOCD_TESTS_HOST_PROGRAMS_COMMON_H
#define ALLOCD_TESTS_HOST_PROGRAMS_COMMON_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static inline void say(const char* what) {
  puts(what);
  fflush(stdout);
}

static inline void pause_ms(long milliseconds) {
  const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static inline void stay(void) {
  for (;;) pause();
}

// A test says "now" by creating a file.
static inline void wait_for_file(const char* path) {
  while (access(path, F_OK) != 0) pause_ms(20);
}

static inline const char* argument(int count, char** values, int index, const char* usage) {
  if (index >= count) {
    fprintf(stderr, "usage: %s %s\n", values[0], usage);
    exit(2);
  }
  return values[index];
}

#endif
