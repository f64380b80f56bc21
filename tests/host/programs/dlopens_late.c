// SPDX-License-Identifier: Apache-2.0
// dlopens_late FILE LIBRARY: when FILE appears, loads LIBRARY. `malloc` was bound before: it does not move.
// jemalloc needs room for its TLS: GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384.
#include <dlfcn.h>

#include "common.h"

int main(int argc, char** argv) {
  const char* usage = "FILE LIBRARY";
  const char* file = argument(argc, argv, 1, usage);
  const char* library = argument(argc, argv, 2, usage);
  free(malloc(100));
  say("waiting");
  wait_for_file(file);
  if (dlopen(library, RTLD_NOW | RTLD_GLOBAL) == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  say("ready");
  stay();
}
