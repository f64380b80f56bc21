// SPDX-License-Identifier: Apache-2.0
// An allocator that hands everything to glibc's own, with one fault chosen when it is built (CMakeLists.txt).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARED __attribute__((visibility("default")))

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);
extern void __libc_free(void*);

#if !defined(FAULT_NO_MALLOC)

static pid_t started_as;

static void say(int stream, const char* text) {
  if (write(stream, text, strlen(text)) < 0) _exit(3);
}

static void act_when_forked(void) {
#if defined(FAULT_BREAKS_AFTER_FORK)
  if (started_as != 0 && getpid() != started_as) abort();
#elif defined(FAULT_HANGS_AFTER_FORK)
  if (started_as != 0 && getpid() != started_as) {
    for (;;) pause();
  }
#endif
}

__attribute__((constructor)) static void start(void) {
  started_as = getpid();
#if defined(FAULT_ABORTS)
  abort();
#elif defined(FAULT_HANGS)
  for (;;) pause();
#elif defined(FAULT_WARNS)
  say(STDERR_FILENO, "faulty: this build is \033[31mexperimental\n");
#elif defined(FAULT_CHATTERS)
  say(STDOUT_FILENO, "faulty: hello\n");
#elif defined(FAULT_FLOODS)
  for (;;) say(STDERR_FILENO, "faulty: the same line again and again and again\n");
#elif defined(FAULT_EXITS)
  _exit(9);
#elif defined(FAULT_LEAVES_CHILD)
  if (fork() == 0) {
    for (;;) pause();
  }
#elif defined(FAULT_TELLS_MALLOC_CONF)
  say(STDERR_FILENO, getenv("MALLOC_CONF") != NULL ? getenv("MALLOC_CONF") : "none");
#elif defined(FAULT_TELLS_USER)
  say(STDERR_FILENO, geteuid() == 0 || getuid() == 0 ? "root" : "nobody special");
#endif
  (void)say;
}

SHARED void* malloc(size_t size) {
  act_when_forked();
#if defined(FAULT_REFUSES)
  return size > 1000000 ? NULL : __libc_malloc(size);
#else
  return __libc_malloc(size);
#endif
}

#if !defined(FAULT_NO_FREE)
SHARED void free(void* pointer) {
  __libc_free(pointer);
}
#endif

SHARED void* calloc(size_t count, size_t size) {
  void* pointer = __libc_calloc(count, size);
#if defined(FAULT_DIRTY_CALLOC)
  if (pointer != NULL && size > 64) ((char*)pointer)[64] = 1;
#endif
  return pointer;
}

SHARED void* realloc(void* pointer, size_t size) {
  return __libc_realloc(pointer, size);
}

SHARED void* memalign(size_t alignment, size_t size) {
  return __libc_memalign(alignment, size);
}

SHARED void* aligned_alloc(size_t alignment, size_t size) {
#if defined(FAULT_MISALIGNS)
  alignment = 16;
#endif
  return __libc_memalign(alignment, size);
}

SHARED int posix_memalign(void** out, size_t alignment, size_t size) {
  *out = __libc_memalign(alignment, size);
  return *out != NULL ? 0 : ENOMEM;
}

SHARED size_t malloc_usable_size(void* pointer) {
#if defined(FAULT_SMALL_USABLE_SIZE)
  (void)pointer;
  return 1;
#else
  static size_t (*next)(void*);
  if (next == NULL) next = (size_t (*)(void*))dlsym(RTLD_NEXT, "malloc_usable_size");
  return next(pointer);
#endif
}

// So that it is taken for a jemalloc: what is asked for by name must be what is found.
SHARED int mallctl(const char* name, void* old, size_t* old_size, void* new, size_t new_size) {
  (void)name, (void)old, (void)old_size, (void)new, (void)new_size;
  return ENOENT;
}

#else
SHARED int nothing_at_all(void) {
  return 0;
}
#endif
