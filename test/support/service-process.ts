/** One of our services in a process of its own, with as much memory for JavaScript as the test gives it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { TestContext } from './one-box.js';

const main = fileURLToPath(new URL('../../src/standalone/main.js', import.meta.url));

export interface ServiceProcess {
  readonly pid: number;
  readonly port: number;
  /** SIGTERM; resolves to how it ended. */
  stop(): Promise<string>;
}

export interface ServiceProcessOptions {
  readonly config: object;
  /** Of the heap: a service that needs more dies. */
  readonly maxHeapMb: number;
}

/** Resolves when the service has logged the port that it listens on. */
export async function startServiceProcess(
  t: TestContext,
  service: 'frontdoor' | 'archiver',
  { config, maxHeapMb }: ServiceProcessOptions,
): Promise<ServiceProcess> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), `marlin-${service}-`));
  const configFile = path.join(directory, `${service}.json`);
  fs.writeFileSync(configFile, JSON.stringify(config));
  const args = ['--no-deprecation', `--max-old-space-size=${maxHeapMb}`, main, service, configFile];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(([status, signal]) => String(status ?? signal));
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  t.teardown(async () => {
    await stop();
    fs.rmSync(directory, { recursive: true, force: true });
  });
  for await (const line of readline.createInterface({ input: child.stdout })) {
    const { port } = JSON.parse(line) as { readonly port?: number };
    if (port === undefined) continue;
    child.stdout.resume();
    return { pid: child.pid ?? 0, port, stop };
  }
  throw new Error(`${service} ended (${await ended}) before it listened`);
}
