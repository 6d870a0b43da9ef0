/** Requests to the agent of this machine, at AGENT_URL. */
import type { CliContext } from '../context.js';
import { type Answer, ask } from '../request.js';

const defaultUrl = 'http://localhost:9080';

/** @throws VError when nobody answers, nobody answers in time, or the answer is an error. */
export function askAgent({ env, clock }: CliContext, method: string, path: string): Promise<Answer> {
  const url = (env['AGENT_URL'] || defaultUrl).replace(/\/$/, '');
  return ask(clock, { name: 'agent', url }, method, path);
}

export interface ZoneObject {
  readonly zonename: string;
  readonly state: string;
  readonly disableTime?: string;
  readonly disableErrorMessage?: string;
}

export async function zonesOf(context: CliContext): Promise<readonly ZoneObject[]> {
  const { body } = await askAgent(context, 'GET', '/zones');
  return body as readonly ZoneObject[];
}

/** Of one type of the snapshot, in the order of their ids. */
export async function snapshotObjects<Shown>(context: CliContext, type: string): Promise<readonly Shown[]> {
  const { body } = await askAgent(context, 'GET', '/kang/snapshot');
  const objects = (body as Readonly<Record<string, Readonly<Record<string, Shown>> | undefined>>)[type] ?? {};
  return Object.entries(objects)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, shown]) => shown);
}
