# SPDX-License-Identifier: Apache-2.0
"""scraper.py COUNT EVERY PORT...: COUNT rounds, EVERY seconds apart, of one scrape of each port in turn.

Runs inside the throwaway host. Each scrape is a connection of its own, timed from connect to the last byte.
Prints {"PORT": {"seconds": [...], "bytes": [...]}}.
"""

import json
import socket
import sys
import time

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"


def scrape(port: int) -> tuple[float, int]:
    begun = time.perf_counter()
    size = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(REQUEST)
        first = data = connection.recv(1 << 16)
        while data:
            size += len(data)
            data = connection.recv(1 << 16)
    seconds = time.perf_counter() - begun
    if not first.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"port {port}: {first[:200]!r}")
    return seconds, size


def main() -> None:
    count, every, ports = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    found = {port: {"seconds": [], "bytes": []} for port in ports}
    next_round = time.monotonic()
    for _ in range(count):
        time.sleep(max(0.0, next_round - time.monotonic()))
        next_round = max(next_round + every, time.monotonic())
        for port in ports:
            seconds, size = scrape(int(port))
            found[port]["seconds"].append(seconds)
            found[port]["bytes"].append(size)
    json.dump(found, sys.stdout)


main()
