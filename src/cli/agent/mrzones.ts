import VError from 'verror';
import { type Invocation, programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';
import { type ZoneObject, zonesOf } from './request.js';

/** Options that choose zones, by the state that they choose. */
const states: Readonly<Record<string, string>> = { b: 'busy', d: 'disabled', r: 'ready' };

export const mrzones = programOf<CliContext>(
  {
    name: 'mrzones',
    args: '',
    argCount: { least: 0, most: Number.POSITIVE_INFINITY },
    help: 'shows the zones of the agent on this machine',
    options: [
      { names: ['l'], type: 'bool', help: 'Their names, instead of a count per state.' },
      { names: ['b'], type: 'bool', help: 'With -l: only busy ones.' },
      { names: ['d'], type: 'bool', help: 'With -l: only disabled ones.' },
      { names: ['r'], type: 'bool', help: 'With -l: only ready ones.' },
      { names: ['z'], type: 'string', helpArg: 'zone', help: 'The state of this zone.' },
      { names: ['x'], type: 'bool', help: 'Why the disabled ones are disabled.' },
      { names: ['json'], type: 'bool', help: 'As the agent shows them, one JSON object per line.' },
    ],
    async run(invocation) {
      const { has, value, context, print } = invocation;
      const wanted = wantedState(invocation);
      const zones = await zonesOf(context);
      const name = value('z');
      if (has('json')) for (const zone of zones) print(JSON.stringify(zone));
      else if (name !== undefined) print(stateOf(zones, name));
      else if (has('x')) for (const line of reasons(zones)) print(line);
      else if (has('l')) {
        for (const zone of zones) if (wanted === undefined || zone.state === wanted) print(zone.zonename);
      } else for (const line of counts(zones)) print(line);
      return 0;
    },
  },
  ['AGENT_URL says where the agent is (default http://localhost:9080).'],
);

function wantedState({ args, has, value }: Pick<Invocation<CliContext>, 'args' | 'has' | 'value'>): string | undefined {
  const chosen = Object.keys(states).filter((name) => has(name));
  if (args[0] !== undefined) throw usageError(`unexpected argument: ${args[0]}`);
  if (chosen.length > 0 && !has('l')) throw usageError('-l is required for any combination of -b, -d, and -r');
  if (chosen.length > 1) throw usageError('only one of -b, -d, and -r are allowed');
  if (has('l') && value('z') !== undefined) throw usageError('-l cannot be used with -z');
  if (has('l') && has('x')) throw usageError('-l cannot be used with -x');
  if (value('z') !== undefined && has('x')) throw usageError('-z cannot be used with -x');
  return states[chosen[0] ?? ''];
}

function stateOf(zones: readonly ZoneObject[], name: string): string {
  const zone = zones.find(({ zonename }) => zonename === name);
  if (zone === undefined) throw new VError({ name: 'NoZoneError' }, 'no such zone: %s', name);
  return zone.state;
}

/** As `sort | uniq -c` prints them. */
function counts(zones: readonly ZoneObject[]): readonly string[] {
  const found = new Map<string, number>();
  for (const { state } of zones) found.set(state, (found.get(state) ?? 0) + 1);
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([state, count]) => `${String(count).padStart(7)} ${state}`);
}

function* reasons(zones: readonly ZoneObject[]): Generator<string> {
  for (const { zonename, state, disableTime, disableErrorMessage } of zones) {
    if (state !== 'disabled') continue;
    yield `${zonename} (since ${disableTime ?? 'unknown'})`;
    yield `    ${(disableErrorMessage ?? 'unknown').replace(/\s*\n\s*/g, ' ')}`;
  }
}
