/**
 * A mount namespace of the agent's own, kept by a helper process that lives as long as a pipe from the agent is open:
 * when the agent dies, however it dies, the namespace and all its mounts are gone. A container runtime cannot enter a
 * root file system below a directory of mode 0700, such as root's home. So in this namespace each zone's scratch
 * directory is also at /run/marlin/<deployment>/<zone>, which everybody may pass, and runtimes are started in it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import VError from 'verror';

export interface MountSpace {
  /** Prefix of a command line that runs in the namespace. */
  readonly enter: readonly string[];
  /** Where the directory is for whoever came in by `enter`. */
  place(name: string): string;
  /** The path by which we see what they see at `inside`. */
  seen(inside: string): string;
  close(): Promise<void>;
}

/** @param directories by name: what is bound, and its source. */
export async function openMountSpace(
  deployment: string,
  directories: ReadonlyMap<string, string>,
): Promise<MountSpace> {
  const base = path.join('/run/marlin', deployment);
  const place = (name: string) => path.join(base, name);
  const pairs: string[] = [];
  for (const [name, source] of directories) {
    await fs.mkdir(place(name), { recursive: true, mode: 0o755 });
    pairs.push(source, place(name));
  }
  for (const directory of [path.dirname(base), base]) await fs.chmod(directory, 0o755);
  const script =
    'while [ $# -gt 0 ]; do mount --bind "$1" "$2" || exit 1; shift 2; done; echo ready; exec >&-; read -r _; exit 0';
  const argv = ['--mount', '--propagation', 'slave', 'bash', '-c', script, 'marlin-mounts', ...pairs];
  const helper = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const gone = new Promise<void>((resolve) => helper.once('close', () => resolve()));
  await ready(helper);
  return {
    enter: ['nsenter', `--mount=/proc/${helper.pid}/ns/mnt`, '--'],
    place,
    seen: (inside) => `/proc/${helper.pid}/root${inside}`,
    async close() {
      helper.stdin?.end();
      await gone;
      const places = [...directories.keys()].map(place);
      for (const empty of [...places, base, path.dirname(base)]) await fs.rmdir(empty).catch(() => {}); // or in use
    },
  };
}

function ready(helper: ChildProcess): Promise<void> {
  let errors = '';
  helper.stdin?.on('error', () => {}); // 'close' tells
  helper.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    helper.stdout?.once('data', () => resolve());
    helper.once('error', reject);
    helper.once('close', () =>
      reject(new VError({ name: 'MountSpaceError' }, 'no mount namespace: %s', errors.trim())),
    );
  });
}
