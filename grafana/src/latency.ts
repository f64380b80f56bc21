// SPDX-License-Identifier: Apache-2.0
// What the clients of an engine feel, beside its memory. The names are those that the rules of
// config/prometheus/allocd-engines.rules.yaml record for every engine; what an engine lacks has no series.

import { lines } from './panels.js';
import { of_engine, of_unit } from './queries.js';

const rules = 'Recorded by config/prometheus/allocd-engines.rules.yaml; the engine’s scrape job must set the labels "unit" and "instance".';

export const latencies = [
  {
    title: 'Time to first token', name: 'unit:inference_time_to_first_token_seconds',
    no_value: 'TGI and llama.cpp do not export it; else the engine or its rules are missing',
    lacking: 'TGI and llama.cpp have none; Triton’s is to the first chunk.',
  },
  {
    title: 'Time between tokens', name: 'unit:inference_inter_token_latency_seconds',
    no_value: 'Triton does not export it; else the engine or its rules are missing',
    lacking: 'llama.cpp has a mean only; TGI’s is a mean of each request, prefill included; Triton has none.',
  },
  {
    title: 'Time of a whole request', name: 'unit:inference_end_to_end_latency_seconds',
    no_value: 'llama.cpp does not export it; else the engine or its rules are missing',
    lacking: 'Triton has a mean only; llama.cpp has none.',
  },
];

export function latency_panels() {
  return [
    ...latencies.map(({ title, name, no_value, lacking }) => lines({
      title, width: 8, height: 8, unit: 's', no_value,
      queries: [
        [of_engine(`${name}:p50`), 'p50 {{unit}} {{instance}}'],
        [of_engine(`${name}:p95`), 'p95 {{unit}} {{instance}}'],
        [of_engine(`${name}:p99`), 'p99 {{unit}} {{instance}}'],
        [`${of_engine(`${name}:mean5m`)} unless on (instance, unit) ${of_engine(`${name}:p50`)}`, 'mean {{unit}} {{instance}}'],
      ],
      description: `Percentiles over five minutes; the mean where an engine has no more. Bad: a p99 that climbs with memory or pressure, or a ` +
        `step at a restart or a new allocator (annotations). ${lacking} ${rules} Metrics: ${name}:p50, :p95, :p99, :mean5m.`,
    })),
    lines({
      title: 'Requests waiting and running', width: 12, height: 8, unit: 'short',
      no_value: 'the engine or its rules are missing',
      queries: [
        [of_engine('unit:inference_requests_waiting:sum'), 'waiting {{unit}} {{instance}}'],
        [of_engine('unit:inference_requests_running:sum'), 'running {{unit}} {{instance}}'],
      ],
      description: `The queue of the engine. Bad: waiting that does not go back to 0. Triton does not say how many run. ${rules} Metrics: ` +
        'unit:inference_requests_waiting:sum, unit:inference_requests_running:sum.',
    }),
    lines({
      title: 'Memory held at the same time', width: 12, height: 8, unit: 'bytes', no_value: 'no process of it can be read',
      queries: [[`sum by (instance, unit) (${of_unit('allocd_unit_memory_anonymous_bytes')} + ${of_unit('allocd_unit_memory_swap_bytes')})`, '{{unit}} {{instance}}']],
      description: 'Anonymous and swapped-out memory, to lay beside latency and queue. Bad: latency that follows it. Metrics: ' +
        'allocd_unit_memory_anonymous_bytes, allocd_unit_memory_swap_bytes.',
    }),
  ];
}
