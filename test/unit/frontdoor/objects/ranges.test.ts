import t from 'tap';
import { parseRange } from '../../../../src/frontdoor/objects/ranges.js';

// biome-ignore format: table
const cases: readonly [header: string | undefined, size: number, kind: string, first?: number, last?: number][] = [
  [undefined,     10, 'whole'],
  ['bytes=0-4',   10, 'part', 0, 4],
  ['bytes=5-',    10, 'part', 5, 9],
  ['bytes=-3',    10, 'part', 7, 9],
  ['bytes=-30',   10, 'part', 0, 9],
  ['bytes=8-99',  10, 'part', 8, 9],
  ['bytes=10-',   10, 'unsatisfiable'],
  ['bytes=5-4',   10, 'unsatisfiable'],
  ['bytes=-0',    10, 'unsatisfiable'],
  ['bytes=-',     10, 'unsatisfiable'],
  ['lines=1-2',   10, 'unsatisfiable'],
  ['bytes=0-1,3-4', 10, 'several'],
  ['bytes=0-4',   0,  'whole'],
];
for (const [header, size, kind, first, last] of cases) {
  const expected = kind === 'part' ? { kind, first, last } : { kind };
  t.same(parseRange(header, size), expected, `${header} of ${size} bytes: ${kind}`);
}
