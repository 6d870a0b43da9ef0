import t from 'tap';
import { formatNumber } from '../../../src/zonetools/maggr/format.js';

// biome-ignore format: table
const cases: readonly [value: number, pattern: string, expected: string][] = [
  [3.7, '%d', '3'], [-3.7, '%i', '-3'], [-0.5, '%d', '0'], [5, '%05d', '00005'], [-5, '%05d', '-0005'],
  [5, '%-5d|', '5    |'], [5, '%+d', '+5'], [5, '% d', ' 5'], [5, '%.3d', '005'], [1e21, '%d', '1000000000000000000000'],
  [255, '%x', 'ff'], [255, '%#X', '0XFF'], [8, '%o', '10'], [5, '%b', '101'], [65, '%c', 'A'], [1.5, '%5s|', '  1.5|'],
  [1.25, '%.2s', '1.'], [1.005, '%f', '1.005000'], [1e22, '%.1f', '10000000000000000000000.0'], [12345, '%e', '1.234500e+04'],
  [0.00012, '%.1E', '1.2E-04'], [0.0001, '%g', '0.0001'], [0.00001, '%g', '1e-05'], [1e6, '%g', '1e+06'],
  [123456, '%g', '123456'], [1.5, '%#g', '1.50000'], [0, '%g', '0'], [100, '%.0f%%', '100%'],
  [Number.POSITIVE_INFINITY, '%08.2f', 'Infinity'], [Number.NaN, '%6f', '   NaN'], [7, 'no conversion', 'no conversion'],
  [7, '%d of %d', '7 of 7'], [7, '%q', '%q'],
];

for (const [value, pattern, expected] of cases)
  t.equal(formatNumber(value, pattern), expected, `${pattern} of ${value}`);
t.equal(formatNumber(0.1 + 0.2, undefined), '0.30000000000000004');
for (const letter of 'diuxXobc') t.throws(() => formatNumber(Number.NaN, `%${letter}`), /cannot be formatted/);
