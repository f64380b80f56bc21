// SPDX-License-Identifier: Apache-2.0
// One service: its allocator, its memory over days, and what its clients feel, on one time axis.

import { board, type Board } from './board.js';
import { latency_panels } from './latency.js';
import { lines, row, stat, table, timeline } from './panels.js';
import { of_unit, rate, state_code, unit_scope } from './queries.js';
import {
  attend, bad, drift_codes, drift_words, good, idle, policy_codes, policy_words, steps, worst,
} from './words.js';

const day = 86400;

const growth_codes = { unknown: 0, linear: 1, slowing: 2 };
const growth_words = {
  0: { text: 'not known', color: 'text' }, 1: { text: 'linear', color: bad }, 2: { text: 'slowing', color: attend },
};
const drop_in_codes = { absent: 0, intact: 1, unreadable: 2, foreign: 3, tampered: 4 };
const drop_in_words = {
  0: { text: 'absent', color: idle }, 1: { text: 'intact', color: good }, 2: { text: 'unreadable', color: attend },
  3: { text: 'not allocd’s', color: bad }, 4: { text: 'edited', color: worst },
};

function first_row() {
  return [
    stat({
      title: 'Policy', width: 4, height: 4, unit: 'none', no_value: 'not observed',
      query: `max(${state_code('allocd_unit_policy_state', unit_scope, policy_codes, 'instance, unit')})`, words: policy_words,
      description: 'State against the policy, the worst of the units chosen above. Bad: orange and red. allocctl explain UNIT names the link ' +
        'that broke. Metric: allocd_unit_policy_state.',
    }),
    stat({
      title: 'Malloc in force', width: 4, height: 4, unit: 'none', no_value: 'not known', show: 'name',
      query: `topk(1, sum by (allocator) (${of_unit('allocd_unit_processes_by_allocator')}) > 0)`, legend: '{{allocator}}',
      steps: steps('text'),
      description: 'The malloc of most processes, from the dynamic linker’s own order. "unknown": they cannot be read. ' +
        'Metric: allocd_unit_processes_by_allocator.',
    }),
    stat({
      title: 'Drift', width: 4, height: 4, unit: 'none', no_value: 'not watched',
      query: `max(${state_code('allocd_unit_drift_state', unit_scope, drift_codes, 'instance, unit')})`, words: drift_words,
      description: 'Verdict on its memory, the worst of the units chosen above. "drift": each of the last days raised the floor; ' +
        '"exhaustion": the limit is hours away. Then: allocctl drift UNIT. Metric: allocd_unit_drift_state.',
    }),
    stat({
      title: 'Limit is met in', width: 4, height: 4, unit: 's', no_value: 'floor does not rise', decimals: 1,
      query: `min(${of_unit('allocd_unit_drift_time_to_limit_seconds')})`, steps: steps(worst, [day, bad], [14 * day, good]),
      description: 'When the unit meets its limit (cgroup or machine) at the rate of the last days. Bad: less than two weeks. Absent while ' +
        'the floor does not rise. Metric: allocd_unit_drift_time_to_limit_seconds.',
    }),
    stat({
      title: 'Floor rises a day', width: 4, height: 4, unit: 'bytes', no_value: 'too young to tell', decimals: 1,
      query: `${day} * max(${of_unit('allocd_unit_drift_slope_bytes_per_second')})`, steps: steps('text'),
      description: 'Median rise of its memory against the same hour of the day before, as a day’s worth. Bad only if it lasts: see ' +
        '"Floor and ceiling". Metric: allocd_unit_drift_slope_bytes_per_second.',
    }),
    stat({
      title: 'Restart due for', width: 4, height: 4, unit: 's', no_value: 'not known', decimals: 1,
      query: `max(${of_unit('allocd_unit_pending_restart_seconds')})`,
      words: { 0: { text: 'not due', color: good } }, steps: steps(good, [1, attend], [3 * day, bad]),
      description: 'For how long a restart has been due before the unit takes up its policy. Bad: days. systemctl restart UNIT in its ' +
        'window. Metric: allocd_unit_pending_restart_seconds.',
    }),
  ];
}

