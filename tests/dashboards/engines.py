# SPDX-License-Identifier: Apache-2.0
"""What the engines of the fleet export themselves: latencies, queues, tokens, under each engine's own names."""

from __future__ import annotations

import math
from typing import Iterator, NamedTuple

from fleet import DAYS, UNITS, Unit
from openmetrics import Page

DAY = 86400
STEP, FAST = 600, 150


class Histogram(NamedTuple):
    name: str  # without _bucket, _sum, _count
    median: float  # seconds
    spread: float  # of its logarithm
    bounds: tuple[float, ...]
    scale: float = 1  # units of the metric in a second


FIRST = (0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
BETWEEN = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.75)
WHOLE = (0.5, 1, 2.5, 5, 10, 20, 40, 60, 120)

HISTOGRAMS = {
    "vllm": [Histogram("vllm:time_to_first_token_seconds", 0.18, 0.7, FIRST),
             Histogram("vllm:inter_token_latency_seconds", 0.021, 0.4, BETWEEN),
             Histogram("vllm:e2e_request_latency_seconds", 6.0, 0.6, WHOLE)],
    "sglang": [Histogram("sglang:time_to_first_token_seconds", 0.15, 0.7, FIRST),
               Histogram("sglang:inter_token_latency_seconds", 0.018, 0.4, BETWEEN),
               Histogram("sglang:e2e_request_latency_seconds", 5.0, 0.6, WHOLE)],
    "tgi": [Histogram("tgi_request_mean_time_per_token_duration", 0.03, 0.5, BETWEEN),
            Histogram("tgi_request_duration", 7.0, 0.6, WHOLE)],
    "llama_cpp": [],
    "triton": [Histogram("nv_inference_first_response_histogram_ms", 0.04, 0.5, (10, 20, 50, 100, 250, 500, 1000), 1000)],
}
GAUGES = {  # running, waiting
    "vllm": ("vllm:num_requests_running", "vllm:num_requests_waiting"),
    "sglang": ("sglang:num_running_reqs", "sglang:num_queue_reqs"),
    "tgi": ("tgi_batch_current_size", "tgi_queue_size"),
    "llama_cpp": ("llamacpp:requests_processing", "llamacpp:requests_deferred"),
    "triton": (None, "nv_inference_pending_request_count"),
}
LABELS = {"vllm": {"model_name": "chat", "engine": "0"}, "sglang": {"model_name": "chat", "engine_type": "unified", "tp_rank": "0"},
          "tgi": {}, "llama_cpp": {}, "triton": {"model": "rank", "version": "1"}}


def load(at: float) -> float:
    """Requests a second: the day's wave, a third less at weekends."""
    hour = at % DAY / 3600
    weekend = 0.67 if at // DAY % 7 >= 5 else 1.0
    return weekend * (2 + 1.6 * math.sin((hour - 8) / 24 * 2 * math.pi))


def write_engines(page: Page) -> None:
    for unit in UNITS:
        labels = {"instance": unit.node, "job": unit.engine, "unit": unit.name, **LABELS[unit.engine]}
        page.add("up", {key: labels[key] for key in ("instance", "job", "unit")}, 1, STEP)
        for histogram in HISTOGRAMS[unit.engine]:
            _write_histogram(page, unit, labels, histogram)
        _write_queue(page, unit, labels)
        _write_means(page, unit, labels)


def _slower(unit: Unit, at: float) -> float:
    """Latency rises with load, and on what leaks under glibc also with age."""
    age = at / DAY - max(life.begins for life in unit.lives if life.begins * DAY <= at)
    leaks = any(life.leak for life in unit.lives if life.allocator == "glibc" and life.begins * DAY <= at)
    moved = unit.allocator == "jemalloc" and at / DAY >= unit.lives[-1].begins and len(unit.lives) == 2
    return (0.8 + 0.15 * load(at)) * (1 + (0.05 * age if leaks and not moved else 0))


def _share_below(bound: float, median: float, spread: float) -> float:
    return 0.5 * (1 + math.erf(math.log(bound / median) / spread / math.sqrt(2)))


def _hours(unit: Unit) -> Iterator[tuple[float, float]]:
    """For each step: requests in it, and how much slower than usual; both change by the hour."""
    for at in range(0, DAYS * DAY + 1, FAST):
        hour = at // 3600 * 3600
        yield load(hour) * FAST, _slower(unit, hour)


def _write_histogram(page: Page, unit: Unit, labels: dict[str, str], of: Histogram) -> None:
    steps = list(_hours(unit))
    known: dict[tuple[float, float], float] = {}
    for bound in of.bounds + (math.inf,):
        total, values = 0.0, []
        for requests, slower in steps:
            values.append(round(total, 2))
            key = (bound, slower)
            if key not in known:
                known[key] = 1.0 if bound == math.inf else _share_below(bound, of.median * of.scale * slower, of.spread)
            total += requests * known[key]
        text = "+Inf" if bound == math.inf else f"{bound:g}"
        page.add(f"{of.name}_bucket", {**labels, "le": text}, values, FAST)
        if bound == math.inf:
            page.add(f"{of.name}_count", labels, values, FAST)
    total, values = 0.0, []
    for requests, slower in steps:
        values.append(round(total, 2))
        total += requests * of.median * of.scale * slower * math.exp(of.spread**2 / 2)
    page.add(f"{of.name}_sum", labels, values, FAST)


def _write_queue(page: Page, unit: Unit, labels: dict[str, str]) -> None:
    running, waiting = GAUGES[unit.engine]
    times = range(0, DAYS * DAY + 1, STEP)
    if running:
        page.add(running, labels, [round(4 * load(at) * _slower(unit, at)) for at in times], STEP)
    page.add(waiting, labels, [max(0, round(8 * (load(at) * _slower(unit, at) - 3.4))) for at in times], STEP)


def _write_means(page: Page, unit: Unit, labels: dict[str, str]) -> None:
    """The counters from which only a mean can be had."""
    requests, seconds, done, busy = [], [], 0.0, 0.0
    for each, slower in _hours(unit):
        requests.append(round(done, 2))
        seconds.append(round(busy, 2))
        done += each
        busy += each * slower
    if unit.engine == "llama_cpp":
        page.add("llamacpp:tokens_predicted_total", labels, [round(200 * value, 1) for value in requests], FAST)
        page.add("llamacpp:tokens_predicted_seconds_total", labels, [round(200 * 0.05 * value, 2) for value in seconds], FAST)
    elif unit.engine == "triton":
        page.add("nv_inference_request_success", labels, requests, FAST)
        page.add("nv_inference_request_duration_us", labels, [round(value * 0.08 * 1e6) for value in seconds], FAST)
