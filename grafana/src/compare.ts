// SPDX-License-Identifier: Apache-2.0
// One service under two allocators, aligned by the age of its process: the newest life under the one, and the newest
// life under the other shifted in time so that both begin at the same place. Grafana has no axis of ages; two hidden
// variables ask Prometheus when the lives began, and every query of the older one is `offset` by their distance.

import { board, choice, hidden_number, type Board } from './board.js';
import { latencies } from './latency.js';
import { lines, row, stat } from './panels.js';
import { of_engine as of_engines, of_unit as of_units } from './queries.js';
import { good, steps, worst } from './words.js';

// One unit, so by its name and not by a pattern: Grafana escapes patterns only where several can be chosen.
const of_one = (selector: string) => selector.replace('unit=~"$unit"', 'unit="$unit"');
const of_unit = (metric: string, more = '') => of_one(of_units(metric, more));
const of_engine = (metric: string) => of_one(of_engines(metric));

const shift = ' offset ${shift}s';
const since_birth = 'and on () (vector(time()) >= ${born})';
const names = { after: 'under $after', before: 'under $before, at the same age' };

function under(allocator: string): string {
  return `(sum by (instance, unit) (${of_unit('allocd_unit_processes_by_allocator', `allocator="${allocator}"`)}) > 0)`;
}

const alive_before = `sum(${of_unit('allocd_unit_processes_by_allocator', 'allocator="$before"')}${shift}) > 0`;

/** When the newest life under an allocator began, looking back a month by the hour. */
function born(condition: string): string {
  const start = of_unit('allocd_unit_drift_life_start_timestamp_seconds');
  return `max(max_over_time((${start} and on (instance, unit) ${condition})[30d:1h]))`;
}

const born_after = born(under('$after'));
const born_before = born(`(${under('$before')} unless on (instance, unit) ${under('$after')})`);

/** The same of both lives: of the older one no longer than it lived. */
function both(of: (offset: string) => string): [string, string][] {
  return [[`(${of('')}) ${since_birth}`, names.after], [`(${of(shift)}) ${since_birth} and on () ${alive_before}`, names.before]];
}

const held = (offset: string) =>
  `sum(${of_unit('allocd_unit_memory_anonymous_bytes')}${offset} + ${of_unit('allocd_unit_memory_swap_bytes')}${offset})`;
const p99 = (name: string, offset: string) => `max(${of_engine(`${name}:p99`)}${offset})`;
const end_to_end = 'unit:inference_end_to_end_latency_seconds';

function first_row() {
  return [
    stat({
      title: 'Age compared', width: 4, height: 4, unit: 's', no_value: 'no life under $after is known', decimals: 1, steps: steps('text'),
      query: `(time() - max(${of_unit('allocd_unit_drift_life_start_timestamp_seconds')})) ${since_birth}`,
      description: 'How old the newer life is: memory is compared at this age. Bad: less than two days, too early to judge. ' +
        'Metric: allocd_unit_drift_life_start_timestamp_seconds.',
    }),
    stat({
      title: 'Memory under $before', width: 5, height: 4, unit: 'bytes', no_value: 'no such life in the last month', decimals: 1,
      query: held(shift), steps: steps('text'),
      description: 'What the older life held at this age. Metrics: allocd_unit_memory_anonymous_bytes, allocd_unit_memory_swap_bytes.',
    }),
    stat({
      title: 'Memory under $after', width: 5, height: 4, unit: 'bytes', no_value: 'no process of it can be read', decimals: 1,
      query: held(''), steps: steps('text'),
      description: 'What the newer life holds now. Metrics: allocd_unit_memory_anonymous_bytes, allocd_unit_memory_swap_bytes.',
    }),
    stat({
      title: 'Memory saved', width: 5, height: 4, unit: 'percentunit', no_value: 'nothing to compare with', decimals: 0,
      query: `1 - ${held('')} / ${held(shift)}`, steps: steps(worst, [0, 'text'], [0.1, good]),
      description: 'Share of the memory that the newer life does without at the same age. Bad: below 0, it holds more. One pair of lives is ' +
        'an observation, no proof: traffic differs too. Metrics: allocd_unit_memory_anonymous_bytes, allocd_unit_memory_swap_bytes.',
    }),
    stat({
      title: 'p99 of a request, change', width: 5, height: 4, unit: 'percentunit', no_value: 'its engine does not export it', decimals: 0,
      query: `avg_over_time((${p99(end_to_end, '')})[1d:5m]) / avg_over_time((${p99(end_to_end, shift)})[1d:5m]) - 1`,
      steps: steps(good, [0.05, 'text'], [0.15, worst]),
      description: 'Mean of the p99 over the last day, against the same day of the older life. Bad: above 15 %. ' +
        `Metric: ${end_to_end}:p99.`,
    }),
  ];
}