function memory() {
  const kind = (metric: string) => `sum by (instance, unit) (${of_unit(metric)})`;
  return [
    lines({
      title: 'Floor and ceiling', width: 12, height: 10, unit: 'bytes', no_value: 'not watched for drift',
      queries: [
        [of_unit('allocd_unit_drift_memory_bytes'), 'now {{unit}} {{instance}}'],
        [of_unit('allocd_unit_drift_floor_bytes'), 'floor of a day {{unit}} {{instance}}'],
        [of_unit('allocd_unit_drift_ceiling_bytes'), 'ceiling of a day {{unit}} {{instance}}'],
        [of_unit('allocd_unit_drift_warm_floor_bytes'), 'after warm-up {{unit}} {{instance}}'],
        [`${of_unit('allocd_unit_drift_limit_bytes')} < on (instance, unit) group_left () (3 * ${of_unit('allocd_unit_drift_ceiling_bytes')})`,
          'limit ({{kind}}) {{unit}} {{instance}}'],
      ],
      thick: ['floor'],
      description: 'Anonymous and swapped-out memory now, its lowest and highest of the last 24 hours, and what it held after warm-up. Bad: a ' +
        'floor that climbs day by day away from the warm-up line. The limit is drawn once it is within three times the ceiling. Metrics: ' +
        'allocd_unit_drift_memory_bytes, _floor_bytes, _ceiling_bytes, _warm_floor_bytes, _limit_bytes.',
    }),
    lines({
      title: 'Resident memory by kind', width: 12, height: 10, unit: 'bytes', stacked: true, no_value: 'no process of it can be read',
      queries: [
        [kind('allocd_unit_memory_anonymous_bytes'), 'anonymous {{unit}} {{instance}}'],
        [kind('allocd_unit_memory_file_bytes'), 'file {{unit}} {{instance}}'],
        [kind('allocd_unit_memory_shared_bytes'), 'shared {{unit}} {{instance}}'],
        [kind('allocd_unit_memory_swap_bytes'), 'swapped out {{unit}} {{instance}}'],
      ],
      description: 'Anonymous memory is the heap; file is mapped weights, which the kernel may take back; shared is tensors between processes. ' +
        'Bad: anonymous or swapped-out memory that only grows. Metrics: allocd_unit_memory_anonymous_bytes, _file_bytes, _shared_bytes, ' +
        '_swap_bytes.',
    }),
    lines({
      title: 'Resident memory by role', width: 12, height: 7, unit: 'bytes', stacked: true, no_value: 'no process of it can be read',
      queries: [[`sum by (instance, unit, role) (${of_unit('allocd_unit_memory_resident_bytes')})`, '{{role}} {{unit}} {{instance}}']],
      description: 'Which part of the service holds it. Bad: one role that grows alone: that is where to look first. ' +
        'Metric: allocd_unit_memory_resident_bytes.',
    }),
    timeline({
      title: 'Verdict on drift', width: 12, height: 7, no_value: 'not watched for drift',
      query: state_code('allocd_unit_drift_state', unit_scope, drift_codes, 'instance, unit'),
      legend: '{{unit}} {{instance}}', words: drift_words,
      description: 'Blue while the process is too young for a verdict. Bad: orange and red. Metric: allocd_unit_drift_state.',
    }),
    table({
      title: 'Signs of retention', width: 24, height: 5, no_value: 'not watched for drift',
      queries: [
        `max by (instance, unit) (${of_unit('allocd_unit_drift_at_peak_ratio')})`,
        `max by (instance, unit) (${of_unit('allocd_unit_drift_falls_ratio')})`,
        `max by (instance, unit) (${of_unit('allocd_unit_drift_rising_ratio')})`,
        `sum by (instance, unit) (${of_unit('allocd_unit_glibc_heaps')})`,
        `max by (instance, unit) (${of_unit('allocd_unit_drift_lives')})`,
        `3600 * max by (instance, unit) (${of_unit('allocd_unit_drift_lives_growth_bytes_per_second')})`,
        state_code('allocd_unit_drift_kind', unit_scope, growth_codes, 'instance, unit', 'kind'),
        `max by (instance, unit) (${of_unit('allocd_unit_drift_window_seconds')})`,
      ],
      columns: [
        { field: 'instance', name: 'Node', width: 180, link: 'allocd-node' },
        { field: 'unit', name: 'Unit', width: 260 },
        { field: 'Value #H', name: 'Judged on', unit: 's' },
        { field: 'Value #G', name: 'Growth', words: growth_words },
        { field: 'Value #A', name: 'At its peak', unit: 'percentunit' },
        { field: 'Value #B', name: 'Comes back', unit: 'percentunit' },
        { field: 'Value #C', name: 'Hours that rose', unit: 'percentunit' },
        { field: 'Value #D', name: 'glibc heaps', unit: 'short' },
        { field: 'Value #E', name: 'Past lives', unit: 'short' },
        { field: 'Value #F', name: 'Growth in them, an hour', unit: 'bytes' },
      ],
      sort: { by: 'Hours that rose', descending: true },
      description: 'Retention looks like: always at its peak, nothing comes back after load, many glibc heaps. A leak looks the same in bytes; ' +
        'a run under jemalloc tells them apart (board "allocd before and after"). Growth in past lives shows a leak that restarts hide; "judged on" is how much of this life the verdict rests on, 78 hours are ' +
        'needed for all of it. ' +
        'Metrics: allocd_unit_drift_at_peak_ratio, _falls_ratio, _rising_ratio, _lives, _lives_growth_bytes_per_second, _kind, _window_seconds, ' +
        'allocd_unit_glibc_heaps.',
    }),
  ];
}

