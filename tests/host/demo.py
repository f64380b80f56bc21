#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job, start to end, on a throwaway systemd host: three workers told apart by allocator, a policy applied to
one service and taken back from another that does not live under it.

Nothing of the machine's own is touched. Exits 0 only if what allocd and Prometheus say is right.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import signal
import sys
import threading
import time
import urllib.parse

import allocd_on_host
import standin_service
from allocd_on_host import Allocd
from relay import Relay
from throwaway_host import HostError, ThrowawayHost

PROMETHEUS_PORT = 9090
SCRAPE = f"""global:
  scrape_interval: 1s
scrape_configs:
  - job_name: allocd
    static_configs:
      - targets: ["localhost:{allocd_on_host.PORT}"]
"""
PROMETHEUS_UNIT = f"""[Service]
ExecStart=/opt/prometheus/prometheus --config.file=/opt/prometheus/prometheus.yml --storage.tsdb.path=/tmp/prometheus \
 --web.listen-address=127.0.0.1:{PROMETHEUS_PORT}
"""
# The service that the policy mends, and the one whose program dies under jemalloc.
MENDED, FRAGILE = "vllm.service", "vllm-fragile.service"
# (unit, tensor-parallel rank): active allocator, libraries mapped and idle, state against the policy.
EXPECTED = {
    ("vllm.service", 0): ("glibc", [], "not_applied"),
    ("vllm.service", 1): ("jemalloc", [], "compliant"),
    ("vllm-cpu.service", 0): ("tcmalloc", ["jemalloc"], "violation"),
}
QUERIES = (
    'allocd_unit_processes_by_allocator{role="worker"} > 0',
    'allocd_unit_processes_allocator_idle{role="worker"} > 0',
    "allocd_unit_policy_state == 1",
    'allocd_unit_memory_anonymous_bytes{role="worker"}',
)


def heading(text: str) -> None:
    print(f"\n== {text} ==", flush=True)


def start_services(host: ThrowawayHost) -> None:
    standin_service.install(host)
    standin_service.start(host, MENDED, "--worker inherit --worker jemalloc --hold-mib 32", preload=None,
                          description="Stand-in vLLM: glibc, but for one worker that preloads jemalloc itself")
    standin_service.start(host, FRAGILE, "--dies-under libjemalloc", preload=None,
                          description="Stand-in vLLM that does not start under jemalloc")
    standin_service.start(host, "vllm-cpu.service", "--worker tcmalloc --hold-mib 32",
                          description="Stand-in vLLM-CPU: puts tcmalloc in front")


def start_prometheus(host: ThrowawayHost, tools: pathlib.Path) -> None:
    host.copy(tools / "prometheus/usr/bin/prometheus", "/opt/prometheus/prometheus")
    host.write("/opt/prometheus/prometheus.yml", SCRAPE)
    host.unit("demo-prometheus.service", PROMETHEUS_UNIT)
    host.systemctl("start", "demo-prometheus.service")


def workers_seen(agent: Allocd) -> dict:
    seen = {}
    for unit in ("vllm.service", "vllm-cpu.service"):
        for process in agent.processes(unit, role="worker"):
            libraries = process["evidence"]["libraries"]
            idle = [library["kind"] for library in libraries if library["state"] == "mapped_not_active"]
            seen[unit, process["ranks"]["tp"]] = (process["evidence"]["active"], idle, process["state"])
    return seen


def query(agent: Allocd, text: str) -> list[dict]:
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": text})
    try:
        status, _, body = agent.http(path, port=PROMETHEUS_PORT)
    except OSError:
        return []
    return json.loads(body)["data"]["result"] if status == 200 else []


def stored_series(agent: Allocd) -> list[str]:
    """What Prometheus has stored, one line a series."""
    lines = []
    for text in QUERIES:
        for result in query(agent, text):
            labels = result["metric"]
            name = labels.pop("__name__", "")
            shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key not in ("instance", "job"))
            lines.append(f"{name}\n    {{{shown}}} {result['value'][1]}")
    return lines


def allocctl(host: ThrowawayHost, *arguments: str) -> None:
    print(host.run("allocctl", *arguments, check=False).stdout.rstrip(), flush=True)


