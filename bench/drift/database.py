# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus over generated weeks: filled by promtool, asked over HTTP.

A database is filled once, in one block: create-blocks-from reads all of its input again for each block of two hours,
which is why --max-block-duration (an undocumented flag of promtool) is given. Times have to lie within one such block.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

BLOCK_HOURS = 486  # the largest that Prometheus makes: two hours times three, five times over
STEP = 300  # seconds between two samples, and between two evaluations
BOUND = 60  # seconds to start
# A multiple of the block, so that weeks from here lie within one block.
BEGIN = 1011 * BLOCK_HOURS * 3600


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Failed(Exception):
    """Prometheus or promtool did not do what it was asked."""


class Database:
    """Whoever made it stops it. Times of queries are those of the samples."""

    def __init__(self, tools: pathlib.Path, folder: pathlib.Path, end: int) -> None:
        self._tools = tools
        self.folder = folder
        self._port = _free_port()
        self._end = end
        self._server: subprocess.Popen[bytes] | None = None
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "data").mkdir(parents=True)

    def fill(self, openmetrics: pathlib.Path) -> None:
        self._promtool("tsdb", "create-blocks-from", f"--max-block-duration={BLOCK_HOURS}h", "openmetrics",
                       str(openmetrics), str(self.folder / "data"))

    def start(self) -> None:
        settings = self.folder / "prometheus.yml"
        settings.write_text("{}\n")
        with (self.folder / "prometheus.log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._tools / "prometheus", f"--config.file={settings}", f"--storage.tsdb.path={self.folder}/data",
                 "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{self._port}",
                 "--query.max-samples=500000000", "--query.timeout=10m", "--log.level=warn"], stdout=log, stderr=log)
        until = time.monotonic() + BOUND
        while not self._is_ready():
            if self._server.poll() is not None or time.monotonic() > until:
                raise Failed(f"prometheus did not start: see {self.folder}/prometheus.log")
            time.sleep(0.1)

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
            self._server = None

    def record(self, groups: list[dict[str, object]]) -> None:
        """Evaluates recording rules over all of the time. Those of one call see none of each other's."""
        rules = self.folder / "rules.yml"
        rules.write_text(json.dumps({"groups": groups}))  # JSON is YAML
        self._promtool("tsdb", "create-blocks-from", f"--max-block-duration={BLOCK_HOURS}h", "rules",
                       f"--url=http://127.0.0.1:{self._port}", f"--start={BEGIN}", f"--end={self._end}",
                       f"--output-dir={self.folder}/data", f"--eval-interval={STEP}s", str(rules))
        self.stop()
        self.start()

    def query(self, expression: str) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Each series of the answer with its (time, value)s, at every step."""
        asked = urllib.parse.urlencode({"query": expression, "start": BEGIN, "end": self._end, "step": STEP})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/query_range", asked.encode()) as answer:
                result = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as refused:
            raise Failed(f"{refused.read().decode(errors='replace')}: {expression}") from None
        return [(one["metric"], [(at, float(value)) for at, value in one["values"]]) for one in result]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _promtool(self, *arguments: str) -> None:
        done = subprocess.run([self._tools / "promtool", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"promtool {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
