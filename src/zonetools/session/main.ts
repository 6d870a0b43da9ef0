/**
 * The in-job end of an interactive session (`mlogin`): theory of operation. The user's command is a task like any other,
 * and this is what the task runs. It finds out from an asset where the session is, connects to the front door as the
 * session's slave, and when the other end is there runs what that asks for on a pseudo-terminal. It goes through the
 * zone's own storage endpoint, so it needs neither a network nor credentials: the agent adds the job's.
 *
 * Text is control, binary is the terminal. When the command has ended the user's end is told and closes; the task ends
 * with the connection. Source: spec 06 §6.8.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openWebSocket, type WebSocketConnection } from '../../http/websocket/connection.js';
import { connectSlave, deleteObject, type SlaveConnection } from './front-door.js';
import { openTerminal, type Terminal } from './terminal.js';

const maxMessageBytes = 64 * 1024 * 1024;

/** To both outputs: one of them is kept, whichever way the task ends. */
function say(message: string, more: object = {}): void {
  const line = `${JSON.stringify({ time: new Date().toISOString(), msg: message, ...more })}\n`;
  process.stdout.write(line);
  process.stderr.write(line);
}

interface SessionConfig {
  readonly name: string;
  readonly signedUrl: string;
  readonly insecureTls: boolean;
}

/** @throws Error when the user's end did not leave word. */
function readConfig(user: string): SessionConfig {
  const directory = path.join(process.env['MARLIN_ASSETS'] ?? '/assets', user, 'stor');
  const name = fs.readdirSync(directory).find((file) => /^medusa-config-.*\.json$/.test(file));
  if (name === undefined) throw new Error(`no medusa-config-*.json in ${directory}`);
  const content = JSON.parse(fs.readFileSync(path.join(directory, name), 'utf8')) as Record<string, unknown>;
  if (typeof content['signed_url'] !== 'string') throw new Error(`${name} has no signed_url`);
  return { name, signedUrl: content['signed_url'], insecureTls: content['insecure_tls'] === true };
}

async function main(): Promise<number> {
  const user = process.env['MANTA_USER'] ?? '';
  const endpoint = process.env['MANTA_URL'] ?? '';
  const { name, signedUrl, insecureTls } = readConfig(user);
  await deleteObject(endpoint, `/${user}/stor/${name}`).catch((error: Error) =>
    say('config stays', { error: error.message }),
  );
  const connection = await connectSlave({ endpoint, signedUrl, insecureTls });
  say('connected');
  const isOrderly = await converse(connection, user);
  say(isOrderly ? 'session is over' : 'session was cut off');
  return isOrderly ? 0 : 1;
}

/** @returns whether the session ended with the closing handshake. */
function converse({ socket, head }: SlaveConnection, user: string): Promise<boolean> {
  return new Promise((resolve) => {
    let linked = false;
    let terminal: Terminal | undefined;
    const connection: WebSocketConnection = openWebSocket(socket, {
      head,
      end: 'client',
      maxMessageBytes,
      handlers: {
        onText(text) {
          if (text.startsWith('medusa:')) {
            linked ||= text.includes('"linkup"');
            return;
          }
          if (!linked || !text.startsWith('mlogin:')) return; // such as the other end's keep-alive
          const message = parse(text.slice('mlogin:'.length));
          if (message['type'] === 'start') terminal ??= start(message, user, connection);
          if (message['type'] === 'resize') resize(terminal, message);
        },
        onBinary(bytes) {
          const more = terminal?.type(bytes, () => connection.resume()) ?? true;
          if (!more) connection.pause();
        },
        onDrain: () => terminal?.resume(),
        onEnd(reason) {
          terminal?.hangUp();
          resolve(reason !== null);
        },
      },
    });
  });
}

type Message = Readonly<Record<string, unknown>>;

function parse(text: string): Message {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Message) : {};
  } catch {
    return {}; // nothing that we know
  }
}

function resize(terminal: Terminal | undefined, { columns, lines }: Message): void {
  if (isCount(columns) && isCount(lines)) terminal?.resize(columns, lines);
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;
}

function start(message: Message, user: string, connection: WebSocketConnection): Terminal {
  const { command, cwd, term, columns, lines } = message;
  const given = Array.isArray(message['arguments']) ? message['arguments'].map(String) : [];
  const tell = (what: object) => void connection.sendText(`mlogin:${JSON.stringify(what)}`);
  greet(user);
  return openTerminal({
    program: path.join(path.dirname(process.argv[1] ?? ''), 'terminal'),
    command: typeof command === 'string' ? command : '/bin/bash',
    args: typeof command === 'string' ? given : ['--norc'],
    cwd: typeof cwd === 'string' && fs.existsSync(cwd) ? cwd : undefined,
    env: {
      ...process.env,
      TERM: typeof term === 'string' ? term : 'xterm',
      PS1: promptOf(user),
      SESSION_PROMPT: promptOf(user), // for ctrun, a script: shells do not hand PS1 down
    },
    columns: isCount(columns) ? columns : 80,
    lines: isCount(lines) ? lines : 25,
    onStarted: (pid) => {
      say('started', { pid });
      tell({ type: 'started', pid });
    },
    onError: (error) => {
      say('not started', { error });
      tell({ type: 'error', error });
    },
    onOutput: (bytes) => connection.sendBinary(bytes),
    onExit: () => tell({ type: 'exit' }),
  });
}

function promptOf(user: string): string {
  return `\\[\\e[1m\\]${user}@manta # \\[\\e[0m\\]`;
}

/** For shells that read it: a prompt, and where the input is. */
function greet(user: string): void {
  const lines = [`PS1='${promptOf(user)}'`, `echo "* Your Manta Object is at: $MANTA_INPUT_FILE"`];
  try {
    fs.appendFileSync(path.join(process.env['HOME'] ?? os.homedir(), '.bashrc'), `${lines.join('\n')}\n`);
  } catch {
    // where there are no zones of one's own the home directory may not be ours to write
  }
}

main().then(
  (status) => process.exit(status),
  (error: Error) => {
    say(error.message);
    process.exit(1);
  },
);
