/**
 * A store takes over another configuration of a bucket only if it has a higher version. So whoever changes fields or
 * access paths gives the bucket a new version, and writes both here.
 */
import { createHash } from 'node:crypto';
import t from 'tap';
import { bucketConfigs } from '../../../src/records/bucket-configs.js';

// biome-ignore format: table
const versions: Readonly<Record<string, readonly [version: number, configuration: string]>> = {
  domain:     [1, 'e419285a402f'],
  error:      [3, '46cae5dc2b4e'],
  health:     [1, 'd7754b74726d'],
  job:        [5, '32a4c9ef9920'],
  jobinput:   [2, '929be71e41f0'],
  task:       [5, '113b167b65df'],
  taskinput:  [7, '1c1e6315b1d8'],
  taskoutput: [2, '07d8ec5949e9'],
};

for (const [name, { index, options }] of Object.entries(bucketConfigs)) {
  const { version, ...others } = options;
  const configuration = createHash('sha256').update(JSON.stringify({ index, others })).digest('hex').slice(0, 12);
  t.same([version, configuration], versions[name], `a bucket "${name}" that is configured so has this version`);
}
