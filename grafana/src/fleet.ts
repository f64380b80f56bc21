// SPDX-License-Identifier: Apache-2.0
// The fleet: is anything wrong, where, and what to do. To be read from a distance, top to bottom.

import { board, type Board } from './board.js';
import { verdict, what_to_do } from './lines.js';
import { lines, row, stat, table, timeline } from './panels.js';
import { count_or_0, ever, of_node, of_unit, state_code, unit_scope } from './queries.js';
import {
  attend, bad, drift_codes, drift_words, good, none_or, policy_codes, policy_words, steps, urgency_words, worst,
} from './words.js';

const policy_state = 'allocd_unit_policy_state';
const drift_state = 'allocd_unit_drift_state';

function verdict_row() {
  return [
    stat({
      title: 'Verdict', width: 6, height: 5, unit: 'none', no_value: 'No node is scraped', query: verdict(),
      description:
        'The most urgent line of "What to do" below. Bad: anything but "nothing to do". Act on the list from the top. ' +
        'Made of up, allocd_observer_up, allocd_unit_policy_state, allocd_unit_drift_state and allocd_node_expectation_state.',
      words: { 0: { text: 'Nothing to do', color: good }, ...Object.fromEntries(
        [[1, 'When you can'], [2, 'Look today'], [3, 'Act now']].map(([code, text]) =>
          [code, { text: text as string, color: urgency_words[code as number]!.color }])) },
    }),
    stat({
      title: 'Silent nodes', width: 3, height: 5, unit: 'short', no_value: 'no data', link: 'allocd-self',
      query: count_or_0(`${of_node('up')} == 0 or ${of_node('allocd_observer_up')} == 0`, of_node('up')), ...words_of(none_or(worst)),
      description:
        'Nodes whose exporter or observer does not answer: of their units nothing is known. Look at allocd on the node ' +
        '(board "allocd itself"). Metrics: up, allocd_observer_up.',
    }),
    stat({
      title: 'Off policy', width: 3, height: 5, unit: 'short', no_value: 'no data', link: 'allocd-service',
      query: count_or_0(`${of_unit(policy_state, 'state=~"violation|rolled_back|not_applied|not_enforceable"')} == 1`, of_unit(policy_state)),
      ...words_of(none_or(worst)),
      description:
        'Units whose malloc is not what their policy asks for, and that a restart alone will not mend. The list says which, and what ' +
        'to do. Metric: allocd_unit_policy_state.',
    }),
    stat({
      title: 'Restart due', width: 3, height: 5, unit: 'short', no_value: 'no data', link: 'allocd-service',
      query: count_or_0(`${of_unit(policy_state, 'state="pending_restart"')} == 1`, of_unit(policy_state)), ...words_of(none_or(attend)),
      description:
        'Units that were started before their setting was written: restart them in their window. Bad when it lasts for days. ' +
        'Metrics: allocd_unit_policy_state, allocd_unit_pending_restart_seconds.',
    }),
    stat({
      title: 'Drifting', width: 3, height: 5, unit: 'short', no_value: 'no unit watched', link: 'allocd-service',
      query: count_or_0(`${of_unit(drift_state, 'state=~"drift|exhaustion"')} == 1`, of_unit(drift_state)), ...words_of(none_or(bad)),
      description:
        'Units whose memory at its quietest rises day by day, or that will meet their limit within hours. Look at the unit, then run ' +
        'allocctl drift. Metric: allocd_unit_drift_state.',
    }),
    stat({
      title: 'Cannot be read', width: 3, height: 5, unit: 'short', no_value: 'no data', link: 'allocd-service',
      query: count_or_0(`${of_unit(policy_state, 'state="unknown"')} == 1`, of_unit(policy_state)), ...words_of(none_or(bad)),
      description:
        'Units of which nothing could be proved: neither compliant nor not. allocctl explain says what stood in the way. ' +
        'Metric: allocd_unit_policy_state.',
    }),
    stat({
      title: 'Not as declared', width: 3, height: 5, unit: 'short', no_value: 'nothing declared', link: 'allocd-node',
      query: count_or_0(`${of_node('allocd_node_expectation_state', 'state="missed"')} == 1`, of_node('allocd_node_expectation_state')),
      ...words_of(none_or(bad)),
      description:
        'Settings of machines (THP, NUMA, hugepages, IOMMU, limits) that are not what node: expect: declares. allocctl node on the ' +
        'machine says which. Metric: allocd_node_expectation_state.',
    }),
  ];
}

