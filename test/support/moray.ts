/** A real Moray server, in a process of its own, with its data in a temporary directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { createLogger } from '../../src/common/logging.js';
import { connectMoray } from '../../src/moray/client/client.js';
import type { MorayClient } from '../../src/moray/client/types.js';
import type { TestContext } from './one-box.js';

export interface TestMoray {
  readonly url: string;
  readonly port: number;
  readonly monitorPort: number;
  readonly client: MorayClient;
  readonly directory: string;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data, after killing it if need be. */
  restart(): Promise<void>;
}

const service = new URL('../../src/moray/server/service.js', import.meta.url).href;
const script = `import { main } from ${JSON.stringify(service)}; await main(process.argv[1]);`;

/** @param config members of the server's configuration to set differently. */
export async function startTestMoray(
  t: TestContext,
  config: Readonly<Record<string, unknown>> = {},
): Promise<TestMoray> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-moray-'));
  const configFile = path.join(directory, 'moray.json');
  const writeConfig = (port: number) => {
    const members = { port, monitorPort: 0, dataFile: path.join(directory, 'moray.db'), synchronous: 'normal' };
    fs.writeFileSync(configFile, JSON.stringify({ ...members, ...config }));
  };

  writeConfig(0);
  let server = await startServer(configFile);
  const { port, monitorPort } = server;
  writeConfig(port);
  const url = `tcp://127.0.0.1:${port}`;
  const log = createLogger({ name: 'test', level: 'fatal' });
  const client = await connectMoray({ url, log });

  const kill = async () => {
    if (server.child.exitCode !== null || server.child.signalCode !== null) return;
    const exited = once(server.child, 'exit');
    server.child.kill('SIGKILL');
    await exited;
  };
  t.teardown(async () => {
    await client.close();
    await kill();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  return {
    url,
    port,
    monitorPort,
    client,
    directory,
    kill,
    async restart() {
      await kill();
      server = await startServer(configFile);
    },
  };
}

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
  readonly monitorPort: number;
}

async function startServer(configFile: string): Promise<Server> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, configFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LOG_LEVEL: 'info' },
  });
  const lines = readline.createInterface({ input: child.stdout });
  for await (const line of lines) {
    const entry: { readonly msg?: string; readonly port?: number; readonly monitorPort?: number } = JSON.parse(line);
    if (entry.msg?.startsWith('Moray listening on port') !== true) continue;
    child.stdout.resume();
    return { child, port: Number(entry.port), monitorPort: Number(entry.monitorPort) };
  }
  throw new Error('the Moray server ended before it listened');
}
