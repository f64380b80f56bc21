# SPDX-License-Identifier: Apache-2.0
"""docs/snapshot.schema.json, and how a document breaks it."""

from __future__ import annotations

import copy
import json
import pathlib

import jsonschema

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "docs/snapshot.schema.json").read_text())


def strict(schema: dict) -> dict:
    """The schema with additionalProperties forced to false wherever keys are listed."""
    schema = copy.deepcopy(schema)
    for part in [schema, *schema["$defs"].values()]:
        if "properties" in part:
            part["additionalProperties"] = False
    return schema


def errors(schema: dict, document: dict) -> list[str]:
    return [f"{e.json_path}: {e.message}" for e in jsonschema.Draft202012Validator(schema).iter_errors(document)]


def strict_errors(document: dict) -> list[str]:
    """What a document of this very version gets wrong: undocumented keys too."""
    return errors(strict(SCHEMA), document)
