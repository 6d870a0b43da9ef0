import t from 'tap';
import { diskUse } from '../../../src/standalone/operate/disk-use.js';

const gigabyte = 1024 ** 3;

t.test('a disk is a problem when uploads are refused, or soon nothing can be written', async (t) => {
  // biome-ignore format: table
  const cases: readonly (readonly [what: string, totalGb: number, usedGb: number, availableGb: number, problem: RegExp | null])[] = [
    ['room',                        100, 90,     10,     null],
    ['as full as the front door says no', 100, 90.001, 9.999, /^more than 90 % used: uploads are refused$/],
    ['less than a hundredth left',  100, 99.5,   0.5,    /refused, almost no space left$/],
    ['kept for the superuser',      100, 50,     0.5,    /^almost no space left$/],
    ['a small disk, half full',     0.1, 0.05,   0.05,   /^almost no space left$/],
  ];
  for (const [what, total, used, available, problem] of cases) {
    const space = { totalBytes: total * gigabyte, usedBytes: used * gigabyte, availableBytes: available * gigabyte };
    const found = diskUse('/d', space);
    if (problem === null) t.equal(found.problem, null, what);
    else t.match(found.problem, problem, what);
  }
});
