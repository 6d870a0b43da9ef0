/**
 * Agents that are lost or restarted: theory of operation. A lost agent's unfinished tasks are abandoned: `done`, `fail`,
 * to be committed and retried like any failure. An agent that restarted has forgotten what it had accepted, so that is
 * abandoned too. What was dispatched to it and not accepted has lost nothing: it is given the new generation, for agents
 * that look for that (one of ours does so itself before its first heartbeat, and finds what is dispatched to it whatever
 * generation it bears).
 */
import type { Operation } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import { absent, and, eq, not } from '../../moray/client/filter.js';

export interface AgentTasks {
  readonly domain: string;
  readonly agent: string;
  readonly nowMs: number;
  readonly limit: number;
}

export function abandonAll({ domain, agent, nowMs, limit }: AgentTasks): Operation {
  const mine = and(eq('mantaComputeId', agent), eq('domain', domain), not(eq('state', 'done')));
  return { op: 'update', bucket: 'task', filter: mine, fields: abandoned(nowMs), limit };
}

export function abandonStale({ domain, agent, nowMs, limit }: AgentTasks, generation: string): Operation {
  const stale = [eq('domain', domain), not(eq('agentGeneration', generation))];
  const accepted = and(eq('mantaComputeId', agent), eq('state', 'accepted'), ...stale);
  return { op: 'update', bucket: 'task', filter: accepted, fields: abandoned(nowMs), limit };
}

export function renewStale({ domain, agent, limit }: AgentTasks, generation: string): Operation {
  const stale = [eq('domain', domain), not(eq('agentGeneration', generation)), absent('timeAbandoned')];
  const dispatched = and(eq('mantaComputeId', agent), eq('state', 'dispatched'), ...stale);
  return { op: 'update', bucket: 'task', filter: dispatched, fields: { agentGeneration: generation }, limit };
}

function abandoned(nowMs: number): Readonly<Record<string, string>> {
  const now = isoTime(nowMs);
  return { state: 'done', result: 'fail', timeDone: now, timeAbandoned: now };
}
