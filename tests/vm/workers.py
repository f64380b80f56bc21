# SPDX-License-Identifier: Apache-2.0
"""The workers of the emulated machine: each a unit that holds known amounts of memory in one particular way, and then
idles, so that its figures stand still while they are read twice.

CPUs 0 and 1 are on node 0, 2 and 3 on node 1.
"""

from __future__ import annotations

import dataclasses

PROGRAM = "/run/vm/programs/host-programs/holds_memory"
DISK = "/run/vm/disk"
MAPPED_FILE = f"{DISK}/mapped"
MAPPED_MIB = 16
# One whose cache allocd may know, and one whose it may not: it belongs to root and only root may write to it.
MODEL_FILE = f"{DISK}/models/half.safetensors"
MODEL_FILE_OF_ROOT = f"{DISK}/models/root.safetensors"
MODEL_MIB = 32
MIB = 1 << 20
JEMALLOC, TCMALLOC = "libjemalloc.so.2", "libtcmalloc_minimal.so.4"


@dataclasses.dataclass(frozen=True)
class Worker:
    holds: dict[str, int]  # MiB by kind, as holds_memory takes it
    settings: tuple[str, ...] = ()  # further lines of [Service]
    words: tuple[str, ...] = ()  # further words of the command line
    preload: str | None = None
    malloc: str = "glibc"  # what its malloc really is

    def mib(self, *kinds: str) -> int:
        return sum(self.holds.get(kind, 0) for kind in kinds)

    def unit_text(self) -> str:
        command = [PROGRAM, *self.words, *(f"{kind}={mib}" for kind, mib in self.holds.items())]
        preload = (f"Environment=LD_PRELOAD={self.preload}",) if self.preload else ()
        return "\n".join(["[Service]", "Type=notify", "TimeoutStartSec=300", *self.settings, *preload,
                          f"ExecStart={' '.join(command)}", ""])


WORKERS = {
    # Memory and CPUs on one node.
    "bound.service": Worker({"pages": 48, "malloc": 8}, ("NUMAPolicy=bind", "NUMAMask=1", "CPUAffinity=2-3"),
                            preload=JEMALLOC, malloc="jemalloc"),
    # The mistake to be found: CPUs of node 0, memory of node 1.
    "misbound.service": Worker({"pages": 48, "malloc": 8}, ("NUMAPolicy=bind", "NUMAMask=1", "CPUAffinity=0-1")),
    "interleaved.service": Worker({"pages": 64}, ("NUMAPolicy=interleave", "NUMAMask=0-1"),
                                  preload=TCMALLOC, malloc="tcmalloc"),
    "huge.service": Worker({"huge": 64, "shared": 16}),
    "small.service": Worker({"huge": 32}, words=("no_thp",)),
    "hugetlb.service": Worker({"hugetlb": 32, "pages": 8}),
    "locked.service": Worker({"locked": 24, "malloc": 8}, ("LimitMEMLOCK=infinity", f"MemoryMax={512 * MIB}"),
                             preload=JEMALLOC, malloc="jemalloc"),
    "mapped.service": Worker({"pages": 8}, words=(f"file={MAPPED_FILE}",)),
    "pressed.service": Worker({"pages": 96}, (f"MemoryHigh={48 * MIB}",)),
}
