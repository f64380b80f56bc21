// SPDX-License-Identifier: Apache-2.0
// The canary. Uses malloc as a server does, under the preload it was started with, and says in one line of
// JSON on stdout whose malloc it was; the exit code says what was wrong (canary_exit.hpp).
//
// Links nothing but libc: a C++ runtime would be one more user of malloc before main. Writes nothing to
// stderr, so that whatever is there comes from the dynamic linker or from a library. allocd-canary takes no
// argument.
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

#include "preflight/canary_exit.hpp"

using namespace allocd::preflight;

namespace {

constexpr size_t kSizes[] = {1, 8, 24, 100, 1000, 4096, 10000, 65536, 300000, 2097153, 5000000};
constexpr int kThreads = 4;
constexpr int kRounds = 2000;  // at least
constexpr int kForks = 8;
constexpr unsigned kChildSeconds = 5;

// What the C library, not the compiler, is asked for: a compiler may drop a malloc that nobody looks at.
void* hide(void* pointer) {
  __asm__ volatile("" : "+r"(pointer) : : "memory");
  return pointer;
}

void fill(void* pointer, size_t size, unsigned char mark) {
  memset(pointer, mark, size);
}
// Every byte is the mark when the first is and each equals the one before it.
bool holds(const void* pointer, size_t size, unsigned char mark) {
  const auto* bytes = static_cast<const unsigned char*>(pointer);
  return size == 0 || (bytes[0] == mark && memcmp(bytes, bytes + 1, size - 1) == 0);
}
bool is_aligned(const void* pointer, size_t alignment) {
  return reinterpret_cast<uintptr_t>(pointer) % alignment == 0;
}

// Ownership ------------------------------------------------------------------------------------------------

int find_owner(const char* symbol, Dl_info* info) {
  void* address = dlsym(RTLD_DEFAULT, symbol);
  return address != nullptr && dladdr(address, info) != 0 && info->dli_fname != nullptr ? kCanarySound
                                                                                        : kCanaryNoOwner;
}

int check_owners(Dl_info* owner) {
  if (find_owner("malloc", owner) != kCanarySound) return kCanaryNoOwner;
  // One allocator's memory in another's free is the end of a service.
  for (const char* symbol :
       {"free", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "malloc_usable_size"}) {
    Dl_info other;
    if (find_owner(symbol, &other) != kCanarySound || other.dli_fbase != owner->dli_fbase) {
      return kCanarySplitOwner;
    }
  }
  return kCanarySound;
}

// Allocation -----------------------------------------------------------------------------------------------

int check_block(void* pointer, size_t size, size_t alignment) {
  if (pointer == nullptr) return kCanaryNoMemory;
  if (!is_aligned(pointer, alignment)) return kCanaryMisaligned;
  if (malloc_usable_size(pointer) < size) return kCanaryTooSmall;
  fill(pointer, size, 0xA5);
  return holds(pointer, size, 0xA5) ? kCanarySound : kCanaryCorrupted;
}

// What is wrong is kept, not freed: that could only hide what was found behind a crash.
void* g_kept;
int release(int found, void* pointer) {
  if (found == kCanarySound) {
    free(pointer);
  } else {
    g_kept = pointer;
  }
  return found;
}

int check_malloc(size_t size) {
  void* pointer = hide(malloc(size));
  // Some allocators give 16-byte alignment only to sizes that are a multiple of it (mimalloc does).
  const size_t alignment = size % alignof(max_align_t) == 0 ? alignof(max_align_t) : sizeof(void*);
  return release(check_block(pointer, size, alignment), pointer);
}

int check_calloc(size_t size) {
  // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer loses the pointer in hide()
  void* pointer = hide(calloc(1, size));
  const bool is_clean = pointer == nullptr || holds(pointer, size, 0);
  return release(is_clean ? check_block(pointer, size, 1) : kCanaryCorrupted, pointer);
}

int check_realloc(size_t size) {
  void* pointer = hide(malloc(size));
  if (pointer == nullptr) return kCanaryNoMemory;
  fill(pointer, size, 0x5A);
  void* larger = hide(realloc(pointer, size * 2 + 7));
  if (larger == nullptr) return kCanaryNoMemory;
  if (!holds(larger, size, 0x5A)) return kCanaryCorrupted;
  void* smaller = hide(realloc(larger, size / 2 + 1));
  if (smaller == nullptr) return kCanaryNoMemory;
  if (!holds(smaller, size / 2, 0x5A)) return kCanaryCorrupted;
  free(smaller);
  return kCanarySound;
}

int check_aligned(size_t alignment, size_t size) {
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* pointer = hide(aligned_alloc(alignment, rounded));
  const int found = release(check_block(pointer, rounded, alignment), pointer);
  if (found != kCanarySound) return found;
  if (posix_memalign(&pointer, alignment, size) != 0) return kCanaryNoMemory;
  return release(check_block(hide(pointer), size, alignment), pointer);
}

// A size that is a multiple of the alignment goes another way in many allocators: in mimalloc 2.0.9 a wrong
// one.
int check_alignments() {
  for (size_t alignment = sizeof(void*); alignment <= 65536; alignment *= 2) {
    for (const size_t size : {size_t{1}, size_t{100}, size_t{10000}, alignment, alignment * 2}) {
      // More than one: the first of a fresh page is aligned by luck.
      for (int i = 0; i < 3; ++i) {
        if (const int found = check_aligned(alignment, size); found != kCanarySound) return found;
      }
    }
  }
  return kCanarySound;
}

int check_all_sizes() {
  for (const size_t size : kSizes) {
    for (int (*check)(size_t) : {check_malloc, check_calloc, check_realloc}) {
      if (const int found = check(size); found != kCanarySound) return found;
    }
  }
  free(nullptr);
  return check_alignments();
}

// Threads --------------------------------------------------------------------------------------------------

// Each thread puts blocks into slots that all share, and frees what another thread put there.
struct Exchange {
  void* slots[64];
  int failed;
  int is_over;  // the forks are done
};

struct Block {
  size_t size;
  unsigned char mark;
};

int check_and_free(void* pointer) {
  if (pointer == nullptr) return kCanarySound;
  Block block;
  memcpy(&block, pointer, sizeof block);
  const bool kept = holds(static_cast<char*>(pointer) + sizeof block, block.size, block.mark);
  free(pointer);
  return kept ? kCanarySound : kCanaryCorrupted;
}

int work(Exchange* exchange, unsigned seed) {
  unsigned state = seed * 2654435761U + 1;
  for (int i = 0; i < kRounds || __atomic_load_n(&exchange->is_over, __ATOMIC_ACQUIRE) == 0; ++i) {
    state = state * 1664525U + 1013904223U;
    const Block block{kSizes[(state >> 24U) % 7], static_cast<unsigned char>(state >> 8U)};
    void* pointer = malloc(sizeof block + block.size);
    if (pointer == nullptr) return kCanaryNoMemory;
    memcpy(pointer, &block, sizeof block);
    fill(static_cast<char*>(pointer) + sizeof block, block.size, block.mark);
    void* previous = __atomic_exchange_n(&exchange->slots[(state >> 16U) % 64], pointer, __ATOMIC_ACQ_REL);
    if (const int found = check_and_free(previous); found != kCanarySound) return found;
  }
  return kCanarySound;
}

Exchange g_exchange;

void* run_thread(void* seed) {
  const int found = work(&g_exchange, *static_cast<const unsigned*>(seed));
  if (found != kCanarySound) __atomic_store_n(&g_exchange.failed, found, __ATOMIC_RELEASE);
  return nullptr;
}

// Fork, while the threads above hold whatever locks the allocator has
// ----------------------------------------

int run_child() {
  for (int i = 0; i < 3; ++i) {
    for (size_t at = 0; at < 8; ++at) {
      if (const int found = check_malloc(kSizes[at]); found != kCanarySound) return found;
      if (const int found = check_realloc(kSizes[at]); found != kCanarySound) return found;
    }
  }
  return kCanarySound;
}

int check_fork() {
  const pid_t child = fork();
  if (child < 0) return kCanaryNoFork;
  if (child == 0) {
    alarm(kChildSeconds);
    _exit(run_child());
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return kCanaryNoFork;
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGALRM ? kCanaryChildHung : kCanaryChildCrashed;
  return WEXITSTATUS(status) == kCanarySound ? kCanarySound : kCanaryChildFailed;
}

int check_threads_and_forks() {
  pthread_t threads[kThreads];
  static unsigned seeds[kThreads];
  for (unsigned i = 0; i < kThreads; ++i) {
    seeds[i] = i;
    if (pthread_create(&threads[i], nullptr, run_thread, &seeds[i]) != 0) return kCanaryNoThread;
  }
  int found = kCanarySound;
  for (int i = 0; i < kForks && found == kCanarySound; ++i) found = check_fork();
  __atomic_store_n(&g_exchange.is_over, 1, __ATOMIC_RELEASE);
  if (found != kCanarySound) return found;
  for (pthread_t thread : threads) {
    if (pthread_join(thread, nullptr) != 0) return kCanaryNoThread;
  }
  for (void* slot : g_exchange.slots) {
    if (found == kCanarySound) found = check_and_free(slot);
  }
  return found != kCanarySound ? found : __atomic_load_n(&g_exchange.failed, __ATOMIC_ACQUIRE);
}

// The report -----------------------------------------------------------------------------------------------

size_t put_text(char* out, size_t at, size_t limit, const char* text) {
  for (; *text != '\0' && at + 8 < limit; ++text) {
    const auto byte = static_cast<unsigned char>(*text);
    if (byte < 0x20 || byte == '"' || byte == '\\') {
      at += static_cast<size_t>(snprintf(out + at, limit - at, "\\u%04x", byte));
    } else {
      out[at++] = static_cast<char>(byte);
    }
  }
  return at;
}

int report(const Dl_info& owner) {
  struct stat file{};
  if (stat(owner.dli_fname, &file) != 0) return kCanaryNoOwner;
  static char line[16384];
  size_t at = static_cast<size_t>(snprintf(line, sizeof line, "{\"owner\":\""));
  at = put_text(line, at, sizeof line - 256, owner.dli_fname);
  at += static_cast<size_t>(snprintf(
      line + at, sizeof line - at, "\",\"device\":%llu,\"inode\":%llu,\"glibc\":\"%s\",\"page_size\":%ld}\n",
      static_cast<unsigned long long>(file.st_dev), static_cast<unsigned long long>(file.st_ino),
      gnu_get_libc_version(), sysconf(_SC_PAGESIZE)));
  for (size_t done = 0; done < at;) {
    const ssize_t count = write(STDOUT_FILENO, line + done, at - done);
    if (count <= 0) return kCanaryCannotReport;
    done += static_cast<size_t>(count);
  }
  return kCanarySound;
}

}  // namespace

int main(int argc, char**) {
  if (argc != 1) return kCanaryUsage;
  Dl_info owner{};
  // Told first: of a library that goes wrong later it is still known that it was asked.
  if (const int found = check_owners(&owner); found != kCanarySound && found != kCanarySplitOwner)
    return found;
  if (const int found = report(owner); found != kCanarySound) return found;
  if (const int found = check_owners(&owner); found != kCanarySound) return found;
  if (const int found = check_all_sizes(); found != kCanarySound) return found;
  return check_threads_and_forks();
}