function words_of(of: ReturnType<typeof none_or>) {
  return { words: of.mappings, steps: of.steps };
}

function to_do() {
  return table({
    title: 'What to do', width: 24, height: 9, no_value: 'Nothing to do',
    description:
      'Everything that is wrong in the nodes and units chosen above, the most urgent first, with the command that leads on. ' +
      'An empty list is the good one. Click a node or a unit to see it. Metrics: as for the verdict.',
    queries: [what_to_do()],
    columns: [
      { field: 'Value', name: 'Act', words: urgency_words, width: 130, fill: true },
      { field: 'instance', name: 'Node', width: 210, link: 'allocd-node' },
      { field: 'unit', name: 'Unit', width: 240, link: 'allocd-service' },
      { field: 'problem', name: 'What is wrong', width: 460 },
      { field: 'action', name: 'What to do' },
    ],
    sort: { by: 'Act', descending: true },
  });
}

function over_time() {
  const off = of_unit(policy_state, 'state!~"compliant|exempt|inactive"');
  const growing = of_unit(drift_state, 'state!~"normal|warming"');
  return [
    timeline({
      title: 'Units off policy, and since when', width: 12, height: 9, no_value: 'No unit was off policy in this time',
      query: ever(state_code(policy_state, unit_scope, policy_codes, 'instance, unit'), off, 'instance, unit'),
      legend: '{{unit}} {{instance}}', words: policy_words,
      description:
        'State against the policy over time, of units that were not in order at some time of it. Bad: red or orange at the right ' +
        'edge. allocctl explain names the link that broke. Metric: allocd_unit_policy_state.',
    }),
    timeline({
      title: 'Units that grew, and since when', width: 12, height: 9, no_value: 'No unit drifted in this time',
      query: ever(state_code(drift_state, unit_scope, drift_codes, 'instance, unit'), growing, 'instance, unit'),
      legend: '{{unit}} {{instance}}', words: drift_words,
      description:
        'Verdict on memory drift over time, of units that were not normal at some time of it. Bad: orange (a day-by-day rise) and red ' +
        '(the limit is hours away). See the unit, then allocctl drift. Metric: allocd_unit_drift_state.',
    }),
  ];
}

function growth_table() {
  const day = 86400;
  return table({
    title: 'Memory of units, fastest growing first', width: 24, height: 10, no_value: 'No unit is watched for drift',
    description:
      'What each unit holds now and at its quietest, how much the floor rises in a day, and when it meets its limit at that rate. Bad: a ' +
      'rise that goes on, and a limit that is days away (none is shown that is more than a year away). Memory is anonymous and swapped-out memory of its processes. Metrics: ' +
      'allocd_unit_drift_memory_bytes, _floor_bytes, _slope_bytes_per_second, _time_to_limit_seconds, _state.',
    queries: [
      state_code(drift_state, unit_scope, drift_codes, 'instance, unit'),
      `max by (instance, unit) (${of_unit('allocd_unit_drift_memory_bytes')})`,
      `max by (instance, unit) (${of_unit('allocd_unit_drift_floor_bytes')})`,
      `${day} * max by (instance, unit) (${of_unit('allocd_unit_drift_slope_bytes_per_second')})`,
      `max by (instance, unit) (${of_unit('allocd_unit_drift_time_to_limit_seconds')} < 365 * ${day})`,
      state_code(policy_state, unit_scope, policy_codes, 'instance, unit'),
    ],
    columns: [
      { field: 'instance', name: 'Node', width: 210, link: 'allocd-node' },
      { field: 'unit', name: 'Unit', width: 260, link: 'allocd-service' },
      { field: 'Value #A', name: 'Drift', words: drift_words, width: 130, fill: true },
      { field: 'Value #B', name: 'Holds now', unit: 'bytes' },
      { field: 'Value #C', name: 'At its quietest', unit: 'bytes' },
      { field: 'Value #D', name: 'Floor rises a day', unit: 'bytes' },
      { field: 'Value #E', name: 'Limit in', unit: 's', steps: steps(worst, [86400, bad], [14 * 86400, 'text']) },
      { field: 'Value #F', name: 'Policy', words: policy_words, width: 150, fill: true },
    ],
    sort: { by: 'Floor rises a day', descending: true },
  });
}

