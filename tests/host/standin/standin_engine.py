# SPDX-License-Identifier: Apache-2.0
"""A small program with the process tree, titles and LD_PRELOAD habits of vLLM (V1), and no model.

    python3 .../vllm serve tiny            API server, keeps its argv
      multiprocessing.resource_tracker     comes with the spawn start method
      VLLM::EngineCore                     spawned; takes its title late
        VLLM::Worker_TP<i>                 spawned by the engine core, one per --worker

Like the real one it spawns, so children are new images with the environment of that moment; it renames itself
with setproctitle, which overwrites argv and environ; and its CPU backend puts libtcmalloc in front of LD_PRELOAD.
"""

import argparse
import multiprocessing
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import setproctitle

LIBRARIES = {"tcmalloc": "libtcmalloc_minimal.so.4", "jemalloc": "libjemalloc.so.2"}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="vllm")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--worker", action="append", choices=["inherit", "drop", *LIBRARIES], default=[],
                        help="one more worker: LD_PRELOAD as it is, without it, or with a library before it")
    parser.add_argument("--cpu-backend", action="store_true", help="tcmalloc before LD_PRELOAD for every child")
    parser.add_argument("--rename-after", type=float, default=0, metavar="S", help="children rename themselves then")
    parser.add_argument("--rename-when", metavar="PATH", help="children rename themselves when PATH exists")
    parser.add_argument("--hold-mib", type=int, default=4, metavar="N", help="memory each worker keeps")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="threads that allocate, per worker")
    parser.add_argument("--forks", type=int, default=0, metavar="N", help="forked children of each worker")
    parser.add_argument("--storm", type=int, default=0, metavar="N", help="short-lived children of the API server")
    parser.add_argument("--dies-under", metavar="NAME", help="fails at once if a library of that name is mapped")
    parser.add_argument("--exit-after", type=float, metavar="S", help="the API server fails then")
    return parser.parse_args(arguments)


def set_preload(kind: str) -> None:
    """What the children started from now on get. The running process is not changed by it."""
    inherited = os.environ.get("LD_PRELOAD", "")
    if kind == "drop":
        os.environ.pop("LD_PRELOAD", None)
    elif kind in LIBRARIES and LIBRARIES[kind] not in inherited:
        os.environ["LD_PRELOAD"] = f"{LIBRARIES[kind]}:{inherited}" if inherited else LIBRARIES[kind]


def take_title(name: str, options: argparse.Namespace) -> None:
    time.sleep(options.rename_after)
    while options.rename_when and not pathlib.Path(options.rename_when).exists():
        time.sleep(0.02)
    prefix = os.environ.get("VLLM_PROCESS_NAME_PREFIX", "VLLM")
    setproctitle.setproctitle(f"{prefix}::{name}")


def churn() -> None:
    """Small blocks of mixed size and age, above the 512 bytes that CPython keeps in its own arenas."""
    blocks: list[bytes] = []
    while True:
        blocks.extend(bytes(random.randrange(600, 4096)) for _ in range(64))
        blocks = [block for block in blocks if random.random() < 0.5]
        time.sleep(0.05)


def worker(rank: int, options: argparse.Namespace) -> None:
    held = [os.urandom(1024) for _ in range(options.hold_mib * 1024)]
    for _ in range(options.threads):
        threading.Thread(target=churn, daemon=True).start()
    take_title(f"Worker_TP{rank}", options)
    for _ in range(options.forks):
        if os.fork() == 0:
            wait_for_ever(held)
    wait_for_ever(held)


def engine_core(options: argparse.Namespace) -> None:
    spawn = multiprocessing.get_context("spawn")
    inherited = os.environ.get("LD_PRELOAD")
    for rank, preload in enumerate(options.worker):
        set_preload(preload)
        spawn.Process(target=worker, args=(rank, options), daemon=True).start()
        os.environ.pop("LD_PRELOAD", None)
        if inherited is not None:
            os.environ["LD_PRELOAD"] = inherited
    take_title("EngineCore", options)
    wait_for_ever()


def storm(count: int) -> None:
    for _ in range(count):
        subprocess.run(["/bin/true"], check=True)
    if count:
        print(f"storm of {count} is over", flush=True)


def wait_for_ever(*_: object) -> None:
    while True:
        time.sleep(3600)


def main() -> int:
    options = parse(sys.argv[1:])
    if options.dies_under and options.dies_under in pathlib.Path("/proc/self/maps").read_text():
        sys.exit(f"vllm: cannot allocate memory in static TLS block ({options.dies_under})")
    if options.cpu_backend:
        set_preload("tcmalloc")
    core = multiprocessing.get_context("spawn").Process(target=engine_core, args=(options,))
    core.start()
    storm(options.storm)
    core.join(options.exit_after)
    os._exit(1)  # a return would wait for the children first

