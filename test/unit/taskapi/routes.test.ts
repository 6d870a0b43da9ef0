import t from 'tap';
import { sanitizeUrl } from '../../../src/taskapi/routes.js';

// biome-ignore format: table
const cases: readonly [url: string, sanitized: string][] = [
  ['/bob//stor/x/', '/bob/stor/x'],
  ['/', '/'],
  ['///', '/'],
  ['/bob/stor/?limit=5&marker=a//b/', '/bob/stor?limit=5&marker=a//b/'],
  ['/?x=/', '/?x=/'],
];
for (const [url, sanitized] of cases) t.equal(sanitizeUrl(url), sanitized, url);
