# SPDX-License-Identifier: Apache-2.0
"""Page cache of model files: allocd's figure against fincore, of a file that was read halfway."""

import re

import pytest
from workers import MIB, MODEL_MIB


def entry(observed, service: str) -> dict:
    return next(files for files in observed.snapshot["model_files"] if files["service"] == service)


def cached_by_fincore(observed) -> int:
    return int(observed.found["fincore"])


def has_cachestat(observed) -> bool:
    major, minor = (int(number) for number in re.match(r"(\d+)\.(\d+)", observed.release).groups())
    return (major, minor) >= (6, 5)


def test_half_of_the_file_is_cached(observed):
    assert cached_by_fincore(observed) == MODEL_MIB * MIB // 2
    figures = entry(observed, "mapped")["figures"]
    assert (figures["files"], figures["bytes"]) == (1, MODEL_MIB * MIB)
    assert figures["cached"] == cached_by_fincore(observed)
    assert figures["used_mincore"] == (not has_cachestat(observed))


def test_file_of_others_is_unknown_and_not_0(observed):
    figures = entry(observed, "bound")["figures"]
    assert (figures["files"], figures["not_permitted"]) == (0, 1)
    with pytest.raises(AssertionError):
        observed.metric("allocd_model_files_cached_bytes", policy="bound")


def test_metrics(observed):
    assert observed.metric("allocd_model_files", policy="mapped") == 1
    assert observed.metric("allocd_model_files_bytes", policy="mapped") == MODEL_MIB * MIB
    assert observed.metric("allocd_model_files_cached_bytes", policy="mapped") == cached_by_fincore(observed)
