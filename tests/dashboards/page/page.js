// SPDX-License-Identifier: Apache-2.0
// Draws one board from its JSON and the answers of Prometheus. A stand-in for Grafana, for review: place, titles, units,
// thresholds, value mappings and colours are taken from the JSON, the looks are only near to Grafana's.
'use strict';

const COLORS = {
  green: '#73bf69', yellow: '#fade2a', orange: '#ff9830', red: '#f2495c', blue: '#5794f2', purple: '#b877d9', text: '#ccccdc',
};
const PALETTE = ['#73bf69', '#f2cc0c', '#8ab8ff', '#ff780a', '#f2495c', '#5794f2', '#b877d9', '#705da0', '#37872d', '#fade2a',
  '#447ebc', '#c15c17', '#890f02', '#0a437c', '#6d1f62', '#584477'];
const ROW = 38;
const GAP = 8;
const color_of = (name) => COLORS[name] ?? name;

function element(kind, className, parent, text) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

// Values ------------------------------------------------------------------------------------------------------

function rounded(value, decimals) {
  const size = Math.abs(value);
  const places = decimals ?? (size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
  return String(Number(value.toFixed(places)));
}

function scaled(value, factor, names, decimals) {
  let at = 0;
  let left = value;
  while (Math.abs(left) >= factor && at < names.length - 1) {
    left /= factor;
    at += 1;
  }
  return `${rounded(left, decimals)}${names[at]}`;
}

function duration(value, decimals) {
  const size = Math.abs(value);
  if (size === 0) return '0 s';
  const units = [[604800, 'weeks'], [86400, 'days'], [3600, 'hours'], [60, 'mins'], [1, 's'], [1e-3, 'ms'], [1e-6, 'µs']];
  const [factor, name] = units.find(([bound]) => size >= bound) ?? units[units.length - 1];
  return `${rounded(value / factor, decimals ?? 1)} ${name}`;
}

function formatted(value, unit, decimals) {
  if (unit === 'bytes') return scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB'], decimals);
  if (unit === 's') return duration(value, decimals);
  if (unit === 'percentunit') return `${rounded(value * 100, decimals ?? (Math.abs(value) < 0.1 ? 1 : 0))} %`;
  if (unit === 'ops') return `${scaled(value, 1000, ['', 'K', 'M'], decimals)} ops/s`;
  if (unit === 'short') return scaled(value, 1000, ['', ' K', ' Mil', ' Bil'], decimals);
  return rounded(value, decimals);
}

function mapped(value, mappings) {
  for (const one of mappings ?? []) {
    const found = one.options[String(value)];
    if (found) return found;
  }
  return undefined;
}

function step_color(value, thresholds) {
  let color = 'text';
  for (const step of thresholds?.steps ?? []) {
    if (step.value === null || value >= step.value) color = step.color;
  }
  return color_of(color);
}

/** Black or white, whichever is read better on a colour. */
function ink(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return red * 0.3 + green * 0.59 + blue * 0.11 > 140 ? '#16181d' : '#fff';
}

function properties_for(name, panel) {
  const out = {};
  for (const override of panel.fieldConfig.overrides ?? []) {
    const { id, options } = override.matcher;
    const hit = id === 'byName' ? options === name : new RegExp(options.replace(/^\/|\/$/g, '')).test(name);
    if (hit) for (const one of override.properties) out[one.id] = one.value;
  }
  return out;
}

// Panels ------------------------------------------------------------------------------------------------------

function draw_stat(panel, body, answers) {
  const { defaults } = panel.fieldConfig;
  const found = answers.flat()[0];
  const value = found === undefined ? undefined : Number(found.value[1]);
  const by_name = panel.options.textMode === 'name';
  const word = value === undefined || by_name ? undefined : mapped(value, defaults.mappings);
  const text = value === undefined ? defaults.noValue : by_name ? found.name : word?.text ?? formatted(value, defaults.unit, defaults.decimals);
  const shown = element('div', 'value', body, text);
  shown.style.fontSize = `${Math.min(34, Math.max(14, (body.clientWidth * 1.5) / Math.max(4, text.length)))}px`;
  const color = value === undefined ? undefined : word ? color_of(word.color) : step_color(value, defaults.thresholds);
  if (color === undefined || color === COLORS.text || panel.options.colorMode === 'none') return;
  body.parentElement.style.background = color;
  body.parentElement.style.color = ink(color);
}

function draw_table(panel, body, rows) {
  if (rows.length === 0) return no_value(panel, body);
  const table = element('table', '', body);
  const head = element('tr', '', table);
  const names = Object.keys(rows[0]);
  const number = (name) => rows.some((row) => typeof row[name] === 'number') && !properties_for(name, panel).mappings;
  for (const name of names) {
    const cell = element('th', number(name) ? 'number' : '', head, name);
    const { 'custom.width': width } = properties_for(name, panel);
    if (width) cell.style.width = `${width}px`;
  }
  for (const row of rows) {
    const line = element('tr', '', table);
    for (const name of names) draw_cell(panel, line, name, row[name], number(name));
  }
}

function draw_cell(panel, line, name, value, is_number) {
  const own = properties_for(name, panel);
  const word = typeof value === 'number' ? mapped(value, own.mappings) : undefined;
  const text = value === null || value === undefined ? '' : word?.text
    ?? (typeof value === 'number' ? formatted(value, own.unit, own.decimals) : value);
  const cell = element('td', `${is_number ? 'number' : ''} ${own.links ? 'link' : ''}`, line, text);
  if (typeof value !== 'number') return;
  const color = word ? color_of(word.color) : own.thresholds ? step_color(value, own.thresholds) : undefined;
  if (!color || color === COLORS.text) return;
  if (own['custom.cellOptions']?.type === 'color-background') {
    cell.style.background = color;
    cell.style.color = ink(color);
  } else {
    cell.style.color = color;
    cell.style.fontWeight = 600;
  }
}

function no_value(panel, body) {
  element('div', 'no-value', body, panel.fieldConfig.defaults.noValue);
}

function by_time(series, times) {
  const known = new Map(series.values.map(([time, value]) => [Math.round(time), Number(value)]));
  return times.map((time) => (known.has(time) && Number.isFinite(known.get(time)) ? known.get(time) : null));
}

function draw_lines(panel, body, answers, board) {
  const all = answers.flat();
  if (all.length === 0) return no_value(panel, body);
  const times = [];
  for (let time = board.from; time <= board.to; time += board.step) times.push(time);
  const { defaults } = panel.fieldConfig;
  const stacked = defaults.custom?.stacking?.mode === 'normal';
  const sums = times.map(() => 0);
  const drawn = all.map((series, index) => {
    const own = properties_for(series.name, panel);
    const color = own.color ? color_of(own.color.fixedColor) : PALETTE[index % PALETTE.length];
    let values = by_time(series, times);
    if (stacked) values = values.map((value, at) => (value === null ? null : (sums[at] += value)));
    return { name: own.displayName ?? series.name, color, values, width: own['custom.lineWidth'] ?? defaults.custom.lineWidth, dash: own['custom.lineStyle']?.dash };
  });
  if (stacked) drawn.reverse();
  const legend = draw_legend(drawn, body);
  plot(panel, body, drawn, times, stacked, board, legend.offsetHeight);
}

function draw_legend(drawn, body) {
  const legend = element('div', 'legend', body);
  for (const one of drawn) {
    const entry = element('span', '', legend);
    element('i', '', entry).style.background = one.color;
    entry.append(one.name);
  }
  return legend;
}

function plot(panel, body, drawn, times, stacked, board, legend_height) {
  const { unit, max } = panel.fieldConfig.defaults;
  const axis = { stroke: '#8e8e9a', grid: { stroke: '#24272e', width: 1 }, ticks: { show: false }, font: '11px DejaVu Sans, sans-serif' };
  const top = Math.max(...drawn.flatMap((one) => one.values).filter((value) => value !== null), 0);
  // Ticks of an axis differ by a tenth of its length: as many places as show that.
  const places = unit === 'percentunit' && top > 0 ? Math.max(0, Math.ceil(1 - Math.log10(top * 100))) : undefined;
  const format = (value) => formatted(value, unit, places);
  new uPlot({
    width: body.clientWidth,
    height: body.clientHeight - legend_height - 2,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true, range: [board.from, board.to] }, y: { range: [0, max ?? (top > 0 ? top * 1.08 : 1)] } },
    axes: [{ ...axis, values: (_, ticks) => ticks.map(day_of) }, { ...axis, size: 74, values: (_, ticks) => ticks.map(format),
      incrs: unit === 'bytes' ? [...Array(44)].flatMap((_, at) => [2 ** at]) : undefined }],
    series: [{}, ...drawn.map((one) => ({
      stroke: one.color, width: one.width, dash: one.dash, points: { show: false }, fill: stacked ? `${one.color}aa` : undefined,
    }))],
    hooks: { draw: [(self) => draw_events(self, board.events)] },
  }, [times, ...drawn.map((one) => one.values)], body);
}

