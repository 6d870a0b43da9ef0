/**
 * Which container runtime has been seen to work here, remembered until the machine is booted anew or the runtime is
 * replaced: an agent that comes back after it was killed, perhaps on a busy machine, need not boot a zone to know.
 */
import fs from 'node:fs/promises';
import path from 'node:path';

/** null: nobody knows, or something has changed since. */
export async function recallProven(dataDir: string, programs: readonly string[]): Promise<string | null> {
  try {
    const { program, proof } = JSON.parse(await fs.readFile(fileIn(dataDir), 'utf8')) as Record<string, unknown>;
    if (typeof program !== 'string' || !programs.includes(program)) return null;
    return proof === (await proofOf(program)) ? program : null;
  } catch {
    return null;
  }
}

export async function rememberProven(dataDir: string, program: string): Promise<void> {
  await fs.writeFile(fileIn(dataDir), JSON.stringify({ program, proof: await proofOf(program) }), { mode: 0o600 });
}

/** The next start looks anew. */
export async function forgetProven(dataDir: string): Promise<void> {
  await fs.rm(fileIn(dataDir), { force: true });
}

function fileIn(dataDir: string): string {
  return path.join(dataDir, 'run', 'runtime.json');
}

async function proofOf(program: string): Promise<string> {
  const boot = (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const { ino, size, mtimeMs } = await fs.stat(program);
  return [boot, process.getuid?.() ?? 0, ino, size, mtimeMs].join(' ');
}
