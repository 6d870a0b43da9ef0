import t from 'tap';
import { parseByteRange } from '../../../src/storage/byte-range.js';

// biome-ignore format: table
const cases: readonly [header: string | undefined, sizeBytes: number, expected: readonly [number, number] | undefined | null][] = [
  [undefined,       10, undefined],
  ['bytes=0-3',     10, [0, 3]],
  ['bytes=9-9',     10, [9, 9]],
  ['bytes=4-',      10, [4, 9]],
  ['bytes=0-99',    10, [0, 9]],
  ['bytes=-3',      10, [7, 9]],
  ['bytes=-30',     10, [0, 9]],
  ['bytes=-0',      10, null],
  ['bytes=10-',     10, null],
  ['bytes=10-20',   10, null],
  ['bytes=5-4',     10, null],
  ['bytes=-',       10, null],
  ['bytes=a-b',     10, null],
  ['lines=1-2',     10, null],
  ['bytes=0-0',     0,  null],
  ['bytes=-1',      0,  null],
  ['bytes=0-1,4-5', 10, undefined],
];
for (const [header, sizeBytes, expected] of cases) {
  const range = parseByteRange(header, sizeBytes);
  t.same(range ? [range.first, range.last] : range, expected, `${header} of ${sizeBytes}`);
}