function node_table() {
  const count = (state: string) =>
    `sum by (instance) (${of_unit(policy_state, `state=~"${state}"`)})`;
  return table({
    title: 'Nodes', width: 24, height: 6, no_value: 'No node is scraped',
    description:
      'One line for each node. Bad: an observer that does not answer, units off policy, little memory available, a machine that is not as ' +
      'declared. Click a node to see it. Metrics: up, allocd_observer_up, allocd_unit_up, allocd_unit_policy_state, allocd_unit_drift_state, ' +
      'allocd_node_expectation_state, allocd_node_memory_available_bytes, _total_bytes, allocd_snapshot_timestamp_seconds.',
    queries: [
      `max by (instance) (${of_node('allocd_observer_up')}) or 0 * max by (instance) (${of_node('up')})`,
      `count by (instance) (${of_unit('allocd_unit_up')})`,
      count('violation|rolled_back|not_applied|not_enforceable'),
      count('pending_restart'),
      count('unknown'),
      `sum by (instance) (${of_unit(drift_state, 'state=~"drift|exhaustion"')})`,
      `sum by (instance) (${of_node('allocd_node_expectation_state', 'state="missed"')})`,
      `max by (instance) (${of_node('allocd_node_memory_available_bytes')} / ${of_node('allocd_node_memory_total_bytes')})`,
      `max by (instance) (time() - ${of_node('allocd_snapshot_timestamp_seconds')})`,
    ],
    columns: [
      { field: 'instance', name: 'Node', width: 240, link: 'allocd-node' },
      { field: 'Value #A', name: 'Observer', words: { 0: { text: 'silent', color: worst }, 1: { text: 'up', color: good } }, fill: true, width: 110 },
      { field: 'Value #B', name: 'Units', unit: 'short' },
      { field: 'Value #C', name: 'Off policy', unit: 'short', steps: steps('text', [1, worst]) },
      { field: 'Value #D', name: 'Restart due', unit: 'short', steps: steps('text', [1, attend]) },
      { field: 'Value #E', name: 'Cannot be read', unit: 'short', steps: steps('text', [1, bad]) },
      { field: 'Value #F', name: 'Drifting', unit: 'short', steps: steps('text', [1, bad]) },
      { field: 'Value #G', name: 'Not as declared', unit: 'short', steps: steps('text', [1, bad]) },
      { field: 'Value #H', name: 'Memory available', unit: 'percentunit', steps: steps(worst, [0.05, bad], [0.1, 'text']) },
      { field: 'Value #I', name: 'Last sample', unit: 's', steps: steps('text', [120, bad], [600, worst]) },
    ],
    sort: { by: 'Off policy', descending: true },
  });
}

export function fleet(): Board {
  return board({
    uid: 'allocd-fleet', title: 'allocd fleet', unit_variable: true,
    description: 'Is anything wrong with the allocators and the memory of the inference fleet, where, and what to do.',
    panels: [
      row('Is anything wrong, and what to do'),
      ...verdict_row(),
      to_do(),
      row('Since when'),
      ...over_time(),
      row('Units and nodes'),
      growth_table(),
      node_table(),
      row('The fleet over time'),
      lines({
        title: 'Units by state', width: 12, height: 8, unit: 'short', stacked: true, no_value: 'no data',
        queries: [[`sum by (state) (${of_unit(policy_state)}) > 0`, '{{state}}']], colors_of: policy_codes, words: policy_words,
        description:
          'How many units are in which state against their policy. Good: all compliant or exempt. A step shows a rollout, or what undid ' +
          'it. Metric: allocd_unit_policy_state.',
      }),
      lines({
        title: 'Memory of inference services, by node', width: 12, height: 8, unit: 'bytes', no_value: 'no unit is watched for drift',
        queries: [[`sum by (instance) (${of_unit('allocd_unit_drift_memory_bytes')})`, '{{instance}}']],
        description:
          'Anonymous and swapped-out memory of all units of a node. Bad: a line that climbs for days without more load. Look at the table ' +
          'above for the unit. Metric: allocd_unit_drift_memory_bytes.',
      }),
    ],
  });
}