function day_of(seconds) {
  const date = new Date(seconds * 1000);
  const hours = date.getUTCHours();
  const day = `${String(date.getUTCMonth() + 1).padStart(2, '0')}/${String(date.getUTCDate()).padStart(2, '0')}`;
  return hours === 0 ? day : `${String(hours).padStart(2, '0')}:00`;
}

function draw_events(self, events) {
  const { ctx, bbox } = self;
  for (const one of events) {
    const x = Math.round(self.valToPos(one.at, 'x', true));
    ctx.save();
    ctx.strokeStyle = color_of(one.color);
    ctx.fillStyle = color_of(one.color);
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - 5, bbox.top + bbox.height + 6);
    ctx.lineTo(x + 5, bbox.top + bbox.height + 6);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.fill();
    ctx.restore();
  }
}

function draw_timeline(panel, body, answers, board) {
  const all = answers.flat();
  if (all.length === 0) return no_value(panel, body);
  const timeline = element('div', 'timeline', body);
  timeline.style.gridTemplateRows = `repeat(${all.length}, minmax(0, 1fr)) 18px`;
  const left = (time) => (100 * (time - board.from)) / (board.to - board.from);
  for (const series of all) {
    const line = element('div', 'series', timeline);
    element('div', 'label', line, series.name);
    const bar = element('div', 'bar', line);
    for (const piece of pieces(series.values, board.step)) {
      const word = mapped(piece.value, panel.fieldConfig.defaults.mappings);
      const shown = element('div', 'piece', bar, word?.text ?? formatted(piece.value));
      shown.style.left = `${left(piece.from)}%`;
      shown.style.width = `${left(Math.min(board.to, piece.to)) - left(piece.from)}%`;
      shown.style.background = word ? color_of(word.color) : '#888';
      if (left(piece.to) - left(piece.from) < 8) shown.textContent = '';
    }
  }
  const ticks = element('div', 'ticks', timeline);
  const days = Math.ceil(((board.to - board.from) / 86400) * (50 / ticks.clientWidth));
  for (let time = Math.ceil(board.from / 86400) * 86400; time < board.to; time += days * 86400) {
    element('span', '', ticks, day_of(time)).style.left = `${left(time)}%`;
  }
}

