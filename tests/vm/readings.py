# SPDX-License-Identifier: Apache-2.0
"""The second opinion: what the kernel's files and other people's tools say, read inside the machine as they are, and
understood outside by a reader that shares nothing with allocd's.

`take_` runs inside and keeps texts only. The parsers are pure.
"""

from __future__ import annotations

import glob
import pathlib
import re
import subprocess

PROCESS_FILES = ("status", "stat", "smaps_rollup", "numa_maps")
CGROUP = "/sys/fs/cgroup"
NODE_FILES = (
    "/proc/meminfo", "/proc/vmstat", "/proc/cmdline", "/proc/pressure/memory", "/proc/sys/kernel/numa_balancing",
    "/proc/sys/vm/*", "/sys/devices/system/node/node*/*", "/sys/devices/system/node/node*/hugepages/*/*",
    "/sys/kernel/mm/hugepages/*/*", "/sys/kernel/mm/transparent_hugepage/*",
    "/sys/kernel/mm/transparent_hugepage/khugepaged/*", "/sys/kernel/mm/transparent_hugepage/hugepages-*/*",
    "/sys/kernel/mm/transparent_hugepage/hugepages-*/stats/*", "/sys/kernel/iommu_groups/*/type",
)
NODE_COMMANDS = (("numactl", "-H"), ("numastat",), ("numastat", "-m"))


def read_text(path: str | pathlib.Path) -> str | None:
    """None for what cannot be read: a directory, a file to be written only, a process that has gone."""
    try:
        return pathlib.Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        return None


def say(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def take_process(pid: str) -> dict[str, str | None]:
    texts = {name: read_text(f"/proc/{pid}/{name}") for name in PROCESS_FILES}
    return texts | {"numastat": say("numastat", "-p", pid)}


def take_cgroup(group: str) -> dict[str, str | None]:
    return {path.name: read_text(path) for path in pathlib.Path(CGROUP + group).glob("memory.*")}


def take_unit(group: str) -> dict:
    pids = (read_text(f"{CGROUP}{group}/cgroup.procs") or "").split()
    return {"cgroup": take_cgroup(group), "processes": {pid: take_process(pid) for pid in pids}}


def take_node() -> dict:
    files = {path: read_text(path) for pattern in NODE_FILES for path in sorted(glob.glob(pattern))}
    commands = {" ".join(command): say(*command) for command in NODE_COMMANDS}
    return {"files": {path: text for path, text in files.items() if text is not None}, "commands": commands,
            "iommus": sorted(path.name for path in pathlib.Path("/sys/class/iommu").iterdir()),
            "iommu_groups": len(list(pathlib.Path("/sys/kernel/iommu_groups").iterdir()))}


def take(groups: dict[str, str]) -> dict:
    """Of every unit, by its control group, and of the machine."""
    return {"units": {unit: take_unit(group) for unit, group in groups.items()}, "node": take_node()}


# Parsers -----------------------------------------------------------------------------------------------------


def sizes(text: str) -> dict[str, int]:
    """`VmRSS:   1024 kB` of status, smaps_rollup and meminfo: bytes by name."""
    found = re.findall(r"^(?:Node \d+ )?([\w()]+):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: int(kib) * 1024 for name, kib in found}


def numbers(text: str) -> dict[str, int]:
    """`anon 4096` of memory.stat, memory.events, vmstat and numastat."""
    return {line.split()[0]: int(line.split()[1]) for line in text.splitlines()}


def words(text: str) -> dict[str, str]:
    """`Threads:  1` of status."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def chosen(text: str) -> str:
    """`always [madvise] never`."""
    return re.search(r"\[(\S+)\]", text).group(1)


def numa_stat(text: str) -> dict[str, dict[int, int]]:
    """`anon N0=4096 N1=0` of memory.numa_stat."""
    table = {}
    for line in text.splitlines():
        kind, *shares = line.split()
        table[kind] = {int(node): int(value) for node, value in re.findall(r"N(\d+)=(\d+)", " ".join(shares))}
    return table


def pages_by_node(numa_maps: str) -> dict[int, int]:
    """Bytes by node, of the lines of numa_maps with their page sizes."""
    total: dict[int, int] = {}
    for line in numa_maps.splitlines():
        page = re.search(r"kernelpagesize_kB=(\d+)", line)
        for node, pages in re.findall(r"\bN(\d+)=(\d+)", line):
            total[int(node)] = total.get(int(node), 0) + int(pages) * int(page.group(1)) * 1024
    return total


def numastat_table(text: str) -> dict[str, list[float]]:
    """Rows of numastat -p and numastat -m, in MB: `Heap   0.00   0.02   0.02`, the last column being the sum."""
    found = re.findall(r"^([A-Z][\w()]*)((?:\s+\d+\.\d+)+)\s*$", text, re.MULTILINE)
    return {name: [float(value) for value in values.split()] for name, values in found}


def pressure(text: str) -> dict[str, int]:
    """Microseconds in all: `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`."""
    return {kind: int(total) for kind, total in re.findall(r"^(some|full) .*total=(\d+)$", text, re.MULTILINE)}
