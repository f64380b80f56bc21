// SPDX-License-Identifier: Apache-2.0
// The four kinds of panels of the boards, each from what is said of it to what Grafana wants. Kept to features that
// Grafana 10 and its successors share. No panel gets by without title, description, unit and a text for "no value".

import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat_panel from '@grafana/grafana-foundation-sdk/stat';
import * as state_timeline_panel from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table_panel from '@grafana/grafana-foundation-sdk/table';
import * as timeseries_panel from '@grafana/grafana-foundation-sdk/timeseries';

import { steps as thresholds_of, type Step, type Word } from './words.js';

export type Panel = { row: string } | { panel: dashboard.Panel; width: number };

interface Common {
  title: string;
  description: string;
  width: number;
  height: number;
  no_value: string;
}

type Words = Record<number, Word>;

const datasource = { type: 'prometheus', uid: '${datasource}' };

export function row(title: string): Panel {
  return { row: title };
}

function mappings_of(words: Words | undefined): dashboard.ValueMapping[] {
  if (!words) return [];
  const options = Object.entries(words).map(([value, { text, color }], index) => [value, { text, color, index }]);
  return [{ type: dashboard.MappingType.ValueToText, options: Object.fromEntries(options) }];
}

function thresholds(steps: Step[]): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps as dashboard.Threshold[]);
}

function ref_id(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}

/** To another board, with what is looked at here and what the place of the link names. */
function board_url(uid: string, more: string[]): string {
  return `/d/${uid}?${['${__url_time_range}', '${datasource:queryparam}', '${job:queryparam}', ...more].join('&')}`;
}

interface Stat extends Common {
  query: string;
  unit: string;
  legend?: string;
  words?: Words;
  steps?: Step[];
  decimals?: number;
  /** The uid of the board that a click leads to. */
  link?: string;
  show?: 'value' | 'name';
}

export function stat(of: Stat): Panel {
  const steps = of.steps ?? thresholds_of('text');
  const panel = new stat_panel.PanelBuilder()
    .title(of.title).description(of.description).datasource(datasource)
    .height(of.height).span(of.width)
    .unit(of.unit).noValue(of.no_value).mappings(mappings_of(of.words)).thresholds(thresholds(steps))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .colorMode(of.show === 'name' ? common.BigValueColorMode.None : common.BigValueColorMode.Background)
    .graphMode(common.BigValueGraphMode.None)
    .textMode(of.show === 'name' ? common.BigValueTextMode.Name : common.BigValueTextMode.Value)
    .justifyMode(common.BigValueJustifyMode.Center)
    .orientation(common.VizOrientation.Auto)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))
    .withTarget(new prometheus.DataqueryBuilder()
      .refId('A').expr(of.query).legendFormat(of.legend ?? of.title).instant().datasource(datasource));
  if (of.decimals !== undefined) panel.decimals(of.decimals);
  if (of.link) {
    const url = board_url(of.link, ['${instance:queryparam}']);
    panel.links([new dashboard.DashboardLinkBuilder('Where').type(dashboard.DashboardLinkType.Link).url(url)]);
  }
  return { panel: panel.build(), width: of.width };
}

interface Lines extends Common {
  queries: [expr: string, legend: string][];
  unit: string;
  stacked?: boolean;
  max?: number;
  /** Lines whose legend begins so are drawn thicker. */
  thick?: string[];
  /** Fixed colours for series that are named by a state. */
  colors_of?: Record<string, number>;
  words?: Words;
}

export function lines(of: Lines): Panel {
  const panel = new timeseries_panel.PanelBuilder()
    .title(of.title).description(of.description).datasource(datasource)
    .height(of.height).span(of.width)
    .unit(of.unit).noValue(of.no_value).min(0).thresholds(thresholds(thresholds_of('text')))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.PaletteClassic))
    .drawStyle(common.GraphDrawStyle.Line).lineInterpolation(common.LineInterpolation.Linear)
    .lineWidth(of.stacked ? 1 : 2).fillOpacity(of.stacked ? 35 : 0).showPoints(common.VisibilityMode.Never).spanNulls(false)
    .stacking(new common.StackingConfigBuilder().mode(of.stacked ? common.StackingMode.Normal : common.StackingMode.None).group('A'))
    .legend(new common.VizLegendOptionsBuilder()
      .showLegend(true).displayMode(common.LegendDisplayMode.List).placement(common.LegendPlacement.Bottom).calcs([]))
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending));
  if (of.max !== undefined) panel.max(of.max);
  of.queries.forEach(([expr, legend], index) => panel.withTarget(new prometheus.DataqueryBuilder()
    .refId(ref_id(index)).expr(expr).legendFormat(legend).range().datasource(datasource)));
  const built = panel.build();
  add_line_overrides(built, of);
  return { panel: built, width: of.width };
}

