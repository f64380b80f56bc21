#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Debian kernel under qemu's software emulation, with this machine's files as its own: two NUMA nodes, cgroup v2
with the memory controller, huge pages, THP always, an IOMMU, a disk. No image, no network, no login: it runs one
command as a unit of systemd and powers off; the command leaves what it found in a shared directory.

Owns qemu's process and a scratch directory from `run` to the end of it. Nothing inside can write to this machine's
files. `unavailable()` says why it cannot work.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import tempfile

import initramfs

QEMU = "/usr/bin/qemu-system-x86_64"
KERNELS = ("linux-image-6.12-amd64", "linux-image-amd64")  # the first that `./dev setup` found
MEMORY_PER_NODE = "1536M"
DISK_MIB = 512
COMMAND_LINE = ("console=ttyS0 panic=-1 quiet systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all psi=1 "
                "transparent_hugepage=always hugepages=64 intel_iommu=on systemd.unit=throwaway.target "
                "systemd.show_status=error")


class MachineError(Exception):
    """The machine did not come up or did not finish. Carries the end of its console."""


def kernel_folder(source: pathlib.Path) -> pathlib.Path | None:
    """An unpacked kernel package, or None. ALLOCD_VM_KERNEL names another than the first of KERNELS."""
    named = os.environ.get("ALLOCD_VM_KERNEL")
    folders = (source / "build/tools" / name for name in ([named] if named else KERNELS))
    return next((folder for folder in folders if folder.is_dir()), None)


def unavailable(source: pathlib.Path) -> str | None:
    """Why no machine can be emulated here, or None."""
    if platform.machine() != "x86_64":
        return "the emulated machine is x86-64 and runs the programs of this one"
    if os.geteuid() != 0:
        return "the emulated machine needs root, to see all of this machine's files"
    for program in (QEMU, "/bin/busybox", "/sbin/depmod", "/sbin/mkfs.ext4", "/usr/bin/numactl",
                    "/lib/systemd/systemd"):
        if not os.path.exists(program):
            return f"{program} is missing (run ./dev setup)"
    if kernel_folder(source) is None:
        return "no kernel below build/tools (run ./dev setup)"
    return None


def _arguments(scratch: pathlib.Path, results: pathlib.Path, kernel: pathlib.Path,
               shares: dict[str, tuple[pathlib.Path, bool]]) -> list[str]:
    image = next((kernel / "boot").glob("vmlinuz-*"))
    arguments = [
        QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-machine", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off",
        "-device", "intel-iommu", "-smp", "4", "-m", "3G",
        "-object", f"memory-backend-ram,id=ram0,size={MEMORY_PER_NODE}",
        "-object", f"memory-backend-ram,id=ram1,size={MEMORY_PER_NODE}",
        "-numa", "node,nodeid=0,cpus=0-1,memdev=ram0", "-numa", "node,nodeid=1,cpus=2-3,memdev=ram1",
        "-numa", "dist,src=0,dst=1,val=21",
        "-kernel", str(image), "-initrd", str(scratch / "initramfs"), "-append", COMMAND_LINE,
        "-serial", f"file:{results}/console",
        "-drive", f"file={scratch / 'disk'},format=raw,if=virtio,cache=unsafe",
    ]
    for tag, (folder, writable) in shares.items():
        options = "security_model=none,multidevs=remap" + ("" if writable else ",readonly=on")
        arguments += ["-virtfs", f"local,path={folder},mount_tag={tag},id={tag},{options}"]
    return arguments


def _make_disk(path: pathlib.Path) -> None:
    with open(path, "wb") as file:
        file.truncate(DISK_MIB << 20)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", "-E", "nodiscard", str(path)], check=True)


def _tail(results: pathlib.Path, lines: int = 60) -> str:
    console = results / "console"
    if not console.exists():
        return "(no console)"
    return "\n".join(console.read_text(errors="replace").splitlines()[-lines:])


def run(command: list[str], source: pathlib.Path, programs: pathlib.Path, results: pathlib.Path,
        timeout: float = 600) -> str:
    """Boots, runs `command` inside and returns the console when the machine is off.

    Inside, `source`, `programs` and `results` lie below /run/vm; only the last can be written.
    """
    kernel = kernel_folder(source)
    reason = unavailable(source)
    if reason or kernel is None:
        raise MachineError(reason)
    (results / "command").write_text(shlex.join(command) + "\n")
    shares = {"root": (pathlib.Path("/"), False), "source": (source, False), "programs": (programs, False),
              "results": (results, True)}
    with tempfile.TemporaryDirectory(prefix="allocd-vm-") as directory:
        scratch = pathlib.Path(directory)
        (scratch / "initramfs").write_bytes(initramfs.build(kernel))
        _make_disk(scratch / "disk")
        # The death signal ends the machine with this process, however it ends.
        guarded = ["setpriv", "--pdeathsig", "KILL", *_arguments(scratch, results, kernel, shares)]
        try:
            done = subprocess.run(guarded, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise MachineError(f"not off within {timeout:g} s\n{_tail(results)}") from None
        if done.returncode != 0:
            raise MachineError(f"qemu exited {done.returncode}: {done.stderr}\n{_tail(results)}")
        return (results / "console").read_text(errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs one command on an emulated machine, with its output.")
    parser.add_argument("--results", type=pathlib.Path, required=True, help="a directory, /run/vm/results inside")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    source = pathlib.Path(__file__).resolve().parents[2]
    programs = pathlib.Path(os.environ.get("ALLOCD_BIN", source / "build/dev/bin"))
    try:
        print(run(options.command, source, programs, options.results.resolve()))
    except MachineError as error:
        print(f"machine: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