function allocator() {
  return [
    lines({
      title: 'Malloc by processes', width: 12, height: 7, unit: 'short', stacked: true, no_value: 'no process of it is known',
      queries: [[`sum by (allocator) (${of_unit('allocd_unit_processes_by_allocator')}) > 0`, '{{allocator}}']],
      description: 'Processes by the malloc they really use. Bad: another one than the policy asks for, or several at once. ' +
        'Metric: allocd_unit_processes_by_allocator.',
    }),
    timeline({
      title: 'State against the policy', width: 12, height: 7, no_value: 'not observed',
      query: state_code('allocd_unit_policy_state', unit_scope, policy_codes, 'instance, unit'),
      legend: '{{unit}} {{instance}}', words: policy_words,
      description: 'From "not applied" over "restart due" to "compliant" is a rollout. Bad: orange or red at the right edge. ' +
        'Metric: allocd_unit_policy_state.',
    }),
    table({
      title: 'What is behind it', width: 24, height: 5, no_value: 'not observed',
      queries: [
        `max by (instance, unit, reason) (${of_unit('allocd_unit_policy_reason')})`,
        state_code('allocd_unit_drop_in_state', unit_scope, drop_in_codes, 'instance, unit'),
        `sum by (instance, unit) (${of_unit('allocd_unit_processes_library_off_disk')})`,
        `sum by (instance, unit) (${of_unit('allocd_unit_processes_allocator_idle')})`,
        `sum by (instance, unit) (${of_unit('allocd_unit_jemalloc_background_threads')})`,
      ],
      columns: [
        { field: 'instance', name: 'Node', width: 180, link: 'allocd-node' },
        { field: 'unit', name: 'Unit', width: 260 },
        { field: 'reason', name: 'Reason', width: 260 },
        { field: 'Value #B', name: 'Drop-in', words: drop_in_words, fill: true },
        { field: 'Value #C', name: 'Library replaced', unit: 'short', steps: steps('text', [1, bad]) },
        { field: 'Value #D', name: 'Idle libraries', unit: 'short', steps: steps('text', [1, attend]) },
        { field: 'Value #E', name: 'jemalloc threads', unit: 'short' },
      ],
      sort: { by: 'Unit', descending: false },
      description: 'Reason of the state, the drop-in on disk, processes whose library was replaced under them, libraries that are mapped and ' +
        'idle, background threads of jemalloc. Bad: an edited drop-in, a replaced library, no thread under jemalloc. Metrics: ' +
        'allocd_unit_policy_reason, allocd_unit_drop_in_state, allocd_unit_processes_library_off_disk, ' +
        'allocd_unit_processes_allocator_idle, allocd_unit_jemalloc_background_threads.',
    }),
  ];
}

