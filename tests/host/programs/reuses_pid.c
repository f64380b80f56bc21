// SPDX-License-Identifier: Apache-2.0
// reuses_pid FILE FIRST SECOND: runs FIRST; when FILE appears, kills it and runs SECOND under the same pid.
// clone3(2) with set_tid, which needs root in the pid namespace. Prints "first PID", then "second PID".
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"

static pid_t clone_with_pid(pid_t wanted) {
  struct clone_args arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.exit_signal = SIGCHLD;
  if (wanted != 0) {
    arguments.set_tid = (uint64_t)(uintptr_t)&wanted;
    arguments.set_tid_size = 1;
  }
  return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static pid_t start(char* program, pid_t wanted) {
  const pid_t child = clone_with_pid(wanted);
  if (child < 0) fail("clone3");
  if (child == 0) {
    char* arguments[] = {program, NULL};
    execvp(program, arguments);
    fail(program);
  }
  return child;
}

int main(int argc, char** argv) {
  const char* usage = "FILE FIRST SECOND";
  const char* file = argument(argc, argv, 1, usage);
  char* first = (char*)argument(argc, argv, 2, usage);
  char* second = (char*)argument(argc, argv, 3, usage);
  const pid_t pid = start(first, 0);
  printf("first %d\n", pid);
  fflush(stdout);
  wait_for_file(file);
  kill(pid, SIGKILL);
  if (waitpid(pid, NULL, 0) != pid) fail("waitpid");
  printf("second %d\n", start(second, pid));
  fflush(stdout);
  stay();
}
