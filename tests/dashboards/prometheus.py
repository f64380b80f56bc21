# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus over made-up blocks: Debian's, unpacked by ./dev setup, on a port the kernel chose."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Iterator

import yaml

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
TOOLS = SOURCE / "build" / "tools" / "prometheus" / "usr" / "bin"
RULES = SOURCE / "config" / "prometheus"
BOUND = 60  # seconds; it starts in one
# Series that hardly move are scraped every half hour in this data.
LOOKBACK = "31m"
# One block for all of it: promtool reads its input once for each block.
ONE_BLOCK = ["--max-block-duration=2000h"]


# Whatever proxy the environment names: this is loopback.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class QueryError(Exception):
    pass


class Prometheus:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: Any) -> Any:
        body = urllib.parse.urlencode(parameters, doseq=True).encode()
        method = {} if path.startswith("label/") else {"data": body}
        address = f"{self.url}/api/v1/{path}" + ("" if method else f"?{body.decode()}")
        try:
            with OPENER.open(urllib.request.Request(address, **method), timeout=BOUND) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(json.load(error)["error"]) from error

    def instant(self, expr: str, at: float) -> list[dict]:
        data = self.get("query", query=expr, time=at)
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        return data["result"]

    def range(self, expr: str, start: float, end: float, step: float) -> list[dict]:
        return self.get("query_range", query=expr, start=start, end=end, step=step)["result"]

    def label_values(self, label: str, selector: str, start: float, end: float) -> list[str]:
        return self.get(f"label/{label}/values", **{"match[]": selector, "start": start, "end": end})


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serve(data: pathlib.Path) -> Iterator[Prometheus]:
    port = free_port()
    config = data.parent / "prometheus.yml"
    config.write_text("{}\n")
    with (data.parent / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(
            [TOOLS / "prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
             f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
             f"--query.lookback-delta={LOOKBACK}"], stderr=log)
    try:
        _await(f"http://127.0.0.1:{port}/-/ready", process)
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(BOUND)


def _await(address: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + BOUND
    while True:
        assert process.poll() is None, "prometheus ended, see prometheus.log"
        with contextlib.suppress(OSError):
            OPENER.open(address, timeout=BOUND).close()
            return
        assert time.monotonic() < deadline, "prometheus did not become ready"
        time.sleep(0.05)


def promtool(*arguments: Any, folder: pathlib.Path | None = None) -> None:
    done = subprocess.run([TOOLS / "promtool", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd=folder)
    assert done.returncode == 0, done.stdout[-2000:]


def make_blocks(folder: pathlib.Path) -> pathlib.Path:
    """The data of dataset.py and what the recording rules make of it, as a data directory."""
    data, text = folder / "data", folder / "fleet.om"
    subprocess.run([sys.executable, "-B", HERE / "dataset.py", text], check=True)
    promtool("tsdb", "create-blocks-from", *ONE_BLOCK, "openmetrics", "--quiet", text, data)
    text.unlink()
    for number, groups in enumerate(_by_depth([rule for rule in standard_rules() if "record" in rule])):
        rules = folder / f"rules-{number}.yaml"
        rules.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": groups}]}))
        record(data, rules)
    return data


def record(data: pathlib.Path, rules: pathlib.Path) -> None:
    """The file is given by its bare name: when in an interval a group is evaluated hangs on the name, and with that of a
    temporary folder in it, one record would stand at other moments in each run than the one it is compared with."""
    from dataset import END, START  # pylint: disable=import-outside-toplevel

    with serve(data) as server:
        promtool("tsdb", "create-blocks-from", *ONE_BLOCK, "rules", f"--start={START + 1200}", f"--end={END}",
                 f"--url={server.url}", f"--output-dir={data.resolve()}", "--eval-interval=600s", rules.name, folder=rules.parent)


def all_rules(but: str = "") -> list[dict]:
    """Of the shipped files; `but`: a word that leaves out those with it in their name."""
    files = [path for path in sorted(RULES.glob("*.rules.yaml")) if not but or but not in path.name]
    return [rule for path in files for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def standard_rules() -> list[dict]:
    """What every Prometheus has; the fallback is for nodes that judge no drift, and there is none here."""
    return all_rules(but="fallback")


def recording_rules() -> list[dict]:
    return [rule for rule in all_rules() if "record" in rule]


def _by_depth(rules: list[dict]) -> list[list[dict]]:
    """Backfilling sees no rule of the same run: those that build on others come in a later one."""
    left, out = list(rules), []
    while left:
        names = {rule["record"] for rule in left}
        ready = [rule for rule in left if not names & set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", rule["expr"]))]
        assert ready, "rules that build on each other in a circle"
        out.append(ready)
        left = [rule for rule in left if rule not in ready]
    return out
