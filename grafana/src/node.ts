// SPDX-License-Identifier: Apache-2.0
// One machine: is it as declared, has it memory, and where do huge pages, NUMA, IOMMU and the page cache stand.

import { board, type Board } from './board.js';
import { lines, row, stat, table, timeline } from './panels.js';
import { count_or_0, node_scope, of_node, of_unit, rate, state_code, unit_scope } from './queries.js';
import {
  attend, bad, calm, drift_codes, drift_words, good, idle, none_or, policy_codes, policy_words, steps, worst, yes_no_words,
} from './words.js';

const total = of_node('allocd_node_memory_total_bytes');
const available = of_node('allocd_node_memory_available_bytes');
const expectation = 'allocd_node_expectation_state';

const thp_mode_codes = { never: 0, madvise: 1, always: 2 };
const thp_mode_words = {
  0: { text: 'never', color: calm }, 1: { text: 'madvise', color: good }, 2: { text: 'always', color: attend },
};
const iommu_codes = { none: 0, passthrough: 1, translated: 2, mixed: 3, unknown: 4 };
const iommu_words = {
  0: { text: 'none', color: idle }, 1: { text: 'passthrough', color: good }, 2: { text: 'translated', color: attend },
  3: { text: 'mixed', color: bad }, 4: { text: 'unknown', color: bad },
};
const expectation_codes = { met: 0, unknown: 1, missed: 2 };
const expectation_words = {
  0: { text: 'as declared', color: good }, 1: { text: 'cannot be read', color: attend }, 2: { text: 'not as declared', color: worst },
};

const iommu_mode = state_code('allocd_node_iommu_mode', node_scope, iommu_codes, 'instance', 'mode');
const thp_mode = state_code('allocd_node_thp_mode', `${node_scope}, setting="enabled"`, thp_mode_codes, 'instance', 'mode');

function first_row() {
  return [
    stat({
      title: 'Observer', width: 3, height: 4, unit: 'none', no_value: 'not scraped', link: 'allocd-self',
      query: `min(${of_node('allocd_observer_up')} or 0 * ${of_node('up')})`,
      words: { 0: { text: 'silent', color: worst }, 1: { text: 'up', color: good } },
      description: 'Whether allocd on this machine answers with a fresh sample. Bad: silent; all that is below is then old or absent. ' +
        'systemctl status allocd. Metrics: allocd_observer_up, up.',
    }),
    stat({
      title: 'Not as declared', width: 3, height: 4, unit: 'short', no_value: 'nothing declared',
      query: count_or_0(`${of_node(expectation, 'state="missed"')} == 1`, of_node(expectation)), ...tile(none_or(bad)),
      description: 'Settings that differ from node: expect:. Bad: any. The table below has the keys; allocctl node has what was found. ' +
        'Metric: allocd_node_expectation_state.',
    }),
    stat({
      title: 'Memory available', width: 4, height: 4, unit: 'percentunit', no_value: 'cannot be read',
      query: `min(${available} / ${total})`, steps: steps(worst, [0.05, bad], [0.1, good]),
      description: 'Share of the memory that programs can still get without swapping. Bad: below 10 %; below 5 % the kernel is about to ' +
        'kill. See "Units of this machine". Metrics: allocd_node_memory_available_bytes, allocd_node_memory_total_bytes.',
    }),
    stat({
      title: 'Tasks waiting for memory', width: 4, height: 4, unit: 'percentunit', no_value: 'kernel keeps no account', decimals: 1,
      query: `max(${rate(of_node('allocd_node_memory_pressure_waiting_seconds_total'))})`, steps: steps(good, [0.02, attend], [0.1, worst]),
      description: 'Share of the time in which at least one task waited for memory. Bad: above 2 %; above 10 % latency suffers surely. Give ' +
        'back memory or move a unit. Metric: allocd_node_memory_pressure_waiting_seconds_total.',
    }),
    stat({
      title: 'Transparent huge pages', width: 3, height: 4, unit: 'none', no_value: 'cannot be read',
      query: `max(${thp_mode})`, words: thp_mode_words,
      description: 'Mode of transparent huge pages. "always" makes an allocator hold up to 2 MiB for each page it touches; engines and ' +
        'jemalloc do best with "madvise". Metric: allocd_node_thp_mode.',
    }),
    stat({
      title: 'IOMMU', width: 4, height: 4, unit: 'none', no_value: 'cannot be read',
      query: `max(${iommu_mode})`, words: iommu_words,
      description: 'What DMA of devices goes through. "translated" costs GPU transfers; declare what you want in node: expect:. ' +
        'Metric: allocd_node_iommu_mode.',
    }),
    stat({
      title: 'NUMA balancing', width: 3, height: 4, unit: 'none', no_value: 'no NUMA',
      query: `max(${of_node('allocd_node_numa_balancing_mode')})`,
      words: { 0: { text: 'off', color: good }, 1: { text: 'on', color: attend }, 2: { text: 'tiering', color: attend } },
      description: 'Automatic NUMA balancing. On, it moves pages of pinned services back and forth; usually off on inference hosts. ' +
        'Metric: allocd_node_numa_balancing_mode.',
    }),
  ];
}