function add_line_overrides(panel: dashboard.Panel, of: Lines): void {
  const overrides = panel.fieldConfig!.overrides;
  for (const start of of.thick ?? []) {
    overrides.push({ matcher: { id: 'byRegexp', options: `/^${start}/` }, properties: [{ id: 'custom.lineWidth', value: 4 }] });
  }
  for (const [state, code] of Object.entries(of.colors_of ?? {})) {
    const word = of.words![code]!;
    overrides.push({
      matcher: { id: 'byName', options: state },
      properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: word.color } }, { id: 'displayName', value: word.text }],
    });
  }
  // A line that says where something ends is no part of what is added up or filled.
  overrides.push({
    matcher: { id: 'byRegexp', options: '/^(limit|total)/' },
    properties: [
      { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } },
      { id: 'color', value: { mode: 'fixed', fixedColor: 'red' } },
    ],
  });
}

interface Timeline extends Common {
  query: string;
  legend: string;
  words: Words;
}

export function timeline(of: Timeline): Panel {
  const panel = new state_timeline_panel.PanelBuilder()
    .title(of.title).description(of.description).datasource(datasource)
    .height(of.height).span(of.width)
    .unit('none').noValue(of.no_value).mappings(mappings_of(of.words)).thresholds(thresholds(thresholds_of('text')))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .mergeValues(true).showValue(common.VisibilityMode.Auto).alignValue(common.TimelineValueAlignment.Left)
    .rowHeight(0.85).lineWidth(0).fillOpacity(80)
    .legend(new common.VizLegendOptionsBuilder()
      .showLegend(true).displayMode(common.LegendDisplayMode.List).placement(common.LegendPlacement.Bottom).calcs([]))
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Single).sort(common.SortOrder.None))
    .withTarget(new prometheus.DataqueryBuilder()
      .refId('A').expr(of.query).legendFormat(of.legend).range().datasource(datasource));
  return { panel: panel.build(), width: of.width };
}

export interface Column {
  /** A label, or the value of a query: Value, or with several queries Value #A, Value #B, ... */
  field: string;
  name: string;
  unit?: string;
  decimals?: number;
  words?: Words;
  steps?: Step[];
  width?: number;
  /** Colours the whole cell, not the text alone. */
  fill?: boolean;
  /** The uid of the board that a click leads to, with node and unit of the line. */
  link?: string;
}

interface Table extends Common {
  queries: string[];
  columns: Column[];
  sort?: { by: string; descending: boolean };
}

export function table(of: Table): Panel {
  const panel = new table_panel.PanelBuilder()
    .title(of.title).description(of.description).datasource(datasource)
    .height(of.height).span(of.width)
    .unit('string').noValue(of.no_value).thresholds(thresholds(thresholds_of('text')))
    .colorScheme(new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds))
    .showHeader(true).cellHeight(common.TableCellHeight.Sm)
    .sortBy(of.sort ? [new common.TableSortByFieldStateBuilder().displayName(of.sort.by).desc(of.sort.descending)] : []);
  of.queries.forEach((expr, index) => panel.withTarget(new prometheus.DataqueryBuilder()
    .refId(ref_id(index)).expr(expr).format(prometheus.PromQueryFormat.Table).instant().datasource(datasource)));
  if (of.queries.length > 1) panel.withTransformation({ id: 'merge', options: {} });
  panel.withTransformation({ id: 'filterFieldsByName', options: { include: { names: of.columns.map((column) => column.field) } } });
  panel.withTransformation({
    id: 'organize',
    options: {
      excludeByName: {},
      indexByName: Object.fromEntries(of.columns.map((column, index) => [column.field, index])),
      renameByName: Object.fromEntries(of.columns.map((column) => [column.field, column.name])),
    },
  });
  const built = panel.build();
  delete built.options.footer; // newer Grafana has it no more
  for (const column of of.columns) {
    const properties = column_properties(column, of.columns);
    if (properties.length > 0) {
      built.fieldConfig!.overrides.push({ matcher: { id: 'byName', options: column.name }, properties });
    }
  }
  return { panel: built, width: of.width };
}

function column_properties(column: Column, all: Column[]): dashboard.DynamicConfigValue[] {
  const properties: dashboard.DynamicConfigValue[] = [];
  const add = (id: string, value: unknown) => properties.push({ id, value });
  if (column.unit) add('unit', column.unit);
  if (column.decimals !== undefined) add('decimals', column.decimals);
  if (column.words) add('mappings', mappings_of(column.words));
  if (column.steps) add('thresholds', { mode: 'absolute', steps: column.steps });
  if (column.width) add('custom.width', column.width);
  if (column.fill) add('custom.cellOptions', { type: 'color-background', mode: 'basic' });
  else if (column.steps || column.words) add('custom.cellOptions', { type: 'color-text' });
  if (column.link) {
    const of_line = (label: string) => {
      const found = all.find((one) => one.field === label);
      return found ? [`var-${label}=\${__data.fields["${found.name}"]}`] : [];
    };
    const named = column.link === 'allocd-service' ? [...of_line('instance'), ...of_line('unit')] : of_line('instance');
    add('links', [{ title: 'Open', url: board_url(column.link, named) }]);
  }
  return properties;
}
