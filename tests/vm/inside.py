# SPDX-License-Identifier: Apache-2.0
"""Runs inside the emulated machine: starts the workers, has allocd watch them, and leaves what allocd says beside what
the kernel and other tools say of the same moment, in results.json. It judges nothing: that is done outside.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import sys
import time
import traceback

SOURCE = pathlib.Path("/run/vm/source")
PROGRAMS = pathlib.Path("/run/vm/programs")
RESULTS = pathlib.Path("/run/vm/results")
sys.path.insert(0, str(SOURCE / "tests/host"))

import allocd_on_host  # noqa: E402
import readings  # noqa: E402
from allocd_on_host import Allocd  # noqa: E402
from local_host import LocalHost  # noqa: E402
from workers import (  # noqa: E402
    DISK, MAPPED_FILE, MAPPED_MIB, MIB, MODEL_FILE, MODEL_FILE_OF_ROOT, MODEL_MIB, WORKERS)

SWAP_MIB = 192
NUMA_BALANCING = pathlib.Path("/proc/sys/kernel/numa_balancing")
INTERVAL = "2s"
EXPECTED = {"thp.enabled": "always", "thp.defrag": "never", "zone_reclaim_mode": "0", "iommu": "translated",
            "hugepages.2M": "128"}
MODELS = {"mapped": MODEL_FILE, "bound": MODEL_FILE_OF_ROOT}
# One each: the budget lets little more through in a minute, for reading takes long on an emulated machine.
COSTLY = {"interleaved": "numa_maps", "huge": "smaps_rollup"}


def say(what: str) -> None:
    uptime = pathlib.Path("/proc/uptime").read_text().split()[0]
    print(f"inside: {uptime} s: {what}", flush=True)


def make_swap(host: LocalHost) -> None:
    file = f"{DISK}/swap"
    with open(file, "wb") as swap:
        os.chmod(file, 0o600)
        for _ in range(SWAP_MIB):
            swap.write(bytes(MIB))
    host.run("mkswap", file)
    host.run("swapon", file)


def rest_kernel() -> None:
    """Keeps the kernel from changing, or hiding, what the workers have, at times of its own choosing: khugepaged
    would gather pages into huge ones while they are read; and the smaps files of old kernels (seen with 6.1.192) leave
    out huge pages that NUMA balancing has marked, which it does only to processes that run."""
    pathlib.Path("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs").write_text("3600000")
    NUMA_BALANCING.write_text("0")


def make_files() -> None:
    pathlib.Path(MAPPED_FILE).write_bytes(bytes(MAPPED_MIB * MIB))
    for file in MODELS.values():
        pathlib.Path(file).parent.mkdir(exist_ok=True)
        pathlib.Path(file).write_bytes(bytes(MODEL_MIB * MIB))
    # The kernel tells a file's cache to its owner alone, or to who may write to it.
    shutil.chown(MODEL_FILE, "allocd", "allocd")


def half_cache(path: str) -> None:
    """Without read-ahead, which would bring in more than was read."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
    for offset in range(0, MODEL_MIB * MIB // 2, MIB):
        os.pread(file, MIB, offset)
    os.close(file)


def settings() -> str:
    services = {}
    for unit in WORKERS:
        name = unit.removesuffix(".service")
        services[name] = {"unit": unit, "allocator": "jemalloc"}
        if name in MODELS:
            services[name]["model_paths"] = [MODELS[name]]
        if name in COSTLY:
            services[name]["costly_reads"] = [COSTLY[name]]
    observe = {"node_interval": "10s", "costly_longest": "10s"}
    whole = json.loads(allocd_on_host.config(interval=INTERVAL, observe=observe, **services))
    return json.dumps(whole | {"node": {"expect": EXPECTED}}, indent=2) + "\n"


def prepare(host: LocalHost) -> dict[str, str]:
    """Control group by unit, once every worker holds what it shall."""
    rest_kernel()
    make_swap(host)
    make_files()
    half_cache(MODEL_FILE)
    host.units({unit: worker.unit_text() for unit, worker in WORKERS.items()})
    say("starting the workers")
    host.systemctl("start", *WORKERS, timeout=60)
    NUMA_BALANCING.write_text("1")
    return {unit: host.show(unit, "ControlGroup")["ControlGroup"] for unit in WORKERS}


def all_identified(allocd: Allocd) -> bool:
    seen = {unit["name"]: unit["processes"] for unit in allocd.snapshot()["units"]}
    return all(len(seen.get(unit, [])) == 1 and seen[unit][0]["evidence"]["rung"] == "resolved" for unit in WORKERS)


def slow_parts_since(snapshot: dict, since: float) -> bool:
    """What is not read with every sample has been read, of units and of the machine after `since`."""
    units = [unit for unit in snapshot["units"] if unit["name"] in WORKERS]
    costly = [entry for unit in units for entry in unit["costly"]]
    return (snapshot["node"]["read_at"] > since and all(unit["cgroup"]["limits_read_at"] > since for unit in units)
            and len(costly) == len(COSTLY) and all(entry["reads"] > 0 for entry in costly)
            and len(snapshot["model_files"]) == len(MODELS)
            and all(files["read_at"] > 0 for files in snapshot["model_files"]))


def ask_allocctl(host: LocalHost) -> dict[str, dict]:
    questions = {"status": ["status"], "verify": ["verify"], "node": ["node"],
                 "node --output=json": ["node", "--output=json"],
                 **{f"show {unit}": ["show", unit, "--output=json"] for unit in WORKERS}}
    answers = {}
    for name, arguments in questions.items():
        done = host.run("allocctl", *arguments, check=False)
        answers[name] = {"code": done.returncode, "out": done.stdout, "err": done.stderr}
    return answers


def observe(host: LocalHost, groups: dict[str, str]) -> dict:
    """What allocd says between two readings by somebody else."""
    allocd = Allocd(host)
    say("starting allocd")
    allocd.start(settings())
    allocd.poll(lambda: all_identified(allocd), "the malloc of every worker", *WORKERS)
    say("reading")
    before = readings.take(groups)
    since = time.time()
    allocd.poll(lambda: slow_parts_since(allocd.snapshot(), since), "what is read slowly", timeout=60)
    snapshot = allocd.next_sample()
    metrics = allocd.http()[2].decode()
    answers = ask_allocctl(host)
    after = readings.take(groups)
    fincore = host.run("fincore", "-b", "-n", "-o", "RES", MODEL_FILE).stdout
    return {"before": before, "snapshot": snapshot, "metrics": metrics, "allocctl": answers, "after": after,
            "fincore": fincore, "journal": host.journal("allocd.service")}


def main() -> int:
    say("up")
    host = LocalHost()
    try:
        allocd_on_host.install(host, PROGRAMS, SOURCE)
        groups = prepare(host)
        found = observe(host, groups) | {"release": os.uname().release}
    except BaseException:
        traceback.print_exc()
        return 1
    (RESULTS / "results.json").write_text(json.dumps(found))
    say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
