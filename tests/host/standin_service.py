# SPDX-License-Identifier: Apache-2.0
"""The stand-in inference service (standin/) as units of a throwaway host."""

from __future__ import annotations

import pathlib

from throwaway_host import ThrowawayHost

HOME = "/opt/allocd-demo"
COMMAND = f"{HOME}/bin/vllm"
_HERE = pathlib.Path(__file__).parent / "standin"


def install(host: ThrowawayHost) -> None:
    host.copy(_HERE / "vllm", COMMAND)
    host.copy(_HERE / "standin_engine.py", f"{HOME}/lib/standin_engine.py")


def unit_text(arguments: str = "", preload: str | None = "libjemalloc.so.2", service: str = "",
              description: str = "Stand-in inference server") -> str:
    """A unit file. `service`: further lines of [Service]."""
    environment = f"Environment=LD_PRELOAD={preload}\n" if preload else ""
    return f"""[Unit]
Description={description}
StartLimitIntervalSec=0
[Service]
{environment}ExecStart={COMMAND} serve tiny {arguments}
TimeoutStopSec=5
{service}
"""


def start(host: ThrowawayHost, name: str, arguments: str = "", **options: str) -> None:
    host.unit(name, unit_text(arguments, **options))
    host.systemctl("start", name)
