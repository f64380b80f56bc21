# SPDX-License-Identifier: Apache-2.0
"""docs/snapshot.schema.json against what allocd renders: nothing undocumented, nothing documented and missing.

The fixture is held equal to the renderer's output by tests/unit/snapshot/fixture_test.cpp.
"""

import copy
import json
import os
import pathlib
import re

import jsonschema
import pytest
from support.snapshot_schema import SCHEMA, errors, strict_errors

SOURCE = pathlib.Path(os.environ.get("ALLOCD_SOURCE", pathlib.Path(__file__).parents[2]))
FIXTURE = json.loads((pathlib.Path(__file__).parent / "fixtures/snapshot.json").read_text())


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_renderer_emits_what_is_documented_and_only_that():
    assert strict_errors(FIXTURE) == []


def test_every_key_is_required_and_described():
    parts = {"$": SCHEMA, **SCHEMA["$defs"]}
    for name, part in parts.items():
        assert part.get("description"), name
        if "properties" not in part:
            continue
        assert part["required"] == list(part["properties"]), name
        for key, member in part["properties"].items():
            described = member.get("description") or SCHEMA["$defs"][member["$ref"].rpartition("/")[2]]["description"]
            assert described, f"{name}.{key}"


def test_a_newer_minor_form_is_accepted():
    newer = copy.deepcopy(FIXTURE)
    newer["weather"] = "fine"
    newer["units"][0]["processes"][0]["shoe_size"] = 43
    assert errors(SCHEMA, newer) == []
    assert strict_errors(newer) != []


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: s.update(schema_version=2),
        lambda s: s.pop("units"),
        lambda s: s["units"][0].update(wanted="best"),
        lambda s: s["units"][0]["assessment"]["chain"].pop(),
        lambda s: s["units"][0]["roles"][0]["active"].update(malloc=1),
        lambda s: s["units"][0]["processes"][0]["memory"].update(resident=-1),
        lambda s: s["units"][0]["processes"][0]["memory"].update(resident=None),
    ],
)
def test_a_damaged_document_is_refused(damage):
    damaged = copy.deepcopy(FIXTURE)
    damage(damaged)
    assert errors(SCHEMA, damaged) != []


def test_enumerations_are_those_of_the_code():
    tables = {}
    for header in (SOURCE / "daemon").rglob("*.hpp"):
        if header.parent.name == "preflight":  # has reasons of its own, which no snapshot shows
            continue
        prefix = "Drift" if header.parent.name == "drift" else ""  # its State and Kind are not those of others
        for enum, names in re.findall(r"EnumNames<(\w+), \d+> \w+\{\s*\{(.*?)\}\}", header.read_text(), re.S):
            tables[prefix + enum] = re.findall(r'"(\w+)"', names)
    for name, part in SCHEMA["$defs"].items():
        if "enum" in part:
            assert part["enum"] == tables.get(name), name
