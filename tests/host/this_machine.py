# SPDX-License-Identifier: Apache-2.0
"""Where this architecture keeps its libraries and its dynamic linker. Asked, not assumed."""

import pathlib
import re
import sysconfig

# "/usr/lib/x86_64-linux-gnu" or "/usr/lib/aarch64-linux-gnu"
LIBRARIES = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"
# The same before /usr was merged; what programs name, and what a link may lead away from.
ROOT_LIBRARIES = LIBRARIES.removeprefix("/usr")
# As the programs of this machine name it: "/lib64/ld-linux-x86-64.so.2"
DYNAMIC_LINKER = re.search(rb"/lib[^\0]*/ld-linux[^\0]+", pathlib.Path("/bin/true").read_bytes())[0].decode()
