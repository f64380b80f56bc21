// SPDX-License-Identifier: Apache-2.0
// "What to do": each thing that can be wrong, as a query whose series are the places where it is, with the
// words an operator reads. The verdict of the fleet and the list below it are both made from this table.

import { of_node, of_unit, rate } from './queries.js';

interface Line {
  urgency: 1 | 2 | 3;
  /** Series that exist where it is wrong; their values do not matter. */
  where: string;
  problem: string;
  action: string;
  /** The label that `$1` stands for in both texts. */
  names?: string;
}

function policy(state: string): string {
  return `${of_unit('allocd_unit_policy_state', `state="${state}"`)} == 1`;
}

function drift(state: string): string {
  return `${of_unit('allocd_unit_drift_state', `state="${state}"`)} == 1`;
}

const lines: Line[] = [
  {
    urgency: 3, where: `${of_node('up')} == 0`,
    problem: 'allocd does not answer', action: 'systemctl status allocd-exporter.socket allocd-exporter',
  },
  {
    urgency: 3, where: `${of_node('allocd_observer_up')} == 0`,
    problem: 'the observer is silent: nothing is known of the units', action: 'systemctl status allocd; journalctl -u allocd',
  },
  {
    urgency: 3, where: `${of_node('allocd_node_memory_available_bytes')} / ${of_node('allocd_node_memory_total_bytes')} < 0.05`,
    problem: 'less than 5 % of the memory is available', action: 'stop or restart what holds it: board "allocd node"',
  },
  {
    urgency: 2, where: `${rate(of_node('allocd_node_memory_pressure_stalled_seconds_total'))} > 0.05`,
    problem: 'all tasks wait for memory over 5 % of the time', action: 'see which unit holds it: board "allocd node"',
  },
  {
    urgency: 2, where: `${of_node('allocd_node_expectation_state', 'state="missed"')} == 1`, names: 'key',
    problem: 'the machine is not as declared: $1', action: 'allocctl node',
  },
  {
    urgency: 2, where: `${of_node('allocd_collector_success')} == 0`, names: 'collector',
    problem: 'allocd cannot read: $1', action: 'journalctl -u allocd; board "allocd itself"',
  },
  {
    urgency: 2, where: `${of_node('allocd_config_last_reload_successful')} == 0`,
    problem: 'the configuration on disk is refused, an older one is in force', action: 'allocctl check-config',
  },
  {
    urgency: 3, where: drift('exhaustion'), names: 'unit',
    problem: 'its memory limit is hours away', action: 'restart it before the kernel does, then: allocctl drift $1',
  },
  {
    urgency: 3, where: policy('violation'), names: 'unit',
    problem: 'malloc is not the one its policy asks for', action: 'allocctl explain $1',
  },
  {
    urgency: 3, where: policy('rolled_back'), names: 'unit',
    problem: 'its drop-in was taken back', action: 'allocctl explain $1; journalctl -u $1',
  },
  {
    urgency: 2, where: drift('drift'), names: 'unit',
    problem: 'what it holds at its quietest rises day by day', action: 'allocctl drift $1',
  },
  {
    urgency: 2, where: policy('unknown'), names: 'unit',
    problem: 'it cannot be read: nothing is proved of it', action: 'allocctl explain $1',
  },
  {
    urgency: 2, where: policy('not_applied'), names: 'unit',
    problem: 'nothing sets the allocator its policy asks for', action: 'allocctl plan; allocctl apply $1',
  },
  {
    urgency: 2, where: policy('not_enforceable'), names: 'unit',
    problem: 'its payload runs where no drop-in reaches', action: 'set it in the container: allocctl explain $1',
  },
  {
    urgency: 2, where: `${of_unit('allocd_unit_drop_in_state', 'state=~"tampered|foreign"')} == 1`, names: 'unit',
    problem: 'its drop-in is not as allocd wrote it', action: 'allocctl plan; allocctl apply $1',
  },
  {
    urgency: 2, where: `${of_unit('allocd_unit_processes_library_off_disk')} > 0`, names: 'unit',
    problem: 'its allocator library was replaced on disk while it runs', action: 'restart it in its window: systemctl restart $1',
  },
  {
    urgency: 1, where: policy('pending_restart'), names: 'unit',
    problem: 'a restart is due', action: 'in its window: systemctl restart $1',
  },
  {
    urgency: 1, where: drift('watch'), names: 'unit',
    problem: 'its floor rose over the last day', action: 'nothing yet; tomorrow: allocctl drift $1',
  },
];

function worded(line: Line): string {
  const source = line.names ?? '';
  const pattern = line.names ? '(.*)' : '';
  const place = `${line.urgency} * ((${line.where}) * 0 + 1)`;
  const problem = `label_replace(${place}, "problem", ${JSON.stringify(line.problem)}, "${source}", "${pattern}")`;
  return `label_replace(${problem}, "action", ${JSON.stringify(line.action)}, "${source}", "${pattern}")`;
}

/** One series for each thing that is wrong at a place; its value is how soon to act. */
export function what_to_do(): string {
  return `max by (instance, unit, problem, action) (\n  ${lines.map(worded).join('\n  or\n  ')}\n)`;
}

/** The most urgent of them, 0 when there is none, absent when nothing is heard of the fleet at all. */
export function verdict(): string {
  // Lines about nodes differ in nothing but their value, and `or` keeps the first.
  const places = [...lines].sort((a, b) => b.urgency - a.urgency).map((line) => `${line.urgency} * ((${line.where}) * 0 + 1)`);
  return `max(\n  ${places.join('\n  or\n  ')}\n  or\n  0 * ${of_node('up')}\n)`;
}
