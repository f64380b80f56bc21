// SPDX-License-Identifier: Apache-2.0
// allocd itself: does it see, how old is what it says, and what does it cost.

import { board, type Board } from './board.js';
import { lines, row, stat, table, timeline } from './panels.js';
import { count_or_0, of_node, rate } from './queries.js';
import { attend, bad, good, none_or, steps, worst, yes_no_words } from './words.js';

function tile(of: ReturnType<typeof none_or>) {
  return { words: of.mappings, steps: of.steps };
}

function first_row() {
  return [
    stat({
      title: 'Nodes not scraped', width: 4, height: 4, unit: 'short', no_value: 'no such job in Prometheus', ...tile(none_or(worst)),
      query: count_or_0(`${of_node('up')} == 0`, of_node('up')),
      description: 'Targets that did not answer. Bad: any. systemctl status allocd-exporter.socket on the node. Metric: up.',
    }),
    stat({
      title: 'Silent observers', width: 4, height: 4, unit: 'short', no_value: 'no exporter answers', ...tile(none_or(worst)),
      query: count_or_0(`${of_node('allocd_observer_up')} == 0`, of_node('allocd_observer_up')),
      description: 'Exporters that answer but have no fresh sample. Bad: any. journalctl -u allocd. Metric: allocd_observer_up.',
    }),
    stat({
      title: 'Oldest sample', width: 4, height: 4, unit: 's', no_value: 'no sample', decimals: 0, steps: steps(good, [60, attend], [300, worst]),
      query: `max(time() - ${of_node('allocd_snapshot_timestamp_seconds')})`,
      description: 'Age of the oldest sample of the nodes chosen, at the last scrape. Bad: over three sample intervals and a scrape. ' +
        'Metric: allocd_snapshot_timestamp_seconds.',
    }),
    stat({
      title: 'Failing collectors', width: 4, height: 4, unit: 'short', no_value: 'no sample', ...tile(none_or(bad)),
      query: count_or_0(`${of_node('allocd_collector_success')} == 0`, of_node('allocd_collector_success')),
      description: 'Parts of the last samples that failed: what they read is missing. The table below has them. ' +
        'Metric: allocd_collector_success.',
    }),
    stat({
      title: 'Not permitted', width: 4, height: 4, unit: 'short', no_value: 'no sample', ...tile(none_or(bad)),
      query: `sum(${of_node('allocd_collector_permission_errors')})`,
      description: 'Things allocd may not read. Bad: any but of page_cache, where a file’s owner may keep it to himself. CAP_SYS_PTRACE lost? ' +
        'Metric: allocd_collector_permission_errors.',
    }),
    stat({
      title: 'Refused configurations', width: 4, height: 4, unit: 'short', no_value: 'no sample', ...tile(none_or(bad)),
      query: count_or_0(`${of_node('allocd_config_last_reload_successful')} == 0`, of_node('allocd_config_last_reload_successful')),
      description: 'Nodes whose configuration on disk was refused: an older one is in force. allocctl check-config on the node. ' +
        'Metric: allocd_config_last_reload_successful.',
    }),
  ];
}

function tables() {
  return [
    table({
      title: 'Collectors', width: 13, height: 9, no_value: 'no sample',
      queries: [
        `min by (instance, collector) (${of_node('allocd_collector_success')})`,
        `max by (instance, collector) (${of_node('allocd_collector_permission_errors')})`,
        `max by (instance, collector) (increase(${of_node('allocd_collector_errors_total')}[$__range]))`,
        `max by (instance, collector) (time() - ${of_node('allocd_collector_last_success_timestamp_seconds')})`,
        `max by (instance, collector) (${of_node('allocd_collector_duration_seconds')})`,
      ],
      columns: [
        { field: 'instance', name: 'Node', width: 110 },
        { field: 'collector', name: 'Collector', width: 140 },
        { field: 'Value #A', name: 'Works', words: yes_no_words, fill: true, width: 80 },
        { field: 'Value #B', name: 'Not permitted', unit: 'short', steps: steps('text', [1, attend]) },
        { field: 'Value #C', name: 'Errors', unit: 'short', decimals: 0, steps: steps('text', [1, attend]) },
        { field: 'Value #D', name: 'Worked before', unit: 's' },
        { field: 'Value #E', name: 'Took', unit: 's' },
      ],
      sort: { by: 'Works', descending: false },
      description: 'Each part of the observer’s work: whether it worked last, what it may not read, errors in the time chosen. Bad: red; ' +
        'journalctl -u allocd names the file. Metrics: allocd_collector_success, _permission_errors, _errors_total, ' +
        '_last_success_timestamp_seconds, _duration_seconds.',
    }),
    table({
      title: 'Versions and last plan', width: 11, height: 9, no_value: 'no node is scraped',
      queries: [
        `max by (instance, version, revision) (${of_node('allocd_build_info')})`,
        `max by (instance) (time() - ${of_node('allocd_observer_start_time_seconds')})`,
        `max by (instance) (time() - ${of_node('allocd_enforcer_last_plan_timestamp_seconds')})`,
        `max by (instance) (${of_node('allocd_enforcer_last_plan_changes')})`,
        `max by (instance) (${of_node('allocd_enforcer_last_plan_blocked')})`,
      ],
      columns: [
        { field: 'instance', name: 'Node', width: 110 },
        { field: 'version', name: 'Version' },
        { field: 'revision', name: 'Revision' },
        { field: 'Value #B', name: 'Observer up for', unit: 's' },
        { field: 'Value #C', name: 'Last plan', unit: 's' },
        { field: 'Value #D', name: 'Would change', unit: 'short', steps: steps('text', [1, attend]) },
        { field: 'Value #E', name: 'Blocked', unit: 'short', steps: steps('text', [1, bad]) },
      ],
      sort: { by: 'Node', descending: false },
      description: 'What runs where, and the enforcer’s last plan for more than single units. Bad: versions that differ for long, blocked ' +
        'policies (allocctl plan says by what). Metrics: allocd_build_info, allocd_observer_start_time_seconds, ' +
        'allocd_enforcer_last_plan_timestamp_seconds, _changes, _blocked.',
    }),
  ];
}

