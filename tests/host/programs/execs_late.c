// SPDX-License-Identifier: Apache-2.0
// execs_late FILE [NAME=VALUE | NAME=]... PROGRAM [ARGUMENT]...: when FILE appears, becomes PROGRAM.
// NAME= takes the variable away. Pid and start time stay; the image and its allocator change.
#include "common.h"

static int assigns(char* word) {
  char* value = strchr(word, '=');
  if (value == NULL || word[0] == '/') return 0;
  *value++ = '\0';
  if ((*value != '\0' ? setenv(word, value, 1) : unsetenv(word)) != 0) fail("setenv");
  return 1;
}

int main(int argc, char** argv) {
  const char* usage = "FILE [NAME=VALUE | NAME=]... PROGRAM [ARGUMENT]...";
  const char* file = argument(argc, argv, 1, usage);
  int program = 2;
  while (program < argc && assigns(argv[program])) ++program;
  argument(argc, argv, program, usage);
  say("waiting");
  wait_for_file(file);
  execvp(argv[program], argv + program);
  fail(argv[program]);
}
