# SPDX-License-Identifier: Apache-2.0
"""`./dev demo`: a throwaway systemd host with a stand-in inference service, allocd, and a real Prometheus.

Exit 0 when the three workers are told apart as they should be, 1 when they are not. Needs root; changes nothing
of the machine's own.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.parse

import allocd_on_host
import relay
import standin_service
from allocd_on_host import Allocd
from throwaway_host import HostError, ThrowawayHost

PROMETHEUS_PORT = 9090
PROMETHEUS_CONFIG = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: allocd
    static_configs: [{{targets: ["localhost:{allocd_on_host.PORT}"]}}]
"""
PROMETHEUS_UNIT = f"""[Unit]
Description=Prometheus of the demo
[Service]
ExecStart=/opt/prometheus --config.file=/etc/prometheus-demo.yml --storage.tsdb.path=/var/tmp/prometheus \
  --web.listen-address=127.0.0.1:{PROMETHEUS_PORT} --log.level=warn
"""
# unit, its options, and what each of its workers must turn out to be: (rank, malloc, idle in memory, state)
SERVICES = {
    "vllm.service": ("--worker drop --worker inherit", [(0, "glibc", [], "violation"),
                                                        (1, "jemalloc", [], "compliant")]),
    "vllm-cpu.service": ("--worker inherit --cpu-backend", [(0, "tcmalloc", ["jemalloc"], "violation")]),
}
SERIES = [
    ("Processes by the malloc they use", 'allocd_unit_processes_by_allocator{role="worker"} > 0', "allocator"),
    ("Mapped and idle: there, but not used", 'allocd_unit_processes_allocator_idle{role="worker"} > 0', "allocator"),
    ("State of each unit", "allocd_unit_policy_state == 1", "state"),
    ("Anonymous memory, bytes", 'allocd_unit_memory_anonymous_bytes{role="worker"}', "role"),
]


def heading(text: str) -> None:
    print(f"\n--- {text} {'-' * (75 - len(text))}\n", flush=True)


def progress(text: str) -> None:
    print(f"{time.monotonic() - STARTED:5.1f} s  {text}", flush=True)


# Setting up -----------------------------------------------------------------------------------------------------


def start_services(host: ThrowawayHost) -> None:
    standin_service.install(host)
    for unit, (arguments, _) in SERVICES.items():
        standin_service.start(host, unit, f"{arguments} --rename-after 1 --hold-mib 8")


def start_allocd(host: ThrowawayHost, programs: pathlib.Path) -> Allocd:
    allocd_on_host.install(host, programs, pathlib.Path(__file__).resolve().parents[2])
    services = {unit.removesuffix(".service"): {"unit": unit, "allocator": "jemalloc"} for unit in SERVICES}
    return Allocd(host).start(allocd_on_host.config(interval="1s", **services))


def start_prometheus(host: ThrowawayHost, tools: pathlib.Path) -> None:
    host.copy(tools / "prometheus/usr/bin/prometheus", "/opt/prometheus")
    host.write("/etc/prometheus-demo.yml", PROMETHEUS_CONFIG)
    host.unit("prometheus-demo.service", PROMETHEUS_UNIT)
    host.systemctl("start", "prometheus-demo.service")


# Looking --------------------------------------------------------------------------------------------------------


def workers_seen(allocd: Allocd, unit: str) -> list[tuple]:
    """What the snapshot says of the workers of a unit, in the form of SERVICES."""
    seen = []
    for process in allocd.processes(unit, role="worker"):
        evidence = process["evidence"]
        idle = [library["kind"] for library in evidence["libraries"] if library["state"] == "mapped_not_active"]
        seen.append((process["ranks"]["tp"], evidence["active"], idle, process["state"]))
    return sorted(seen)


def all_as_expected(allocd: Allocd) -> bool:
    return all(workers_seen(allocd, unit) == expected for unit, (_, expected) in SERVICES.items())


def query(allocd: Allocd, expression: str) -> list[dict]:
    """Samples of an instant query, from Prometheus' own store."""
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        status, _, body = allocd.http(path, port=PROMETHEUS_PORT)
    except OSError:
        return []
    return json.loads(body)["data"]["result"] if status == 200 else []


def stored(allocd: Allocd, expression: str, *labels: str) -> set[tuple]:
    return {tuple(sample["metric"].get(label) for label in labels) for sample in query(allocd, expression)}