function huge_pages_and_numa() {
  return [
    lines({
      title: 'Transparent huge pages of the unit', width: 8, height: 8, unit: 'bytes', stacked: true, no_value: 'its control group has no memory account',
      queries: [[of_unit('allocd_unit_cgroup_memory_thp_bytes'), '{{kind}} {{unit}} {{instance}}']],
      description: 'How much of its memory is in huge pages. Worth a look: anonymous huge pages that rise with the floor. ' +
        'Metric: allocd_unit_cgroup_memory_thp_bytes.',
    }),
    lines({
      title: 'Memory by NUMA node', width: 8, height: 8, unit: 'bytes', stacked: true, no_value: 'one NUMA node only',
      queries: [[`sum by (instance, unit, node) (${of_unit('allocd_unit_cgroup_memory_numa_bytes')})`, 'node {{node}} {{unit}} {{instance}}']],
      description: 'Where its memory is. Bad: much of it on another node than its CPUs or GPUs. Metric: allocd_unit_cgroup_memory_numa_bytes.',
    }),
    lines({
      title: 'Memory off its node', width: 8, height: 8, unit: 'percentunit', max: 1, no_value: 'placement not known, or one node only',
      queries: [[of_unit('allocd_unit_memory_off_node_ratio'), 'of its {{of}} {{unit}} {{instance}}']],
      description: 'Share of its memory on none of the nodes of its CPUs, GPUs or NUMAPolicy=. Bad: above a tenth for long; bind it or restart ' +
        'it while the node has room. Metric: allocd_unit_memory_off_node_ratio.',
    }),
  ];
}

function control_group() {
  const limit = of_unit('allocd_unit_cgroup_memory_effective_limit_bytes', 'limit="max"');
  return [
    lines({
      title: 'Charged memory', width: 8, height: 8, unit: 'bytes', no_value: 'its control group has no memory account',
      queries: [
        [of_unit('allocd_unit_cgroup_memory_current_bytes'), 'charged {{unit}} {{instance}}'],
        [`${of_unit('allocd_unit_cgroup_memory_current_bytes')} - ${of_unit('allocd_unit_cgroup_memory_inactive_file_bytes')}`, 'really needed {{unit}} {{instance}}'],
        [`${limit} < +Inf`, 'limit {{unit}} {{instance}}'],
      ],
      description: 'Memory charged to the control group, page cache included; the same without the page cache that goes first; and the limit. ' +
        'Bad: "really needed" near the limit. Metrics: allocd_unit_cgroup_memory_current_bytes, _inactive_file_bytes, ' +
        '_effective_limit_bytes.',
    }),
    lines({
      title: 'Waiting for memory', width: 8, height: 8, unit: 'percentunit', no_value: 'the kernel keeps no account of pressure',
      queries: [
        [rate(of_unit('allocd_unit_memory_pressure_waiting_seconds_total')), 'some wait {{unit}} {{instance}}'],
        [rate(of_unit('allocd_unit_memory_pressure_stalled_seconds_total')), 'all wait {{unit}} {{instance}}'],
      ],
      description: 'Share of the time in which tasks of the unit waited for memory. Bad: above 2 %; latency follows. Metrics: ' +
        'allocd_unit_memory_pressure_waiting_seconds_total, _stalled_seconds_total.',
    }),
    lines({
      title: 'Limits met, kills and faults', width: 8, height: 8, unit: 'ops', no_value: 'its control group has no memory account',
      queries: [
        [rate(of_unit('allocd_unit_cgroup_memory_events_total', 'event=~"high|max|oom|oom_kill"')), '{{event}} {{unit}} {{instance}}'],
        [rate(of_unit('allocd_unit_cgroup_major_faults_total')), 'faults that read from disk {{unit}} {{instance}}'],
      ],
      description: 'How often it met a limit, was killed in it, or had to read a page from disk. Bad: any oom_kill, and steady faults from disk ' +
        'under load. Metrics: allocd_unit_cgroup_memory_events_total, allocd_unit_cgroup_major_faults_total.',
    }),
  ];
}

export function service(): Board {
  return board({
    uid: 'allocd-service', title: 'allocd service', unit_variable: true, unit_events: true,
    description: 'One service: the allocator in force, its memory over days, and latency and queue of its engine beside it.',
    panels: [
      row('Is this service in order'),
      ...first_row(),
      row('Memory over days'),
      ...memory(),
      row('What its clients feel'),
      ...latency_panels(),
      row('Allocator'),
      ...allocator(),
      row('Huge pages and NUMA'),
      ...huge_pages_and_numa(),
      row('Control group'),
      ...control_group(),
    ],
  });
}
