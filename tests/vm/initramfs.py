# SPDX-License-Identifier: Apache-2.0
"""The first root of the emulated machine: busybox, the modules that reach this machine's files, and guest_init.sh.

Pure but for reading the kernel package's files. The format is `newc` of cpio (Documentation/driver-api/early-userspace/
buffer-format.rst in the kernel's source).
"""

from __future__ import annotations

import lzma
import pathlib
import shutil
import subprocess
import tempfile

BUSYBOX = pathlib.Path("/bin/busybox")
GUEST_INIT = pathlib.Path(__file__).with_name("guest_init.sh")
# virtio_pci and virtio_blk find the devices, 9p carries this machine's files, overlay makes them writable, ext4 holds
# the model files and the swap file: tmpfs has no page cache to be half in. crc32c is what ext4 asks for by name.
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_blk", "crc32c_generic", "ext4")


def release_of(kernel: pathlib.Path) -> str:
    """The version of an unpacked kernel package: `6.1.0-56-amd64`."""
    return next((kernel / "lib/modules").iterdir()).name


def _dependencies(kernel: pathlib.Path, release: str) -> dict[str, tuple[str, list[str]]]:
    """Module name to its file and the files it needs, as `depmod` works them out; the package carries no such list."""
    with tempfile.TemporaryDirectory() as scratch:
        modules = pathlib.Path(scratch) / "lib/modules" / release
        modules.parent.mkdir(parents=True)
        shutil.copytree(kernel / "lib/modules" / release, modules, copy_function=_link)
        subprocess.run(["/sbin/depmod", "-b", scratch, release], check=True)
        found = {}
        for line in (modules / "modules.dep").read_text().splitlines():
            file, _, needs = line.partition(":")  # kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz ...
            found[_module_name(file)] = (file, needs.split())
        return found


def _link(source: str, target: str) -> None:
    pathlib.Path(target).symlink_to(source)


def _module_name(file: str) -> str:
    return pathlib.PurePath(file).name.partition(".ko")[0].replace("-", "_")


def _load_order(kernel: pathlib.Path, release: str) -> list[str]:
    """Files of MODULES, each after what it needs. A module that is not there is built into this kernel."""
    known = _dependencies(kernel, release)
    order: list[str] = []
    for name in MODULES:
        if name not in known:
            continue
        file, needs = known[name]
        # modules.dep names the nearest need first and what that one needs behind it.
        order += [needed for needed in [*reversed(needs), file] if needed not in order]
    return order


def _module_content(file: pathlib.Path) -> bytes:
    return lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()


class _Archive:
    """A cpio archive in the making."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._entries = 0

    def add(self, name: str, mode: int, content: bytes = b"") -> None:
        self._entries += 1
        path = name.encode() + b"\0"
        fields = (self._entries, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._parts += [_padded(header + path), _padded(content)]

    def directory(self, name: str) -> None:
        self.add(name, 0o040755)

    def program(self, name: str, content: bytes) -> None:
        self.add(name, 0o100755, content)

    def finish(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return b"".join(self._parts)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def build(kernel: pathlib.Path) -> bytes:
    """The archive for an unpacked kernel package."""
    release = release_of(kernel)
    archive = _Archive()
    for name in ("bin", "dev", "proc", "sys", "modules", "lower", "cow", "new"):
        archive.directory(name)
    archive.program("bin/busybox", BUSYBOX.read_bytes())
    archive.program("init", GUEST_INIT.read_bytes())
    for number, file in enumerate(_load_order(kernel, release)):
        archive.program(f"modules/{number:02}-{_module_name(file)}",
                        _module_content(kernel / "lib/modules" / release / file))
    return archive.finish()
