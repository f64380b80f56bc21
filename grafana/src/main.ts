// SPDX-License-Identifier: Apache-2.0
// main FOLDER: writes every board there, as Grafana reads it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Board } from './board.js';
import { compare } from './compare.js';
import { fleet } from './fleet.js';
import { node } from './node.js';
import { self } from './self.js';
import { service } from './service.js';

/** Keys in one order, whatever order the SDK sets them in: a new SDK then changes only what it changes. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]));
}

const folder = process.argv[2];
if (!folder) throw new Error('usage: main FOLDER');
const boards: Board[] = [fleet(), node(), service(), compare(), self()];
for (const one of boards) {
  writeFileSync(join(folder, `${one.uid}.json`), `${JSON.stringify(sorted(one), null, 2)}\n`);
}
