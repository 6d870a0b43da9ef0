/** `marlin env`: what a shell needs to reach a running one-box, as `export` lines to evaluate. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import VError from 'verror';
import { layoutOf } from './layout.js';
import type { ReadyBox } from './up.js';

/** @throws VError `BoxNotUpError` when nothing runs in that directory. */
export function readReadyBox(dataDirectory: string): ReadyBox {
  const layout = layoutOf(dataDirectory);
  try {
    return JSON.parse(fs.readFileSync(layout.readyFile, 'utf8')) as ReadyBox;
  } catch (error) {
    const text = 'no Marlin is up in "%s": start one with "marlin up --data %s"';
    throw new VError({ name: 'BoxNotUpError', cause: error as Error }, text, layout.data, layout.data);
  }
}

/** Names and values of the variables, in the order in which they are printed. */
export function environmentOf(box: ReadyBox): Readonly<Record<string, string>> {
  return {
    MORAY_URL: `tcp://${box.moray.host}:${box.moray.port}`,
    MAHI_URL: box.mahi.url,
    MANTA_URL: box.manta.url,
    MANTA_USER: box.manta.user,
    MANTA_KEY_ID: box.manta.keyId,
    ...(box.manta.keyFile === undefined ? {} : { MANTA_KEY: box.manta.keyFile }),
    ...(box.sshAuthSock === undefined ? {} : { SSH_AUTH_SOCK: box.sshAuthSock }),
    AGENT_URL: box.agent.url,
  };
}

export function exportLines(box: ReadyBox): string {
  const lines = Object.entries(environmentOf(box)).map(([name, value]) => `export ${name}=${quote(value)}\n`);
  // The published clients ask an ssh-agent only where this directory exists, be it empty.
  const sshDirectory = path.join(os.homedir(), '.ssh');
  if (box.sshAuthSock !== undefined && !fs.existsSync(sshDirectory))
    lines.push(`mkdir -p -m 700 ${quote(sshDirectory)}\n`);
  return lines.join('');
}

function quote(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
