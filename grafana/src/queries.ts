// SPDX-License-Identifier: Apache-2.0
// PromQL that more than one board needs. Every selector of the boards is made here, so that each of them is
// bound to the variables of its board; `tests/dashboards` executes what comes out.

export const node_scope = 'job=~"$job", instance=~"$instance"';
export const unit_scope = `${node_scope}, unit=~"$unit"`;

/** A metric of the machine or of allocd itself, bound to job and instance. */
export function of_node(metric: string, more = ''): string {
  return `${metric}{${node_scope}${more && `, ${more}`}}`;
}

/** A metric of units, bound to job, instance and unit. */
export function of_unit(metric: string, more = ''): string {
  return `${metric}{${unit_scope}${more && `, ${more}`}}`;
}

/** How many series hold; 0 where there is none, so that a tile can say "none" and stay apart from "no data". */
export function count_or_0(expr: string, alive: string): string {
  return `count(${expr}) or 0 * count(${alive})`;
}

/** Rate of a counter, as long a window as the scrape interval and the width of the panel ask for. */
export function rate(selector: string): string {
  return `rate(${selector}[$__rate_interval])`;
}

/** One number for a state set: the code of the state that is 1; the worst one over whatever `by` leaves out. */
export function state_code(metric: string, scope: string, codes: Record<string, number>, by: string, label = 'state'): string {
  const each = Object.entries(codes).map(([state, code]) => `${code} * (${metric}{${scope}, ${label}="${state}"} == 1)`);
  return `max by (${by}) (${each.join(' or ')})`;
}

/** Only the series whose labels `by` have been in `condition` at some time of the range that is looked at. */
export function ever(series: string, condition: string, by: string): string {
  return `${series} and on (${by}) max_over_time(${condition}[$__range] @ end()) == 1`;
}

/**
 * A latency or a queue of an engine, one name across engines (config/prometheus/allocd-engines.rules.yaml). The engine
 * is scraped by a job of its own; what it has in common with allocd are `instance`, the bare name of the host, and `unit`.
 */
export function of_engine(metric: string): string {
  return `${metric}{instance=~"$instance", unit=~"$unit"}`;
}
