/** A headless Chromium, spoken to through a pipe: pages as people see them, and what the browser complains about. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Test } from 'tap';

export interface Browser {
  open(url: string): Promise<void>;
  /** The value of an expression in the page. */
  evaluate(expression: string): Promise<unknown>;
  press(key: string): Promise<void>;
  prefer(scheme: 'light' | 'dark'): Promise<void>;
  /** A PNG. */
  screenshot(): Promise<Buffer>;
  /** Errors in the console, and exceptions that nobody caught. */
  readonly complaints: readonly string[];
}

const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** @returns its name, undefined when this machine has none. */
export function chromium(): string | undefined {
  return names.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly [name: string]: unknown };
  readonly result?: { readonly [name: string]: unknown };
  readonly error?: { readonly message: string };
}

export async function startBrowser(t: Pick<Test, 'teardown'>, command: string): Promise<Browser> {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-browser-'));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  const child = spawn(
    command,
    [...flags, '--window-size=1280,1600', `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true },
  );
  t.teardown(() => stop(child, profile));
  const call = caller(child);
  const { targetId } = await call.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await call.send('Target.attachToTarget', { targetId, flatten: true });
  const send = (method: string, params: object = {}) => call.send(method, params, String(sessionId));
  const complaints: string[] = [];
  call.onEvent('Runtime.exceptionThrown', (params) => complaints.push(JSON.stringify(params['exceptionDetails'])));
  call.onEvent('Log.entryAdded', (params) => complaints.push(JSON.stringify(params['entry'])));
  for (const domain of ['Page', 'Runtime', 'Log']) await send(`${domain}.enable`);
  const evaluate = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value?: unknown }).value;
  };
  return {
    complaints,
    evaluate,
    async open(url) {
      const loaded = new Promise<void>((resolve) => call.onEvent('Page.loadEventFired', () => resolve()));
      await send('Page.navigate', { url });
      await loaded;
    },
    async press(key) {
      const text = key.length === 1 ? { text: key } : {};
      await send('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text });
      await send('Input.dispatchKeyEvent', { type: 'keyUp', key });
      await evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    },
    async prefer(scheme) {
      await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      await evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    },
    async screenshot() {
      const { data } = await send('Page.captureScreenshot', { format: 'png' });
      return Buffer.from(String(data), 'base64');
    },
  };
}

function caller(child: ChildProcess) {
  const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable];
  const waiting = new Map<number, (message: Message) => void>();
  const listeners: { readonly method: string; readonly act: (params: NonNullable<Message['params']>) => void }[] = [];
  let nextId = 1;
  let rest = Buffer.alloc(0);
  output.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
      const message: Message = JSON.parse(rest.subarray(0, end).toString());
      rest = rest.subarray(end + 1);
      if (message.id !== undefined) waiting.get(message.id)?.(message);
      for (const { method, act } of listeners) if (method === message.method) act(message.params ?? {});
    }
  });
  return {
    onEvent(method: string, act: (params: NonNullable<Message['params']>) => void) {
      listeners.push({ method, act });
    },
    send(method: string, params: object, sessionId?: string): Promise<NonNullable<Message['result']>> {
      const id = nextId++;
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
      return new Promise((resolve, reject) => {
        waiting.set(id, ({ result = {}, error }) => (error ? reject(new Error(error.message)) : resolve(result)));
      });
    },
  };
}

async function stop(child: ChildProcess, profile: string): Promise<void> {
  if (child.exitCode === null && child.pid !== undefined) {
    const exited = once(child, 'exit');
    process.kill(-child.pid, 'SIGKILL'); // it has children of its own
    await exited;
  }
  fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
