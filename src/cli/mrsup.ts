/** `mrsup`: what a supervisor holds, and whether it takes new jobs. */
import { type Program, programOf, usageError } from './command.js';
import type { CliContext } from './context.js';
import { ask } from './request.js';

// biome-ignore format: table
const words: Readonly<Record<string, readonly [method: string, path: string]>> = {
  get:       ['GET',  '/kang/snapshot'],
  quiesce:   ['POST', '/quiesce'],
  unquiesce: ['POST', '/unquiesce'],
};

export const mrsup: Program<CliContext> = programOf(
  {
    name: 'mrsup',
    args: 'get | quiesce | unquiesce',
    argCount: { least: 1, most: 1 },
    help: 'shows what a supervisor holds; has it take no more jobs, or take them again',
    options: [
      { names: ['h'], type: 'string', helpArg: 'HOST', help: 'Where the supervisor is: localhost by default.' },
      { names: ['p'], type: 'string', helpArg: 'PORT', help: 'Of its operator server: 80 by default.' },
    ],
    async run({ args: [word = ''], value, context, print }) {
      const request = words[word];
      if (request === undefined) throw usageError(`invalid command: ${word}`);
      const [method, path] = request;
      const port = value('p') ?? '80';
      if (!/^\d{1,5}$/.test(port)) throw usageError(`invalid port: ${port}`);
      const supervisor = { name: 'supervisor', url: `http://${value('h') ?? 'localhost'}:${port}` };
      const { body } = await ask(context.clock, supervisor, method, path);
      if (body !== null) print(JSON.stringify(body, null, 2));
      return 0;
    },
  },
  ['A supervisor that was quiesced goes on with the jobs it has, and takes new ones again when it is restarted.'],
);
