/** A command on a pseudo-terminal, as a user would sit before it: what it shows can be awaited, keys can be typed. */
import { fileURLToPath } from 'node:url';
import { openTerminal } from '../../src/zonetools/session/terminal.js';

export interface Session {
  /** Everything shown so far, as plain text: no control sequences; `\n` where the cursor goes back to the left. */
  shown(): string;
  /** Resolves when what was shown since the last match fits. @throws when the command ends before that. */
  until(pattern: RegExp): Promise<string>;
  type(text: string): void;
  resize(columns: number, lines: number): void;
  /** As when the window is closed. */
  hangUp(): void;
  /** Resolves when the command has ended. @returns its exit status. */
  ended: Promise<number>;
}

const program = fileURLToPath(new URL('../../../build/zone/lib/terminal', import.meta.url));
const statusMark = /\[exit status (\d+)\]/;

/** @param command for bash. */
export function startOnTerminal(command: string, env: NodeJS.ProcessEnv): Session {
  let shown = '';
  let unread = '';
  let from = 0;
  let over = false;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of [...waiting]) look();
  };
  let end = (_error?: Error): void => {};
  const ended = new Promise<number>((resolve, reject) => {
    end = (error) => {
      over = true;
      wake();
      const status = shown.match(statusMark)?.[1];
      if (status !== undefined && error === undefined) resolve(Number(status));
      else reject(error ?? new Error(`the command did not end by itself; it showed:\n${shown}`));
    };
  });
  ended.catch(() => {}); // whoever awaits it is told
  const terminal = openTerminal({
    program,
    command: 'bash',
    args: ['--norc', '-c', `${command}\necho "[exit status $?]"`],
    cwd: undefined,
    env: { TERM: 'xterm', ...env },
    columns: 80,
    lines: 24,
    onStarted: () => {},
    onError: (message) => end(new Error(message)),
    onOutput: (bytes) => {
      const [text, rest] = plainText(unread + bytes.toString('latin1'));
      shown += text;
      unread = rest;
      wake();
      return true;
    },
    onExit: () => end(),
  });
  return {
    shown: () => shown,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(shown.slice(from));
          if (match !== null) {
            from += match.index + match[0].length;
            waiting.delete(look);
            resolve(match[0]);
          } else if (over) {
            waiting.delete(look);
            reject(new Error(`${pattern} was never shown, but:\n${shown.slice(from).slice(-2_000)}`));
          }
        };
        waiting.add(look);
        look();
      }),
    type: (text) => void terminal.type(Buffer.from(text), () => {}),
    resize: terminal.resize,
    hangUp: terminal.hangUp,
    ended,
  };
}

/** @returns the text, and the beginning of a sequence of which the rest has not come yet. */
function plainText(raw: string): [string, string] {
  const open = /(?:\r+|\x1b(?:\[[\d;?]*)?)$/.exec(raw)?.index ?? raw.length;
  const text = raw
    .slice(0, open)
    .replace(/\x1b(?:\[[\d;?]*[@-~]|[^[])/g, '')
    .replace(/\r+\n?/g, '\n');
  return [text, raw.slice(open)];
}
