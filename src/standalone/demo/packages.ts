/** Real input for the demonstration: the npm packages that this program itself is built from, as npm would pack them. */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildDirectory } from '../configs.js';

export interface PackedPackage {
  /** Name of the object: `lodash-4.17.21.tgz`; a scope is joined by a dash, as `npm pack` does. */
  readonly name: string;
  readonly file: string;
  readonly sizeBytes: number;
}

/** What is larger says nothing new and takes time to pack. */
const largestBytes = 3 * 1024 * 1024;
const packedAtOnce = 4;

/** Packs up to `wanted` packages into `directory`. @param onPacked is told how many there are so far. */
export async function packPackages(
  directory: string,
  wanted: number,
  onPacked: (count: number, total: number) => void,
): Promise<PackedPackage[]> {
  const sources = listPackages(path.join(path.dirname(buildDirectory), 'node_modules')).slice(0, wanted);
  const packed: PackedPackage[] = [];
  const queue = sources.values();
  const worker = async () => {
    for (const source of queue) {
      const file = path.join(directory, source.name);
      // No nested dependencies, as in a published package; the top directory is called `package`.
      const args = [
        '-czf',
        file,
        '--exclude=./node_modules',
        '--transform=s,^\\.,package,',
        '-C',
        source.directory,
        '.',
      ];
      await promisify(execFile)('tar', args);
      packed.push({ name: source.name, file, sizeBytes: fs.statSync(file).size });
      onPacked(packed.length, sources.length);
    }
  };
  await Promise.all(Array.from({ length: packedAtOnce }, worker));
  return packed.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function listPackages(root: string): { name: string; directory: string }[] {
  const found: { name: string; directory: string }[] = [];
  for (const entry of fs.readdirSync(root).sort()) {
    if (entry.startsWith('.')) continue;
    const names = entry.startsWith('@')
      ? fs.readdirSync(path.join(root, entry)).map((name) => `${entry}/${name}`)
      : [entry];
    for (const name of names) {
      const directory = path.join(root, name);
      const manifest = path.join(directory, 'package.json');
      if (!fs.existsSync(manifest) || sizeOf(directory, largestBytes) > largestBytes) continue;
      const { version } = JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version?: string };
      found.push({ name: `${name.replace('@', '').replace('/', '-')}-${version ?? '0.0.0'}.tgz`, directory });
    }
  }
  return found;
}

/** Bytes below a directory, its nested dependencies left out; stops counting above `limit`. */
function sizeOf(directory: string, limit: number): number {
  let bytes = 0;
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    if (bytes > limit) break;
    if (entry.name === 'node_modules') continue;
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) bytes += sizeOf(file, limit - bytes);
    else if (entry.isFile()) bytes += fs.statSync(file).size;
  }
  return bytes;
}
