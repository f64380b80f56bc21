// SPDX-License-Identifier: Apache-2.0
// stall_meter RESIDENT_MIB SECONDS: how long a process waits for its own memory map while it is observed.
// Holds RESIDENT_MIB in 4 KiB pages; says "ready", reads a line, then maps, touches and unmaps 64 KiB for
// SECONDS and prints {"count":..,"p50_ns":..,"p99_ns":..,"p999_ns":..,"max_ns":..}; again for each line read.
#include <stdint.h>
#include <sys/mman.h>

#include "common.h"

enum { kMapped = 64 * 1024, kMaxSamples = 1 << 24 };
static uint32_t* samples;

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void* map(size_t size) {
  void* area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) fail("mmap");
  return area;
}

static void fill(size_t size) {
  char* area = map(size);
  if (madvise(area, size, MADV_NOHUGEPAGE) != 0 && errno != EINVAL) fail("madvise");
  for (size_t offset = 0; offset < size; offset += 4096) area[offset] = 1;
}

static uint32_t once(void) {
  const int64_t start = now_ns();
  volatile char* area = map(kMapped);
  area[0] = 1;
  area[kMapped - 1] = 1;
  munmap((void*)area, kMapped);
  const int64_t spent = now_ns() - start;
  return spent > UINT32_MAX ? UINT32_MAX : (uint32_t)spent;
}

static int smaller(const void* left, const void* right) {
  const uint32_t a = *(const uint32_t*)left;
  const uint32_t b = *(const uint32_t*)right;
  return (a > b) - (a < b);
}

static void measure(double seconds) {
  const int64_t end = now_ns() + (int64_t)(seconds * 1e9);
  size_t count = 0;
  while (count < kMaxSamples && now_ns() < end) samples[count++] = once();
  qsort(samples, count, sizeof *samples, smaller);
  printf("{\"count\":%zu,\"p50_ns\":%u,\"p99_ns\":%u,\"p999_ns\":%u,\"max_ns\":%u}\n", count,
         samples[count / 2], samples[count * 99 / 100], samples[count * 999 / 1000], samples[count - 1]);
  fflush(stdout);
}

int main(int argc, char** argv) {
  const char* usage = "RESIDENT_MIB SECONDS";
  const size_t resident = (size_t)atol(argument(argc, argv, 1, usage)) << 20;
  const double seconds = atof(argument(argc, argv, 2, usage));
  samples = map(kMaxSamples * sizeof *samples);
  memset(samples, 0, kMaxSamples * sizeof *samples);
  fill(resident);
  say("ready");
  for (int c = getchar(); c != EOF; c = getchar()) {
    if (c == '\n') measure(seconds);
  }
  return 0;
}
