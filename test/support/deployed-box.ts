/** A Marlin that runs already, as the environment (`MANTA_*`, `AGENT_URL`) names it: for the tests that fit any. */
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { connectManta } from '../../src/standalone/manta-client.js';
import type { ReadyBox } from '../../src/standalone/up.js';
import { execute, type OneBox, type TestContext } from './one-box.js';

/** What tests need that neither kill services nor look at files. */
export type DeployedBox = Pick<OneBox, 'login' | 'manta' | 'put' | 'run'> & {
  /** Absent: it cannot be read from here. */
  readonly agentLog?: string;
  ready(): Pick<ReadyBox, 'manta' | 'agent'> & { readonly moray: Pick<ReadyBox['moray'], 'host' | 'port'> };
};

const commands = fileURLToPath(new URL('../../bin', import.meta.url));

/** @returns undefined unless `MARLIN_TEST_DEPLOYED` is set. @throws when the environment lacks something. */
export function deployedBox(t: TestContext, env = process.env): DeployedBox | undefined {
  if (!env['MARLIN_TEST_DEPLOYED']) return undefined;
  const [url = '', user = '', keyId = ''] = ['MANTA_URL', 'MANTA_USER', 'MANTA_KEY_ID'].map((name) => {
    const value = env[name];
    if (!value) throw new Error(`${name} not specified`);
    return value;
  });
  const moray = new URL(env['MORAY_URL'] ?? 'tcp://localhost:2020');
  const keyFile = env['MANTA_KEY'];
  const manta = connectManta({ url, user, keyId }, keyFile && fs.readFileSync(keyFile, 'utf8'));
  t.teardown(() => manta.close());
  return {
    login: user,
    manta,
    ready: () => ({
      manta: { url, user, keyId },
      moray: { host: moray.hostname, port: Number(moray.port || 2020) },
      agent: { url: env['AGENT_URL'] ?? 'http://localhost:9080' },
    }),
    async put(name, content) {
      const object = name.replace(/^~~/, `/${user}`);
      const bytes = Buffer.from(content);
      const parent = path.posix.dirname(object);
      if (parent.split('/').length > 3) await manta.mkdirp(parent);
      await manta.put(object, Readable.from(bytes.length === 0 ? [] : [bytes]), bytes.length);
    },
    run: (command, extra = {}) =>
      execute('bash', ['-c', command], {
        env: { ...env, PATH: `${commands}:${env['PATH']}`, ...extra.env },
        ...(extra.stdin === undefined ? {} : { stdin: extra.stdin }),
      }),
  };
}
