# SPDX-License-Identifier: Apache-2.0
"""The boards as values of the types of @grafana/schema, by the TypeScript compiler.

JSON has no enums, so each of Grafana's is first turned into its texts (Loose); a literal has then no key too many and no
value that Grafana does not know.
"""

from __future__ import annotations

import json
import re
import subprocess

from boards import panels
from prometheus import SOURCE

WORK = SOURCE / "build" / "node"
RAW = "@grafana/schema/dist/esm/raw/composable"

# Types of what a panel of a kind holds: options, and what is in custom of its fields.
KINDS = {
    "stat": (f"{RAW}/stat/panelcfg/x/StatPanelCfg_types.gen", "Options", None),
    "table": (f"{RAW}/table/panelcfg/x/TablePanelCfg_types.gen", "Options", "FieldConfig"),
    "timeseries": (f"{RAW}/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen", "Options", "FieldConfig"),
    "state-timeline": (f"{RAW}/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen", "Options", "FieldConfig"),
}

# Of an annotation, what the data source defines; it has no type there.
OF_PROMETHEUS = {"expr", "step", "titleFormat", "textFormat", "tagKeys", "useValueForTime"}

HEAD = """\
import type { Dashboard } from '@grafana/schema';
type Loose<T> = T extends string ? `${T}` : T extends number ? (`${T}` extends `${infer N extends number}` ? N : T)
  : T extends boolean | null | undefined ? T : T extends (infer E)[] ? Loose<E>[] : T extends object ? { [K in keyof T]: Loose<T[K]> } : T;
"""


def type_errors(of: list[dict]) -> list[str]:
    """What the compiler says, a line each; nothing when all is well."""
    folder = WORK / "typecheck"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.ts"):
        old.unlink()
    for one in of:
        (folder / f"{one['uid']}.ts").write_text(_source(one))
    done = subprocess.run(
        [WORK / "node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext",
         "--moduleResolution", "nodenext", *sorted(map(str, folder.glob("*.ts")))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=WORK)
    return [line for line in done.stdout.splitlines() if line.strip()]


def _source(of: dict) -> str:
    out = [HEAD]
    for kind, (module, options, custom) in KINDS.items():
        name = _type_name(kind)
        out.append(f"import type * as {name} from '{module}';")
        out.append(f"type {name}Options = Loose<{name}.{options}>;")
        out.append(f"type {name}Custom = {'Record<string, never>' if custom is None else f'Loose<Partial<{name}.{custom}>>'};")
    events = [{key: value for key, value in one.items() if key not in OF_PROMETHEUS} for one in of["annotations"]["list"]]
    out.append(f"export const board: Loose<Dashboard> = {json.dumps({**of, 'annotations': {'list': events}})};")
    for one in panels(of):
        name, number = _type_name(one["type"]), one["id"]
        out.append(f"export const options_{number}: {name}Options = {json.dumps(one['options'])};")
        custom = one["fieldConfig"]["defaults"].get("custom", {})
        out.append(f"export const custom_{number}: {name}Custom = {json.dumps(custom)};")
    return "\n".join(out) + "\n"


def _type_name(kind: str) -> str:
    return re.sub(r"(?:^|-)(\w)", lambda match: match.group(1).upper(), kind)