def prometheus_agrees(allocd: Allocd) -> bool:
    used, idle = set(), set()
    for unit, (_, expected) in SERVICES.items():
        used |= {(unit, malloc) for _, malloc, _, _ in expected}
        idle |= {(unit, kind) for _, _, kinds, _ in expected for kind in kinds}
    return (stored(allocd, SERIES[0][1], "unit", "allocator") == used and
            stored(allocd, SERIES[1][1], "unit", "allocator") == idle)


# Showing --------------------------------------------------------------------------------------------------------


def show_allocctl(host: ThrowawayHost, *arguments: str) -> None:
    heading(f"allocctl {' '.join(arguments)}")
    terminal = {name: os.environ[name] for name in ("TERM", "NO_COLOR") if name in os.environ}
    subprocess.run(host.entering("allocctl", *arguments, user="nobody", env=terminal), stdin=subprocess.DEVNULL)


def show_workers(allocd: Allocd) -> bool:
    heading("The three workers")
    print("UNIT              WORKER  MALLOC    IDLE      STATE      AS EXPECTED")
    good = True
    for unit, (_, expected) in SERVICES.items():
        seen = workers_seen(allocd, unit)
        good &= seen == expected
        for worker in seen:
            rank, malloc, idle, state = worker
            verdict = "yes" if worker in expected else "NO"
            print(f"{unit:17} tp{rank!s:5} {malloc:9} {','.join(idle) or '-':9} {state:10} {verdict}")
        if len(seen) != len(expected):
            print(f"{unit:17} {len(expected)} workers expected, {len(seen)} seen")
    return good


def show_series(allocd: Allocd) -> None:
    heading("The same, as Prometheus stored it")
    for title, expression, label in SERIES:
        print(f"{title}\n  {expression}")
        for sample in sorted(query(allocd, expression), key=lambda sample: sorted(sample["metric"].items())):
            metric = sample["metric"]
            print(f"    {metric['unit']:17} {metric[label]:17} {sample['value'][1]:>12}")


def stay(host: ThrowawayHost) -> None:
    heading("Staying until Ctrl-C")
    allocd_port = relay.open_relay(host, allocd_on_host.PORT)
    prometheus_port = relay.open_relay(host, PROMETHEUS_PORT)
    print(f"metrics     http://127.0.0.1:{allocd_port}/metrics")
    # Debian keeps the scripts of the graph page in packages of their own, so the API it is.
    print(f"Prometheus  http://127.0.0.1:{prometheus_port}/api/v1/query?query=allocd_unit_policy_state")
    print(f"a shell     nsenter -t {host.pid} -m -p -u -i -n -C -- bash", flush=True)
    signal.pause()


def demonstrate(options: argparse.Namespace) -> bool:
    with ThrowawayHost("demo") as host:
        progress("a throwaway systemd host is up")
        start_services(host)
        progress("the stand-in inference services have started")
        allocd = start_allocd(host, options.programs)
        progress("allocd is ready, its exporter listens")
        start_prometheus(host, options.tools)
        try:
            host.poll(lambda: all_as_expected(allocd), 20, "the workers are told apart")
            progress("every worker is identified")
            host.poll(lambda: prometheus_agrees(allocd), 20, "Prometheus has the same", "prometheus-demo.service")
            progress("Prometheus has stored it")
            good = True
        except AssertionError as problem:
            print(problem, allocd.report(), sep="\n", file=sys.stderr)
            good = False
        show_allocctl(host, "status")
        show_allocctl(host, "explain", "vllm-cpu")
        show_series(allocd)
        good &= show_workers(allocd)
        if options.stay:
            stay(host)
        else:
            print(f"\nScraped inside the host: http://localhost:{allocd_on_host.PORT}/metrics\n"
                  "`./dev demo --stay` keeps it, and opens it and Prometheus to this machine.")
        return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev demo")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the built programs")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="folder of unpacked tools")
    parser.add_argument("--stay", action="store_true", help="keep the host until Ctrl-C")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        good = demonstrate(options)
    except HostError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; nothing is left behind")
        return 0 if options.stay else 130
    print(f"\n{'The demo shows what it should.' if good else 'The demo does NOT show what it should.'} "
          f"{time.monotonic() - STARTED:.0f} s; nothing is left behind.")
    return 0 if good else 1


STARTED = time.monotonic()
if __name__ == "__main__":
    sys.exit(main())