function tile(of: ReturnType<typeof none_or>) {
  return { words: of.mappings, steps: of.steps };
}

function declared_and_units() {
  return [
    table({
      title: 'As declared?', width: 9, height: 8, no_value: 'Nothing is declared under node: expect:',
      queries: [state_code(expectation, node_scope, expectation_codes, 'instance, key')],
      columns: [
        { field: 'instance', name: 'Node' },
        { field: 'key', name: 'Setting' },
        { field: 'Value', name: 'State', words: expectation_words, fill: true, width: 150 },
      ],
      sort: { by: 'State', descending: true },
      description: 'Every setting of node: expect:, and whether the machine has it. Bad: red; allocctl node shows what was found instead. ' +
        'allocd changes no setting of the machine. Metric: allocd_node_expectation_state.',
    }),
    table({
      title: 'Units of this machine', width: 15, height: 8, no_value: 'No unit is observed here',
      queries: [
        state_code('allocd_unit_policy_state', unit_scope, policy_codes, 'instance, unit'),
        state_code('allocd_unit_drift_state', unit_scope, drift_codes, 'instance, unit'),
        `sum by (instance, unit) (${of_unit('allocd_unit_memory_resident_bytes')})`,
        `sum by (instance, unit) (${of_unit('allocd_unit_processes')})`,
        `max by (instance, unit) (${of_unit('allocd_unit_memory_off_node_ratio', 'of="cpus"')})`,
      ],
      columns: [
        { field: 'instance', name: 'Node' },
        { field: 'unit', name: 'Unit', width: 220, link: 'allocd-service' },
        { field: 'Value #A', name: 'Policy', words: policy_words, fill: true, width: 130 },
        { field: 'Value #B', name: 'Drift', words: drift_words, fill: true, width: 110 },
        { field: 'Value #C', name: 'Resident', unit: 'bytes' },
        { field: 'Value #D', name: 'Processes', unit: 'short' },
        { field: 'Value #E', name: 'Off its node', unit: 'percentunit', steps: steps('text', [0.1, attend], [0.3, bad]) },
      ],
      sort: { by: 'Resident', descending: true },
      description: 'Every unit of the machine: state, memory and how much of it is on another NUMA node than its CPUs. Click one to see it. ' +
        'Metrics: allocd_unit_policy_state, allocd_unit_drift_state, allocd_unit_memory_resident_bytes, allocd_unit_processes, allocd_unit_memory_off_node_ratio.',
    }),
  ];
}

