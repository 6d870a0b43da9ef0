/** Configuration for tests: what `loadConfig` makes of a file with this value. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../src/common/config.js';
import { configSchema, type SupervisorConfig } from '../../src/supervisor/config.js';

/** Untyped: to derive the type once more from this large schema is more than the compiler will do. */
const read = Reflect.apply.bind(null, loadConfig, undefined) as unknown as (
  args: readonly unknown[],
) => SupervisorConfig;

export function supervisorConfig(value: object): SupervisorConfig {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-config-'));
  try {
    const file = path.join(directory, 'config.json');
    fs.writeFileSync(file, JSON.stringify(value));
    return read([file, configSchema]);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}
