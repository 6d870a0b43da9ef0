/** What a user without Marlin would run: the same commands over the same files, two at a time. */
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

export interface RivalFigures {
  /** Commands per second; null where the program is not installed. */
  readonly parallel: number | null;
  readonly bwrap: number | null;
}

const sandbox =
  'bwrap --unshare-all --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp --ro-bind "$1" /input --bind "$2" /output';

export async function measureRivals(directory: string, count: number, content: string): Promise<RivalFigures> {
  const input = path.join(directory, 'in');
  const output = path.join(directory, 'out');
  fs.mkdirSync(input, { recursive: true });
  fs.mkdirSync(output);
  for (let index = 0; index < count; index++)
    fs.writeFileSync(path.join(input, String(index).padStart(4, '0')), content);
  const inSandbox = `${sandbox} bash -c "wc < /input/$0 > /output/$0"`;
  return {
    parallel: await rate('parallel', count, output, `ls ${input} | parallel -j2 'wc < ${input}/{} > ${output}/{}'`),
    bwrap: await rate('bwrap', count, output, `ls ${input} | xargs -P2 -I% sh -c '${inSandbox}' % ${input} ${output}`),
  };
}

async function rate(program: string, count: number, output: string, script: string): Promise<number | null> {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
  } catch {
    return null; // not installed: the table says so
  }
  const startMs = performance.now();
  await promisify(execFile)('bash', ['-c', script], { maxBuffer: 1 << 26 });
  const elapsedMs = performance.now() - startMs;
  const done = fs.readdirSync(output).filter((name) => fs.statSync(path.join(output, name)).size > 0);
  if (done.length !== count) throw new Error(`${program}: ${done.length} of ${count} results`);
  for (const name of done) fs.rmSync(path.join(output, name));
  return Math.round((count / elapsedMs) * 1000);
}
