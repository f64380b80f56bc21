// SPDX-License-Identifier: Apache-2.0
// What the states are called, how bad they are and which colour they have: the same on every board.

export interface Word {
  text: string;
  color: string;
}

export const good = 'green';
export const calm = 'blue';
export const idle = '#8e8e8e';
export const attend = 'yellow';
export const bad = 'orange';
export const worst = 'red';

/** Codes of `allocd_unit_policy_state`, worst highest, as `state_code` turns them into numbers. */
export const policy_codes: Record<string, number> = {
  inactive: 0,
  exempt: 1,
  compliant: 2,
  pending_restart: 3,
  unknown: 4,
  not_enforceable: 5,
  not_applied: 6,
  rolled_back: 7,
  violation: 8,
};

export const policy_words: Record<number, Word> = {
  0: { text: 'down', color: idle },
  1: { text: 'no policy', color: calm },
  2: { text: 'compliant', color: good },
  3: { text: 'restart due', color: attend },
  4: { text: 'cannot be read', color: '#b877d9' },
  5: { text: 'not enforceable', color: bad },
  6: { text: 'not applied', color: bad },
  7: { text: 'rolled back', color: worst },
  8: { text: 'violation', color: worst },
};

export const drift_codes: Record<string, number> = { warming: 0, normal: 1, watch: 2, drift: 3, exhaustion: 4 };

export const drift_words: Record<number, Word> = {
  0: { text: 'warming', color: calm },
  1: { text: 'normal', color: good },
  2: { text: 'watch', color: attend },
  3: { text: 'drift', color: bad },
  4: { text: 'exhaustion', color: worst },
};

/** Severity of a line of "what to do". */
export const urgency_words: Record<number, Word> = {
  1: { text: 'when you can', color: calm },
  2: { text: 'today', color: bad },
  3: { text: 'now', color: worst },
};

export const yes_no_words: Record<number, Word> = {
  0: { text: 'no', color: worst },
  1: { text: 'yes', color: good },
};

/** For tiles that count what is wrong: none is good, any is not. */
export function none_or(color: string): { mappings: Record<number, Word>; steps: Step[] } {
  return { mappings: { 0: { text: 'none', color: good } }, steps: steps(good, [1, color]) };
}

export interface Step {
  value: number | null;
  color: string;
}

/** Thresholds: a colour from the bottom, and each further one from a value on. */
export function steps(base: string, ...further: [number, string][]): Step[] {
  return [{ value: null, color: base }, ...further.map(([value, color]) => ({ value, color }))];
}
