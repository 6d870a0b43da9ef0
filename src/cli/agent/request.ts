/** Requests to the agent of this machine, at AGENT_URL. */
import VError from 'verror';
import type { CliContext } from '../context.js';

const defaultUrl = 'http://localhost:9080';

export interface AgentAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: unknown;
}

/** @throws VError when nobody answers, or the answer is an error. */
export async function askAgent({ env }: CliContext, method: string, path: string): Promise<AgentAnswer> {
  const url = `${(env['AGENT_URL'] || defaultUrl).replace(/\/$/, '')}${path}`;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { method });
    text = await response.text();
  } catch (error) {
    const cause = ((error as Error).cause ?? error) as Error;
    throw new VError({ name: 'AgentRequestError', cause }, 'failed to hit "%s"', url);
  }
  if (response.status >= 400) {
    const text2 = '"%s" failed (code %d): %s';
    throw new VError(
      { name: 'AgentAnswerError', info: { status: response.status } },
      text2,
      url,
      response.status,
      text,
    );
  }
  return { status: response.status, headers: [...response.headers], body: text === '' ? null : JSON.parse(text) };
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
