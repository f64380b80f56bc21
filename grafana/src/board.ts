// SPDX-License-Identifier: Apache-2.0
// The frame that all boards share: variables, events, links to the others, and where each panel stands.

import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';

import type { Panel } from './panels.js';
import { of_node, of_unit } from './queries.js';

export type Board = dashboard.Dashboard;
type Variable = { build(): dashboard.VariableModel };

/** The form the panels are in; a newer Grafana brings them up to its own. */
const oldest_grafana = '10.0.0';
const datasource = { type: 'prometheus', uid: '${datasource}' };
const all = { selected: true, text: 'All', value: '$__all' };

interface Frame {
  uid: string;
  title: string;
  description: string;
  panels: Panel[];
  unit_variable: boolean;
  /** One unit at a time, for boards on which several mean nothing. */
  one_unit?: boolean;
  /** Restarts of units are of interest on a board about units. */
  unit_events?: boolean;
  variables?: Variable[];
}

/**
 * Values of a label. All stands for any value, but of `job` for those that are allocd's: `up` and what engines export
 * have the same labels.
 */
function labels(name: string, label: string, selector: string, only_one = false): Variable {
  const variable = new dashboard.QueryVariableBuilder(name)
    .label(label).datasource(datasource)
    .query({ query: `label_values(${selector}, ${name})`, refId: `${name}-values` } as never)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc);
  if (only_one) return variable;
  variable.multi(true).includeAll(true).current(all);
  return name === 'job' ? variable : variable.allValue('.+');
}

/** A choice among fixed values. */
export function choice(name: string, label: string, values: string[], chosen: string): Variable {
  return new dashboard.CustomVariableBuilder(name)
    .label(label).values(values.join(','))
    .options(values.map((value) => ({ selected: value === chosen, text: value, value })))
    .current({ selected: true, text: chosen, value: chosen });
}

/** The value of a query as text, for what PromQL takes as a constant only. */
export function hidden_number(name: string, expr: string): Variable {
  return new dashboard.QueryVariableBuilder(name)
    .label(name).datasource(datasource).hide(dashboard.VariableHide.HideVariable)
    .query({ query: `query_result(${expr})`, refId: `${name}-value` } as never)
    .regex('/ (-?[0-9]+) [0-9.]+$/')
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.Disabled);
}

/** The SDK gives every kind of variable what belongs to intervals. */
function without_intervals(variable: dashboard.VariableModel): dashboard.VariableModel {
  const { auto: _auto, auto_min: _min, auto_count: _count, ...rest } = variable as dashboard.VariableModel & Record<string, unknown>;
  return rest as dashboard.VariableModel;
}

function variables(frame: Frame): Variable[] {
  const scraped = 'allocd_exporter_build_info';
  const out: Variable[] = [
    new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    labels('job', 'Job', scraped),
    labels('instance', 'Node', `${scraped}{job=~"$job"}`),
  ];
  if (frame.unit_variable) out.push(labels('unit', 'Unit', of_node('allocd_unit_up'), frame.one_unit));
  return [...out, ...(frame.variables ?? [])];
}

function event(name: string, color: string, expr: string, title: string, text: string): dashboard.AnnotationQuery {
  // The value of the query is the moment of the event, in milliseconds, however seldom it is asked.
  return {
    name, enable: true, hide: false, iconColor: color, datasource,
    expr, titleFormat: title, textFormat: text, tagKeys: 'instance', step: '5m', useValueForTime: 'on',
  } as unknown as dashboard.AnnotationQuery;
}

function events(frame: Frame): dashboard.AnnotationQuery[] {
  const changed = of_node('allocd_enforcer_last_run_changes');
  const out = [
    event('Policy applied', 'purple',
      `1000 * ${of_node('allocd_enforcer_last_run_timestamp_seconds')} and on (job, instance, verb) ${changed} > 0`,
      'Policy written or taken back', 'allocd-enforcer, {{verb}}, on {{instance}}'),
    event('allocd started', 'blue',
      `1000 * ${of_node('allocd_observer_start_time_seconds')} * on (job, instance) group_left (version) ${of_node('allocd_build_info')}`,
      'allocd started', 'version {{version}} on {{instance}}'),
  ];
  if (frame.unit_events) {
    out.unshift(event('Unit started', 'yellow', `1000 * ${of_unit('allocd_unit_start_time_seconds')}`, 'Unit started', '{{unit}} on {{instance}}'));
  }
  return out;
}

/** Panels from left to right, a new line when the next one does not fit; ids by place, so that links to a panel hold. */
function placed(panels: Panel[]): (dashboard.Panel | dashboard.RowPanel)[] {
  let x = 0;
  let y = 0;
  let tallest = 0;
  const next_line = () => {
    x = 0;
    y += tallest;
    tallest = 0;
  };
  return panels.map((one, index) => {
    if ('row' in one) {
      next_line();
      const row = new dashboard.RowBuilder(one.row).build();
      const out = { ...row, id: index + 1, collapsed: false, panels: [], gridPos: { x: 0, y, w: 24, h: 1 } };
      y += 1;
      return out;
    }
    if (x + one.width > 24) next_line();
    const height = one.panel.gridPos!.h;
    const out = { ...one.panel, id: index + 1, pluginVersion: oldest_grafana, gridPos: { x, y, w: one.width, h: height } };
    x += one.width;
    tallest = Math.max(tallest, height);
    return out;
  });
}

export function board(frame: Frame): Board {
  const builder = new dashboard.DashboardBuilder(frame.title)
    .uid(frame.uid).description(frame.description).tags(['allocd']).id(null as never).version(1)
    .readonly().tooltip(dashboard.DashboardCursorSync.Crosshair).timezone('browser')
    .time({ from: 'now-7d', to: 'now' }).refresh('1m')
    .timepicker(new dashboard.TimePickerBuilder().refreshIntervals(['1m', '5m', '15m', '1h']));
  variables(frame).forEach((variable) => builder.withVariable(variable));
  const out = builder.build();
  out.templating = { list: out.templating!.list!.map(without_intervals) };
  out.annotations = { list: events(frame) };
  // A placement would hide them in a menu.
  const { placement: _, ...siblings } = new dashboard.DashboardLinkBuilder('allocd')
    .type(dashboard.DashboardLinkType.Dashboards).tags(['allocd']).asDropdown(false)
    .keepTime(true).includeVars(true).targetBlank(false).build();
  out.links = [siblings];
  out.panels = placed(frame.panels);
  return out;
}