function cost() {
  return [
    lines({
      title: 'CPU of the observer', width: 8, height: 8, unit: 'percentunit', no_value: 'no sample',
      queries: [[rate(of_node('allocd_observer_cpu_seconds_total')), '{{instance}}']],
      description: 'Share of one core. Bad: above 1 % for long: too many processes or costly reads. See "Time of collectors". ' +
        'Metric: allocd_observer_cpu_seconds_total.',
    }),
    lines({
      title: 'Memory of the observer', width: 8, height: 8, unit: 'bytes', no_value: 'no sample',
      queries: [[of_node('allocd_observer_resident_memory_bytes'), '{{instance}}']],
      description: 'Resident memory. Bad: a climb for days with the same units: report it, allocd should not drift itself. ' +
        'Metric: allocd_observer_resident_memory_bytes.',
    }),
    lines({
      title: 'Time and lateness of samples', width: 8, height: 8, unit: 's', no_value: 'no sample',
      queries: [
        [of_node('allocd_sample_duration_seconds'), 'took {{instance}}'],
        [of_node('allocd_sample_lateness_seconds'), 'began late by {{instance}}'],
      ],
      description: 'Wall time of a sample, and how late it began. Bad: seconds; the machine is starved of CPU or systemd does not answer. ' +
        'Metrics: allocd_sample_duration_seconds, allocd_sample_lateness_seconds.',
    }),
    lines({
      title: 'Time of collectors', width: 12, height: 8, unit: 's', no_value: 'no sample',
      queries: [[`max by (collector) (${of_node('allocd_collector_duration_seconds')})`, '{{collector}}']],
      description: 'Wall time of each part, of the slowest node. Bad: seconds for anything but page_cache and costly. ' +
        'Metric: allocd_collector_duration_seconds.',
    }),
    lines({
      title: 'Costly reads', width: 12, height: 8, unit: 'percentunit', no_value: 'no sample',
      queries: [[rate(of_node('allocd_costly_read_seconds_total')), '{{instance}}']],
      description: 'Share of the time spent in files that walk page tables, all inside a process’s memory lock at worst. 0 unless a service asks ' +
        'for them; bad: above 0.1 %. Metric: allocd_costly_read_seconds_total.',
    }),
  ];
}

function trouble() {
  return [
    timeline({
      title: 'Observer', width: 12, height: 7, no_value: 'no exporter answers', query: `min by (instance) (${of_node('allocd_observer_up')})`,
      legend: '{{instance}}', words: { 0: { text: 'silent', color: worst }, 1: { text: 'up', color: good } },
      description: 'Whether the observer answered, over time. Bad: red, and gaps (then not even the exporter did). ' +
        'Metric: allocd_observer_up.',
    }),
    lines({
      title: 'Looks given up, systemd and page', width: 12, height: 7, unit: 'ops', no_value: 'no sample',
      queries: [
        [`sum(${rate(of_node('allocd_evidence_deadlines_total'))})`, 'looks given up'],
        [`sum(${rate(of_node('allocd_bus_timeouts_total'))})`, 'systemd did not answer'],
        [`sum(${rate(of_node('allocd_bus_errors_total'))})`, 'systemd refused'],
        [`sum(${rate(of_node('allocd_exporter_snapshot_fetch_errors_total'))})`, 'no snapshot for a page'],
        [`sum(${rate(of_node('allocd_exporter_connections_dropped_total'))})`, 'connections dropped'],
      ],
      description: 'What went wrong on all nodes chosen above, per second. Bad: any that goes on. Metrics: allocd_evidence_deadlines_total, ' +
        'allocd_bus_timeouts_total, allocd_bus_errors_total, allocd_exporter_snapshot_fetch_errors_total, ' +
        'allocd_exporter_connections_dropped_total.',
    }),
    lines({
      title: 'What the enforcer did', width: 24, height: 7, unit: 'short', no_value: 'the enforcer’s manifest cannot be read, or it never ran',
      queries: [
        [`increase(${of_node('allocd_enforcer_applied_total')}[$__rate_interval])`, 'written {{instance}}'],
        [`increase(${of_node('allocd_enforcer_rolled_back_total')}[$__rate_interval])`, 'rolled back {{instance}}'],
        [`increase(${of_node('allocd_enforcer_reverted_total')}[$__rate_interval])`, 'reverted {{instance}}'],
        [`increase(${of_node('allocd_enforcer_restarts_total')}[$__rate_interval])`, 'units restarted {{instance}}'],
      ],
      description: 'Drop-ins written, taken back and removed, units restarted. Bad: anything rolled back. Metrics: ' +
        'allocd_enforcer_applied_total, _rolled_back_total, _reverted_total, _restarts_total.',
    }),
  ];
}

export function self(): Board {
  return board({
    uid: 'allocd-self', title: 'allocd itself', unit_variable: false,
    description: 'allocd’s own health: does it see, how old is what it says, what does it cost.',
    panels: [
      row('Does allocd see'),
      ...first_row(),
      ...tables(),
      row('Trouble over time'),
      ...trouble(),
      row('What it costs'),
      ...cost(),
    ],
  });
}
