// SPDX-License-Identifier: Apache-2.0
// holds_memory KIND=MIB...: takes memory of each kind, uses all of it, tells systemd that it is ready and
// stays. Kinds: pages (4 KiB ones), huge (transparent huge pages), hugetlb (reserved ones), shared, locked,
// malloc, and file=PATH, which maps a file. `no_thp` alone switches transparent huge pages off for the
// process.
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common.h"

enum { kPage = 4096, kBlock = 64 * 1024 };
static const size_t kMiB = 1 << 20;
static const size_t kHugePage = 2 << 20;

static char* map(size_t size, int flags) {
  char* area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
  if (area == MAP_FAILED) fail("mmap");
  return area;
}

static void touch(volatile char* area, size_t size) {
  for (size_t offset = 0; offset < size; offset += kPage) area[offset] = 1;
}

static char* take_pages(size_t size) {
  char* area = map(size, MAP_PRIVATE);
  if (madvise(area, size, MADV_NOHUGEPAGE) != 0) fail("madvise");
  touch(area, size);
  return area;
}

// A huge page must be aligned to its size; what is mapped beyond is never touched.
static void take_huge(size_t size) {
  char* area = map(size + kHugePage, MAP_PRIVATE);
  area += kHugePage - (size_t)area % kHugePage;
  if (madvise(area, size, MADV_HUGEPAGE) != 0) fail("madvise");
  touch(area, size);
}

static void take_blocks(size_t size) {
  for (size_t taken = 0; taken < size; taken += kBlock) {
    char* volatile block = malloc(kBlock);
    if (block == NULL) fail("malloc");
    touch(block, kBlock);
  }
}

static void take_file(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat facts;
  if (file < 0 || fstat(file, &facts) != 0) fail(path);
  const volatile char* area = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_SHARED, file, 0);
  if (area == MAP_FAILED) fail("mmap");
  for (off_t offset = 0; offset < facts.st_size; offset += kPage) (void)area[offset];
}

static void take(const char* kind, const char* value) {
  const size_t size = (size_t)atol(value) * kMiB;
  if (strcmp(kind, "pages") == 0) {
    take_pages(size);
  } else if (strcmp(kind, "huge") == 0) {
    take_huge(size);
  } else if (strcmp(kind, "hugetlb") == 0) {
    touch(map(size, MAP_PRIVATE | MAP_HUGETLB), size);
  } else if (strcmp(kind, "shared") == 0) {
    touch(map(size, MAP_SHARED), size);
  } else if (strcmp(kind, "locked") == 0) {
    if (mlock(take_pages(size), size) != 0) fail("mlock");
  } else if (strcmp(kind, "malloc") == 0) {
    take_blocks(size);
  } else if (strcmp(kind, "file") == 0) {
    take_file(value);
  } else {
    fprintf(stderr, "no such kind: %s\n", kind);
    exit(2);
  }
}

// sd_notify(3) without the library.
static void tell_systemd(void) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (path == NULL) return;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  static const char kReady[] = "READY=1";
  if (notify < 0 || sendto(notify, kReady, sizeof kReady - 1, 0, (struct sockaddr*)&address, size) < 0)
    fail("notify");
  close(notify);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    char* value = strchr(argv[i], '=');
    if (value == NULL && strcmp(argv[i], "no_thp") == 0) {
      if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) fail("prctl");
      continue;
    }
    if (value == NULL) argument(0, argv, 0, "KIND=MIB...");
    *value = '\0';
    take(argv[i], value + 1);
  }
  tell_systemd();
  stay();
}