function memory() {
  return [
    lines({
      title: 'Memory', width: 12, height: 8, unit: 'bytes', no_value: 'cannot be read',
      queries: [
        [total, 'total {{instance}}'],
        [available, 'available {{instance}}'],
        [of_node('allocd_node_memory_hugetlb_bytes'), 'set aside for huge pages {{instance}}'],
        [of_node('allocd_node_memory_mlocked_bytes'), 'locked {{instance}}'],
      ],
      description: 'Bad: available that sinks day by day, or below a tenth of the total. Find the unit in the table above. Metrics: ' +
        'allocd_node_memory_total_bytes, _available_bytes, _hugetlb_bytes, _mlocked_bytes.',
    }),
    lines({
      title: 'Memory pressure', width: 12, height: 8, unit: 'percentunit', no_value: 'the kernel keeps no account of pressure',
      queries: [
        [rate(of_node('allocd_node_memory_pressure_waiting_seconds_total')), 'some wait {{instance}}'],
        [rate(of_node('allocd_node_memory_pressure_stalled_seconds_total')), 'all wait {{instance}}'],
      ],
      description: 'Share of the time in which tasks waited for memory. Bad: "some" above 2 %, "all" above nothing for long. Look for the ' +
        'unit that holds most. Metrics: allocd_node_memory_pressure_waiting_seconds_total, _stalled_seconds_total.',
    }),
    lines({
      title: 'Promised memory', width: 6, height: 7, unit: 'bytes', no_value: 'cannot be read',
      queries: [
        [of_node('allocd_node_memory_committed_bytes'), 'promised {{instance}}'],
        [of_node('allocd_node_memory_commit_limit_bytes'), 'limit, in mode 2 {{instance}}'],
      ],
      description: 'Memory promised to programs, and the most that may be. Only with overcommit mode 2 is reaching the limit bad: ' +
        'allocations then fail. Metrics: allocd_node_memory_committed_bytes, allocd_node_memory_commit_limit_bytes.',
    }),
    lines({
      title: 'Swap in use', width: 6, height: 7, unit: 'bytes', no_value: 'cannot be read',
      queries: [[`${of_node('allocd_node_memory_swap_total_bytes')} - ${of_node('allocd_node_memory_swap_free_bytes')}`, '{{instance}}']],
      description: 'Swapped-out memory. Bad on an inference host: any that grows; what was swapped out still counts as held. Metrics: ' +
        'allocd_node_memory_swap_total_bytes, allocd_node_memory_swap_free_bytes.',
    }),
    table({
      title: 'Limits and habits of the kernel', width: 12, height: 7, no_value: 'cannot be read',
      queries: [
        `max by (instance) (${of_node('allocd_node_overcommit_mode')})`,
        `max by (instance) (${of_node('allocd_node_swappiness')})`,
        `max by (instance) (${of_node('allocd_node_zone_reclaim_mode')})`,
        `max by (instance) (${of_node('allocd_node_min_free_bytes')})`,
        `max by (instance) (${of_node('allocd_node_mappings_limit')})`,
      ],
      columns: [
        { field: 'instance', name: 'Node' },
        { field: 'Value #A', name: 'Overcommit', words: {
          0: { text: 'heuristic', color: 'text' }, 1: { text: 'always', color: 'text' }, 2: { text: 'never', color: 'text' } } },
        { field: 'Value #B', name: 'Swappiness', unit: 'short' },
        { field: 'Value #C', name: 'Zone reclaim', unit: 'short', steps: steps('text', [1, attend]) },
        { field: 'Value #D', name: 'Kept free', unit: 'bytes' },
        { field: 'Value #E', name: 'Mappings, at most', unit: 'short' },
      ],
      description: 'Settings that decide how the kernel gives memory. Worth a look: zone reclaim other than 0, and an overcommit mode you ' +
        'did not choose. Metrics: allocd_node_overcommit_mode, allocd_node_swappiness, allocd_node_zone_reclaim_mode, ' +
        'allocd_node_min_free_bytes, allocd_node_mappings_limit.',
    }),
  ];
}

