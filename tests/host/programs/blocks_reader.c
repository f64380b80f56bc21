// SPDX-License-Identifier: Apache-2.0
// Points its own DT_DEBUG at a page that nobody ever fills (userfaultfd(2)): whoever follows the link map
// from outside waits in the kernel for as long as this process lives. The map itself and /proc stay readable.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common.h"

extern ElfW(Dyn) _DYNAMIC[];

static void* unfilled_page(size_t page) {
  const int fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  if (fault_fd < 0) fail("userfaultfd");
  struct uffdio_api api = {.api = UFFD_API};
  if (ioctl(fault_fd, UFFDIO_API, &api) != 0) fail("UFFDIO_API");
  void* area = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) fail("mmap");
  struct uffdio_register range = {.range = {(uint64_t)(uintptr_t)area, page},
                                  .mode = UFFDIO_REGISTER_MODE_MISSING};
  if (ioctl(fault_fd, UFFDIO_REGISTER, &range) != 0) fail("UFFDIO_REGISTER");
  return area;
}

static void point_debug_entry_at(void* target, size_t page) {
  ElfW(Dyn)* entry = _DYNAMIC;
  while (entry->d_tag != DT_DEBUG) {
    if (entry->d_tag == DT_NULL) fail("no DT_DEBUG");
    ++entry;
  }
  char* start = (char*)((uintptr_t)entry & ~(uintptr_t)(page - 1));
  if (mprotect(start, 2 * page, PROT_READ | PROT_WRITE) != 0) fail("mprotect");
  entry->d_un.d_ptr = (ElfW(Addr))(uintptr_t)target;
}

int main(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  point_debug_entry_at(unfilled_page(page), page);
  say("ready");
  stay();
}
