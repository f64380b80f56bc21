// SPDX-License-Identifier: Apache-2.0
// holds_map_lock DIRECTORY FILE [READER]: when FILE appears, takes the write lock of its own address space
// and keeps it for ever. Readers of /proc/PID/maps, cmdline and of its memory wait in the kernel; status and
// stat do not. With READER it lets go and takes the lock again and again, until a thread of a program of that
// name waits for it in process_vm_readv(2), where no signal ends the wait.
//
// How: a fuse(4) file system of its own whose server never answers WRITE. A page of its one file is dirty
// through a shared mapping; mapping the file again through a FOPEN_DIRECT_IO handle must first write that
// page back (fuse_file_mmap, invalidate_inode_pages2), and mmap(2) waits for that with the lock held. The
// server is a child: when it is killed the wait ends. The mount is in a mount namespace of its own and goes
// with both.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common.h"

static const char* reader;

enum { kRoot = 1, kFile = 2, kPage = 4096, kThreads = 3, kSize = kThreads * kPage, kRequestSize = 1 << 18 };

static void reply(int device, uint64_t unique, int error, const void* body, size_t size) {
  struct fuse_out_header header = {(uint32_t)(sizeof header + size), -error, unique};
  struct iovec parts[] = {{&header, sizeof header}, {(void*)body, size}};
  if (writev(device, parts, size != 0 ? 2 : 1) < 0 && errno != ENOENT) fail("reply");
}

static struct fuse_attr attributes(uint64_t node) {
  const uint32_t mode = node == kRoot ? S_IFDIR | 0755 : S_IFREG | 0600;
  return (struct fuse_attr){.ino = node, .size = node == kFile ? kSize : 0, .mode = mode, .nlink = 1};
}

static void answer_open(int device, uint64_t unique) {
  static int opened;
  struct fuse_open_out out = {.fh = (uint64_t)opened};
  out.open_flags = opened++ == 0 ? FOPEN_KEEP_CACHE : FOPEN_KEEP_CACHE | FOPEN_DIRECT_IO;
  reply(device, unique, 0, &out, sizeof out);
}

static void first_line(const char* path, char* line, int size) {
  FILE* file = fopen(path, "re");
  if (file == NULL || fgets(line, size, file) == NULL) line[0] = 0;
  if (file != NULL) fclose(file);
}

// Calls `is_it` with "DIRECTORY/N" for each number in it, until it says yes.
static int any_number(const char* directory, int (*is_it)(const char* path)) {
  int found = 0;
  DIR* stream = opendir(directory);
  for (struct dirent* entry; !found && stream != NULL && (entry = readdir(stream)) != NULL;) {
    char path[300];
    if (atoi(entry->d_name) == 0) continue;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    found = is_it(path);
  }
  if (stream != NULL) closedir(stream);
  return found;
}

static int waits_to_read(const char* thread) {
  char path[400];
  char line[200];
  snprintf(path, sizeof path, "%s/syscall", thread);
  first_line(path, line, sizeof line);
  return atol(line) == SYS_process_vm_readv;  // "running" while it runs
}

static int is_reader(const char* process) {
  char path[400];
  char line[200];
  snprintf(path, sizeof path, "%s/comm", process);
  first_line(path, line, sizeof line);
  line[strcspn(line, "\n")] = 0;
  if (strcmp(line, reader) != 0) return 0;
  snprintf(path, sizeof path, "%s/task", process);
  return any_number(path, waits_to_read);
}

static int is_kept(void) {
  for (int tries = 0; reader != NULL && tries < 5; ++tries) {
    if (any_number("/proc", is_reader)) return 1;
    pause_ms(2);
  }
  return reader == NULL;
}

// In a process of its own: the server has others to serve meanwhile.
static void answer_write(int device, const struct fuse_in_header* in) {
  const struct fuse_write_in* request = (const struct fuse_write_in*)(const void*)(in + 1);
  const struct fuse_write_out out = {.size = request->size};
  if (fork() != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!is_kept()) reply(device, in->unique, 0, &out, sizeof out);
  _exit(0);
}

static void answer(int device, const struct fuse_in_header* in) {
  static const char zeros[kSize];
  switch (in->opcode) {
    case FUSE_INIT: {
      const struct fuse_init_out out = {
          .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = kSize};
      return reply(device, in->unique, 0, &out, sizeof out);
    }
    case FUSE_LOOKUP: {
      const struct fuse_entry_out out = {
          .nodeid = kFile, .entry_valid = 3600, .attr_valid = 3600, .attr = attributes(kFile)};
      return reply(device, in->unique, 0, &out, sizeof out);
    }
    case FUSE_GETATTR: {
      const struct fuse_attr_out out = {.attr_valid = 3600, .attr = attributes(in->nodeid)};
      return reply(device, in->unique, 0, &out, sizeof out);
    }
    case FUSE_OPEN:
      return answer_open(device, in->unique);
    case FUSE_READ:
      return reply(device, in->unique, 0, zeros, ((const struct fuse_read_in*)(const void*)(in + 1))->size);
    case FUSE_WRITE:  // the point of it all
      return answer_write(device, in);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      return;
    default:
      return reply(device, in->unique, ENOSYS, NULL, 0);
  }
}

static void serve(int device) {
  static char request[kRequestSize];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGCHLD, SIG_IGN);
  while (read(device, request, sizeof request) > 0 || errno == EINTR || errno == ENOENT) {
    answer(device, (const struct fuse_in_header*)(const void*)request);
  }
  _exit(0);
}

static void mount_at(const char* directory, int device) {
  char options[100];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
  if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("unshare");
  if (mkdir(directory, 0755) != 0 && errno != EEXIST) fail(directory);
  if (mount("holds_map_lock", directory, "fuse", MS_NOSUID | MS_NODEV, options) != 0) fail("mount");
}

static int open_file(const char* directory) {
  char path[4096];
  snprintf(path, sizeof path, "%s/file", directory);
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) fail(path);
  return file;
}

static volatile char* pages;
static int direct;

static void* hold(void* page) {
  do {
    *(volatile char*)page = 1;
    munmap(mmap(NULL, kSize, PROT_READ, MAP_PRIVATE, direct, 0), kSize);
  } while (reader != NULL);
  return NULL;
}

int main(int argc, char** argv) {
  const char* usage = "DIRECTORY FILE [READER]";
  const char* directory = argument(argc, argv, 1, usage);
  const char* go = argument(argc, argv, 2, usage);
  reader = argc > 3 ? argv[3] : NULL;
  const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) fail("/dev/fuse");
  mount_at(directory, device);
  if (fork() == 0) serve(device);
  close(device);

  pages = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, open_file(directory), 0);
  if (pages == MAP_FAILED) fail("mmap");
  pages[0] = 1;
  direct = open_file(directory);
  say("ready");
  wait_for_file(go);
  // More than one thread with READER, each with a page of its own: one queues for the lock before another
  // lets it go, so that a reader gets it once at a time and not for all it wants.
  pthread_t thread;
  for (int i = 1; reader != NULL && i < kThreads; ++i) {
    if (pthread_create(&thread, NULL, hold, (void*)(pages + (size_t)i * kPage)) != 0) fail("pthread_create");
  }
  hold((void*)pages);
  say("the lock was released");
  stay();
}