/** Neighbours of one value are one piece; a gap ends it. */
function pieces(values, step) {
  const out = [];
  for (const [time, text] of values) {
    const value = Number(text);
    const last = out[out.length - 1];
    if (last && last.value === value && time - last.to < 1) last.to = time + step;
    else out.push({ value, from: time, to: time + step });
  }
  return out;
}

// The board ---------------------------------------------------------------------------------------------------

function draw_panel(panel, main, board) {
  const unit = main.clientWidth / 24;
  const at = panel.gridPos;
  const box = element('div', panel.type === 'row' ? 'row' : `panel ${panel.type}`, main);
  Object.assign(box.style, {
    left: `${at.x * unit + GAP / 2}px`, top: `${at.y * ROW + GAP / 2}px`, width: `${at.w * unit - GAP}px`, height: `${at.h * ROW - GAP}px`,
  });
  if (panel.type === 'row') {
    box.textContent = panel.title;
    return;
  }
  element('h2', '', box, panel.title);
  const body = element('div', 'body', box);
  const answers = board.answers[panel.id];
  if (panel.type === 'stat') draw_stat(panel, body, answers);
  else if (panel.type === 'table') draw_table(panel, body, answers);
  else if (panel.type === 'timeseries') draw_lines(panel, body, answers, board);
  else draw_timeline(panel, body, answers, board);
}

function draw(board) {
  const header = element('header', '', document.body);
  element('div', 'note', header, 'Drawn by allocd’s own test page from the JSON of the board: a stand-in for Grafana, data made up');
  element('h1', '', header, board.title);
  const chosen = element('div', 'variables', header);
  for (const [label, value] of board.variables) {
    element('span', '', chosen, label);
    element('b', '', chosen, value);
  }
  const main = element('main', '', document.body);
  for (const panel of board.panels) draw_panel(panel, main, board);
}

draw(window.BOARD);