function huge_pages() {
  const events = 'event=~"thp_fault_alloc|thp_fault_fallback|thp_collapse_alloc|thp_split_page|thp_deferred_split_page"';
  return [
    lines({
      title: 'Memory in transparent huge pages', width: 8, height: 8, unit: 'bytes', stacked: true, no_value: 'cannot be read',
      queries: [[of_node('allocd_node_memory_thp_bytes'), '{{kind}} {{instance}}']],
      description: 'Memory in transparent huge pages by kind. Worth a look: anonymous huge pages that grow with a unit whose floor rises: ' +
        'half-used huge pages look like a leak. Metric: allocd_node_memory_thp_bytes.',
    }),
    lines({
      title: 'Events of transparent huge pages', width: 8, height: 8, unit: 'ops', no_value: 'the kernel counts none',
      queries: [[rate(of_node('allocd_node_thp_events_total', events)), '{{event}} {{instance}}']],
      description: 'Huge pages given at a fault, made by khugepaged, split again, and faults that had to make do with small pages. Bad: many ' +
        'fallbacks: memory is in pieces. Metric: allocd_node_thp_events_total.',
    }),
    timeline({
      title: 'Mode of transparent huge pages', width: 8, height: 8, no_value: 'cannot be read',
      query: thp_mode,
      legend: '{{instance}}', words: thp_mode_words,
      description: 'Mode over time. Bad: a change nobody planned, as a boot without the setting brings it. Metric: allocd_node_thp_mode.',
    }),
    lines({
      title: 'Reserved huge pages', width: 12, height: 7, unit: 'short', no_value: 'no huge pages of any size',
      queries: [
        [of_node('allocd_node_hugetlb_pages'), 'pool {{page_size}} {{instance}}'],
        [of_node('allocd_node_hugetlb_free_pages'), 'free {{page_size}} {{instance}}'],
        [of_node('allocd_node_hugetlb_surplus_pages'), 'over the pool {{page_size}} {{instance}}'],
      ],
      description: 'Huge pages set aside by page size, and those that nothing uses. Bad: a pool that is free for ever (memory lost), or none ' +
        'free while a unit asks for them. Metrics: allocd_node_hugetlb_pages, _free_pages, _surplus_pages.',
    }),
    lines({
      title: 'Free reserved huge pages by NUMA node', width: 12, height: 7, unit: 'short', no_value: 'no huge pages, or no NUMA',
      queries: [[of_node('allocd_node_numa_hugetlb_free_pages'), 'node {{node}} {{page_size}} {{instance}}']],
      description: 'Free huge pages of each NUMA node. Bad: none on the node a unit is bound to, although the machine has some. ' +
        'Metric: allocd_node_numa_hugetlb_free_pages.',
    }),
  ];
}