function panels() {
  const sum = (metric: string, more = '') => (offset: string) => `sum(${of_unit(metric, more)}${offset})`;
  return [
    row('At the same age'),
    ...first_row(),
    row('Memory, from the start of the process on'),
    lines({
      title: 'Memory held', width: 24, height: 11, unit: 'bytes', no_value: 'nothing to compare', queries: both(held), thick: ['under'],
      description: 'Anonymous and swapped-out memory. Bad for the older allocator: a gap that widens with age (it does not give back). Both ' +
        'climbing alike: a leak, no allocator mends that. Metrics: allocd_unit_memory_anonymous_bytes, allocd_unit_memory_swap_bytes.',
    }),
    lines({
      title: 'Floor of a day', width: 8, height: 8, unit: 'bytes', no_value: 'not watched for drift',
      queries: both(sum('allocd_unit_drift_floor_bytes')),
      description: 'What it holds at its quietest. Bad: a floor that climbs under the newer allocator as well. ' +
        'Metric: allocd_unit_drift_floor_bytes.',
    }),
    lines({
      title: 'Anonymous huge pages', width: 8, height: 8, unit: 'bytes', no_value: 'its control group has no memory account',
      queries: both(sum('allocd_unit_cgroup_memory_thp_bytes', 'kind="anon"')),
      description: 'Anonymous memory in huge pages. Worth a look: much more under one of the two, for then the gain is from huge pages. ' +
        'Metric: allocd_unit_cgroup_memory_thp_bytes.',
    }),
    lines({
      title: 'Heaps of glibc arenas', width: 8, height: 8, unit: 'short', no_value: 'no memory map was read',
      queries: both(sum('allocd_unit_glibc_heaps')),
      description: 'Heaps of glibc arenas beyond the main one. Many that stay after load are how glibc holds on to memory. ' +
        'Metric: allocd_unit_glibc_heaps.',
    }),
    row('What clients felt, at the same age'),
    ...latencies.map(({ title, name, no_value, lacking }) => lines({
      title: `${title}, p99`, width: 8, height: 8, unit: 's', no_value,
      queries: both((offset) => p99(name, offset)),
      description: `Bad: a p99 that is 15 % higher under the newer allocator, day by day. ${lacking} Metric: ${name}:p99.`,
    })),
    lines({
      title: 'Requests running', width: 24, height: 7, unit: 'short', no_value: 'its engine does not export it',
      queries: both((offset) => `sum(${of_engine('unit:inference_requests_running:sum')}${offset})`),
      description: 'Load of both lives: memory and latency compare only where these two lines are alike. ' +
        'Metric: unit:inference_requests_running:sum.',
    }),
  ];
}

export function compare(): Board {
  return board({
    uid: 'allocd-compare', title: 'allocd before and after', unit_variable: true, one_unit: true,
    description: 'The same service under two allocators, aligned by the age of its process. Choose one node and one unit.',
    variables: [
      choice('before', 'Before', ['glibc', 'jemalloc', 'tcmalloc', 'mimalloc'], 'glibc'),
      choice('after', 'After', ['jemalloc', 'glibc', 'tcmalloc', 'mimalloc'], 'jemalloc'),
      hidden_number('born', `round(${born_after}) or vector(0)`),
      hidden_number('shift', `round(${born_after} - ${born_before}) or vector(604800)`),
    ],
    panels: panels(),
  });
}
