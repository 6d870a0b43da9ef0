/**
 * Whose account a one-box has: the calling user's, with the public key that they use already, so that the published
 * tools find the private half in ~/.ssh by themselves. Without such a key one is made, and an ssh-agent holds it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sshpk from 'sshpk';
import VError from 'verror';
import type { Layout } from './layout.js';

export interface Identity {
  readonly login: string;
  /** One line of OpenSSH format. */
  readonly publicKey: string;
  /** MD5 fingerprint in hex pairs, as MANTA_KEY_ID takes it. */
  readonly keyId: string;
  /** The private half, when it is in a file that we know of. */
  readonly keyFile: string | undefined;
  /** The private half was made by us: an ssh-agent has to hold it. */
  readonly ownKey: boolean;
}

const usualKeys = ['id_rsa', 'id_ecdsa', 'id_ed25519'];

/** @throws VError `IdentityError` when the key file cannot be used. */
export function chooseIdentity(layout: Layout, login: string | undefined, publicKeyFile: string | undefined): Identity {
  const account = login ?? accountName(os.userInfo().username);
  if (publicKeyFile !== undefined) return fromFile(account, publicKeyFile);
  if (fs.existsSync(layout.keyFile)) return ownIdentity(account, layout);
  const existing = usualKeys
    .map((name) => path.join(os.homedir(), '.ssh', `${name}.pub`))
    .find((file) => fs.existsSync(file));
  if (existing !== undefined) return fromFile(account, existing);
  execFileSync('ssh-keygen', [
    '-q',
    '-t',
    'rsa',
    '-b',
    '2048',
    '-m',
    'PEM',
    '-N',
    '',
    '-C',
    `${account}@marlin`,
    '-f',
    layout.keyFile,
  ]);
  return ownIdentity(account, layout);
}

/** Logins start with a letter and have at least two characters. */
function accountName(user: string): string {
  const name = user.replaceAll(/[^A-Za-z0-9_.@-]/g, '');
  return /^[A-Za-z].+/.test(name) ? name : `u${name}`;
}

function ownIdentity(login: string, layout: Layout): Identity {
  return { ...fromFile(login, `${layout.keyFile}.pub`), keyFile: layout.keyFile, ownKey: true };
}

function fromFile(login: string, publicKeyFile: string): Identity {
  let publicKey: string;
  let keyId: string;
  try {
    publicKey = fs.readFileSync(publicKeyFile, 'utf8').trim();
    keyId = sshpk.parseKey(publicKey, 'ssh').fingerprint('md5').toString('hex');
  } catch (error) {
    throw new VError(
      { name: 'IdentityError', cause: error as Error },
      '"%s" is not a public key in OpenSSH format',
      publicKeyFile,
    );
  }
  const privateFile = publicKeyFile.replace(/\.pub$/, '');
  const keyFile = privateFile !== publicKeyFile && fs.existsSync(privateFile) ? path.resolve(privateFile) : undefined;
  return { login, publicKey, keyId, keyFile, ownKey: false };
}

/** Ends the agent when our end of its standard input is closed: also when we are killed, for it holds a key. */
const keeperScript =
  'ssh-agent -D -a "$1" & read -r _; kill $!; wait; rm -f -- "$1"; [ -z "$2" ] || rmdir -- "$2"; exit 0';

export interface AgentSocket {
  readonly socket: string;
  /** To be removed with the socket. */
  readonly directory?: string;
}

/** Starts an ssh-agent that holds the key which `up` made. @returns its stop. */
export async function holdKey(layout: Layout, { socket, directory }: AgentSocket): Promise<() => Promise<void>> {
  fs.rmSync(socket, { force: true });
  const keeper: ChildProcess = spawn('bash', ['-c', keeperScript, 'keeper', socket, directory ?? ''], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const ended = once(keeper, 'exit');
  if (keeper.stdout !== null) await once(keeper.stdout, 'data'); // it prints its environment once it listens
  execFileSync('ssh-add', ['-q', layout.keyFile], {
    env: { ...process.env, SSH_AUTH_SOCK: socket },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return async () => {
    keeper.stdin?.end();
    await ended;
  };
}