function numa_and_devices() {
  return [
    lines({
      title: 'Free memory by NUMA node', width: 8, height: 8, unit: 'bytes', no_value: 'no NUMA',
      queries: [[of_node('allocd_node_numa_memory_free_bytes'), 'node {{node}} {{instance}}']],
      description: 'Memory that nothing uses, by node. Bad: one node empty and another full: units there get memory from far away. ' +
        'Metric: allocd_node_numa_memory_free_bytes.',
    }),
    lines({
      title: 'Memory by NUMA node and kind', width: 8, height: 8, unit: 'bytes', stacked: true, no_value: 'no NUMA',
      queries: [[of_node('allocd_node_numa_memory_kind_bytes', 'kind=~"anon|file"'), 'node {{node}} {{kind}} {{instance}}']],
      description: 'What is on which node: anonymous memory and page cache. Bad: all page cache of models on one node. ' +
        'Metric: allocd_node_numa_memory_kind_bytes.',
    }),
    lines({
      title: 'Pages that came from another node', width: 8, height: 8, unit: 'ops', no_value: 'no NUMA',
      queries: [[rate(of_node('allocd_node_numa_pages_total', 'event=~"numa_miss|numa_foreign"')), 'node {{node}} {{event}} {{instance}}']],
      description: 'Pages that were wanted on one node and came from another. Bad: a steady rate; the wanted node is full or a unit is not ' +
        'bound. Metric: allocd_node_numa_pages_total.',
    }),
    lines({
      title: 'IOMMU groups by kind', width: 12, height: 7, unit: 'short', stacked: true, no_value: 'no IOMMU groups',
      queries: [[of_node('allocd_node_iommu_groups'), '{{kind}} {{instance}}']],
      description: 'Groups of devices by how their DMA is mapped. Bad: a kind that changes at a boot nobody planned. ' +
        'Metric: allocd_node_iommu_groups.',
    }),
    lines({
      title: 'Pages pinned for devices', width: 12, height: 7, unit: 'short', no_value: 'the kernel does not count them',
      queries: [[`${of_node('allocd_node_pinned_pages_acquired_total')} - ${of_node('allocd_node_pinned_pages_released_total')}`, '{{instance}}']],
      description: 'Pages that drivers hold for DMA: acquired less released. Bad: a level that climbs for days; a driver or engine does not let ' +
        'go. Metrics: allocd_node_pinned_pages_acquired_total, allocd_node_pinned_pages_released_total.',
    }),
  ];
}

function page_cache() {
  return [
    lines({
      title: 'Model files in the page cache', width: 12, height: 8, unit: 'percentunit', max: 1, no_value: 'no model_paths: are configured',
      queries: [[`${of_node('allocd_model_files_cached_bytes')} / ${of_node('allocd_model_files_bytes')}`, '{{policy}} {{instance}}']],
      description: 'Share of the model files that is in memory. Bad: a fall under load: memory is short, and the next start reads from disk. ' +
        'Metrics: allocd_model_files_cached_bytes, allocd_model_files_bytes.',
    }),
    table({
      title: 'Model files', width: 12, height: 8, no_value: 'no model_paths: are configured',
      queries: [
        `max by (instance, policy) (${of_node('allocd_model_files')})`,
        `max by (instance, policy) (${of_node('allocd_model_files_bytes')})`,
        `max by (instance, policy) (${of_node('allocd_model_files_cached_bytes')})`,
        `sum by (instance, policy) (${of_node('allocd_model_files_unreadable')})`,
        `max by (instance, policy) (${of_node('allocd_model_files_complete')})`,
      ],
      columns: [
        { field: 'instance', name: 'Node' },
        { field: 'policy', name: 'Service' },
        { field: 'Value #A', name: 'Files', unit: 'short' },
        { field: 'Value #B', name: 'Size', unit: 'bytes' },
        { field: 'Value #C', name: 'In memory', unit: 'bytes' },
        { field: 'Value #D', name: 'Unreadable', unit: 'short', steps: steps('text', [1, attend]) },
        { field: 'Value #E', name: 'All looked at', words: yes_no_words },
      ],
      description: 'Files named by model_paths: of each service. Bad: unreadable ones (their cache is told to their owner only) and an ' +
        'incomplete look. Metrics: allocd_model_files, _bytes, _cached_bytes, _unreadable, _complete.',
    }),
  ];
}

export function node(): Board {
  return board({
    uid: 'allocd-node', title: 'allocd node', unit_variable: true,
    description: 'One machine: what was declared of it, its memory, huge pages, NUMA, IOMMU and the page cache of model files.',
    panels: [
      row('Is this machine in order'),
      ...first_row(),
      ...declared_and_units(),
      row('Memory and pressure'),
      ...memory(),
      row('Huge pages'),
      ...huge_pages(),
      row('NUMA, IOMMU and pinned memory'),
      ...numa_and_devices(),
      row('Page cache of model files'),
      ...page_cache(),
    ],
  });
}
