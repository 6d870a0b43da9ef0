import VError from 'verror';
import { createMahiClient } from '../../accounts/mahi-client.js';
import type { AccountAnswer } from '../../accounts/types.js';
import { isoTime } from '../../common/iso-time.js';
import { wholeNumber } from '../../common/whole-number.js';
import type { JobAuth, Phase } from '../../records/job.js';
import { type GivenOption, usageError } from '../command.js';
import type { CliCommand } from '../context.js';

const defaultName = 'mrsubmit job';

export const submit: CliCommand = {
  name: 'submit',
  args: '',
  argCount: { least: 0, most: Number.POSITIVE_INFINITY },
  help: 'Creates a job, whose input stays open, and prints its id.',
  options: [
    { names: ['m'], type: 'arrayOfString', helpArg: 'exec', help: 'Adds a map phase.' },
    { names: ['r'], type: 'arrayOfString', helpArg: 'exec', help: 'Adds a reduce phase.' },
    { names: ['a'], type: 'arrayOfString', helpArg: 'asset', help: 'Next phase: an asset.' },
    { names: ['c'], type: 'arrayOfString', helpArg: 'count', help: 'Next phase: number of reducers.' },
    { names: ['d'], type: 'arrayOfString', helpArg: 'size', help: 'Next phase: memory in MB.' },
    { names: ['s'], type: 'arrayOfString', helpArg: 'disk', help: 'Next phase: disk in GB.' },
    { names: ['i'], type: 'arrayOfString', helpArg: 'image', help: 'Next phase: versions of the image that will do.' },
    { names: ['z'], type: 'arrayOfString', helpArg: 'init', help: 'Next phase: script run once per zone.' },
    { names: ['n'], type: 'arrayOfString', helpArg: 'name', help: `Name of the job, "${defaultName}" by default.` },
    { names: ['t'], type: 'arrayOfString', helpArg: 'token', help: 'Token of the account (see "marlin token").' },
    { names: ['T', 'transient'], type: 'bool', help: 'The job is transient.' },
    { names: ['L', 'legacy-auth'], type: 'bool', help: 'Leave out principal and conditions.' },
    { names: ['x'], type: 'arrayOfString', helpArg: 'option=value', help: 'Option of the job, for operators.' },
  ],
  async run({ given, has, value, context, print, complain }) {
    const mahiUrl = context.env['MAHI_URL'];
    if (!mahiUrl) throw new VError({ name: 'EnvironmentError' }, 'MAHI_URL must be specified in the environment.');
    const phases = phasesOf(given);
    const options = optionsOf(given, (option) => complain(`mrjob: invalid value for -x: ${option}`));
    const token = value('t');
    if (token === undefined) throw new VError({ name: 'TokenError' }, 'auth token (-t) is required');
    const login = context.env['MANTA_USER'];
    if (!login) throw new VError({ name: 'EnvironmentError' }, 'MANTA_USER must be specified in the environment.');
    const jobs = await context.jobs();
    const answer = await lookUp(mahiUrl, login);
    const auth = authOf(answer, { token, isLegacy: has('L'), nowMs: context.clock.nowMs() });
    const job = { name: value('n') ?? defaultName, owner: answer.account.uuid, auth, phases, options };
    try {
      print(await jobs.create({ ...job, transient: has('T') }));
    } catch (error) {
      throw new VError({ name: 'JobCreateError', cause: error as Error }, 'failed to create job');
    }
    return 0;
  },
};

type NextPhase = { -readonly [Member in keyof Phase]?: Phase[Member] };

/** Options for the next phase that none follows are dropped. */
function phasesOf(given: readonly GivenOption[]): readonly Phase[] {
  const phases: Phase[] = [];
  let next: NextPhase = {};
  for (const { name, value } of given) {
    if (name === 'a') next.assets = [...(next.assets ?? []), value];
    if (name === 'c') next.count = numberWithin(value, { least: 1, most: 1023, complaint: 'invalid count' });
    if (name === 'd')
      next.memory = numberWithin(value, { least: 128, complaint: 'invalid size' }) as Phase['memory'] & number;
    if (name === 's')
      next.disk = numberWithin(value, { least: 2, complaint: 'invalid size' }) as Phase['disk'] & number;
    if (name === 'i') next.image = value;
    if (name === 'z') next.init = value;
    if (name !== 'm' && name !== 'r') continue;
    const { count = 1, ...rest } = next;
    if (name === 'm' && count > 1) throw usageError('-c invalid for map phases');
    phases.push({ ...rest, type: name === 'm' ? 'map' : 'reduce', exec: value, ...(count > 1 ? { count } : {}) });
    next = {};
  }
  return phases.length > 0 ? phases : [{ type: 'map', exec: 'echo' }];
}

interface Bounds {
  readonly least: number;
  readonly most?: number;
  readonly complaint: string;
}

/** What the service allows is checked when the job is claimed; here only what cannot be a size at all is refused. */
function numberWithin(text: string, { least, most = Number.POSITIVE_INFINITY, complaint }: Bounds): number {
  const number = wholeNumber(text);
  if (!(number >= least && number <= most)) throw usageError(complaint);
  return number;
}

function optionsOf(given: readonly GivenOption[], onInvalid: (text: string) => void): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const { value: text } of given.filter(({ name }) => name === 'x')) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) onInvalid(text);
    else options[name] = name === 'keepIntermediate' || name === 'frequentCheckpoint' ? parsed(value, text) : value;
  }
  return options;
}

function parsed(value: string, option: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw usageError(`invalid value for -x: ${option}`);
  }
}

async function lookUp(mahiUrl: string, login: string): Promise<AccountAnswer> {
  const mahi = createMahiClient(mahiUrl);
  try {
    return await mahi.accountByLogin(login);
  } catch (error) {
    throw new VError({ name: 'AuthBlockError', cause: error as Error }, 'failed to create auth block');
  } finally {
    mahi.close();
  }
}

interface AuthOptions {
  readonly token: string;
  readonly isLegacy: boolean;
  readonly nowMs: number;
}

function authOf(principal: AccountAnswer, { token, isLegacy, nowMs }: AuthOptions): JobAuth {
  const { uuid, login, isOperator } = principal.account;
  const time = isoTime(nowMs);
  const legacy = { login, token, uuid, groups: isOperator ? ['operators'] : [] };
  if (isLegacy) return legacy;
  const conditions = {
    fromjob: false,
    activeRoles: [],
    method: 'POST',
    date: time,
    day: time,
    time,
    sourceip: '::1',
    'user-agent': 'mrjob',
    owner: uuid,
  };
  return { ...legacy, principal: { ...principal }, conditions };
}