def show(host: ThrowawayHost, agent: Allocd) -> bool:
    heading("$ allocctl status")
    allocctl(host, "status")
    heading("$ allocctl explain vllm-cpu")
    allocctl(host, "explain", "vllm-cpu")
    heading("what Prometheus has stored")
    host.poll(lambda: len(query(agent, 'up{job="allocd"} == 1')) == 1 and len(query(agent, QUERIES[0])) >= 3, 30,
              "Prometheus has scraped the three workers", "demo-prometheus.service", "allocd-exporter.service")
    print("\n".join(stored_series(agent)))
    heading("three workers, told apart")
    seen = workers_seen(agent)
    for (unit, rank), expected in EXPECTED.items():
        active, idle, state = found = seen.get((unit, rank), ("none", [], "unknown"))
        mapped = f", {' '.join(idle)} mapped and idle" if idle else ""
        print(f"{'ok   ' if found == expected else 'WRONG'} {unit} worker TP{rank}: {active}{mapped}: {state}")
    return seen == EXPECTED


def states(agent: Allocd) -> tuple[str, str]:
    units = agent.snapshot()["units"]
    found = {unit["name"]: unit["assessment"]["state"] for unit in units}
    return found.get(MENDED, "absent"), found.get(FRAGILE, "absent")


def enforce(host: ThrowawayHost, agent: Allocd) -> bool:
    heading("$ allocctl plan")
    allocctl(host, "plan")
    heading("$ allocctl apply --yes")
    allocctl(host, "apply", "--yes")
    agent.poll(lambda: states(agent) == ("pending_restart", "pending_restart"), "both wait for a restart")
    heading("$ allocctl status")
    allocctl(host, "status")
    heading(f"$ systemctl restart {MENDED} {FRAGILE}")
    host.systemctl("restart", MENDED, FRAGILE, check=False)
    agent.poll(lambda: states(agent) == ("compliant", "rolled_back"), f"{MENDED} is compliant, {FRAGILE} brought back",
               timeout=45)
    host.poll(lambda: host.show(FRAGILE, "ActiveState")["ActiveState"] == "active", 20, f"{FRAGILE} runs again", FRAGILE)
    allocctl(host, "status")
    heading(f"$ allocctl explain {FRAGILE.removesuffix('.service')}")
    allocctl(host, "explain", FRAGILE)
    preload = host.show(FRAGILE, "Environment")["Environment"]
    right = states(agent) == ("compliant", "rolled_back") and "LD_PRELOAD" not in preload
    print(f"\n{'ok   ' if right else 'WRONG'} {MENDED}: applied, restarted by hand, compliant; "
          f"{FRAGILE}: brought back by the fuse")
    return right


def stay(host: ThrowawayHost) -> None:
    with Relay(host, allocd_on_host.PORT) as metrics, Relay(host, PROMETHEUS_PORT) as prometheus:
        heading("staying until Ctrl-C")
        print(f"metrics     http://127.0.0.1:{metrics.port}/metrics")
        # Debian keeps the scripts of Prometheus' graph page in packages of their own, so the API it is.
        print(f"Prometheus  http://127.0.0.1:{prometheus.port}/api/v1/query?query=allocd_unit_policy_state")
        print(f"a shell     nsenter -t {host.pid} -m -p -u -i -n -C bash", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


def run(options: argparse.Namespace) -> bool:
    began = time.monotonic()
    heading("booting a throwaway systemd host")
    with ThrowawayHost("allocd-demo") as host:
        version = host.run("systemctl", "--version").stdout.splitlines()[0]
        print(f"{version}, up in {time.monotonic() - began:.1f} s; it is gone when this ends")
        allocd_on_host.install(host, options.programs.resolve(), pathlib.Path(__file__).resolve().parents[2])
        start_services(host)
        start_prometheus(host, options.tools)
        policy = {"unit": "vllm*.service", "allocator": "jemalloc", "settle": "10s"}
        host.systemctl("start", "allocd-enforcer.path")
        agent = Allocd(host).start(allocd_on_host.config(chat=policy))
        agent.poll(lambda: workers_seen(agent) == EXPECTED, "the three workers are told apart", timeout=45)
        print("running: vllm, vllm-cpu, vllm-fragile, allocd, the exporter's socket, Prometheus")
        right = show(host, agent) and enforce(host, agent)
        print(f"\nmetrics: http://localhost:{allocd_on_host.PORT}/metrics inside the host; "
              f"{time.monotonic() - began:.0f} s in all")
        if options.stay:
            stay(host)
        else:
            print("./dev demo --stay keeps it and makes it reachable from here")
    return right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the built programs")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="folder with the unpacked prometheus")
    parser.add_argument("--stay", action="store_true", help="keep the host until Ctrl-C")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("demo: booting a throwaway host needs root: run it as root", file=sys.stderr)
        return 4
    for number in (signal.SIGINT, signal.SIGTERM):  # either one tidies up
        signal.signal(number, signal.default_int_handler)
    try:
        return 0 if run(options) else 1
    except HostError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
