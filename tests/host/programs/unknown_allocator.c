// SPDX-License-Identifier: Apache-2.0
// An allocator nobody has heard of, as a library to preload: no name and no symbol tells what it is. Never
// frees.
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { kArena = 64 << 20, kAlign = 16 };

static _Alignas(4096) unsigned char arena[kArena];
static atomic_size_t used;

// The size stands in front of each block, for realloc.
static void* take(size_t align, size_t size) {
  if (align < kAlign) align = kAlign;
  if (size > kArena || align > kArena) return NULL;
  const size_t room = size + 2 * align;
  const size_t at = atomic_fetch_add(&used, room);
  if (at > kArena - room) return NULL;
  unsigned char* block = arena + ((at + 2 * align - 1) & ~(align - 1));
  ((size_t*)(void*)block)[-1] = size;
  return block;
}

void* malloc(size_t size) {
  return take(kAlign, size);
}
void free(void* block) {
  (void)block;
}
void* aligned_alloc(size_t align, size_t size) {
  return take(align, size);
}
void* memalign(size_t align, size_t size) {
  return take(align, size);
}

void* calloc(size_t count, size_t size) {
  size_t all;
  return __builtin_mul_overflow(count, size, &all) ? NULL : take(kAlign, all);  // never used before: zero
}

void* realloc(void* block, size_t size) {
  void* fresh = take(kAlign, size);
  if (block == NULL || fresh == NULL) return fresh;
  const size_t before = ((const size_t*)block)[-1];
  return memcpy(fresh, block, before < size ? before : size);
}

int posix_memalign(void** block, size_t align, size_t size) {
  *block = take(align, size);
  return *block == NULL ? ENOMEM : 0;
}
