/** What was dispatched to this node before the agent started. */
import type { Bus } from '../../bus/types.js';
import { and, eq, not } from '../../moray/client/filter.js';
import type { AgentIdentity } from './records.js';

const limit = 1_000;

/** Gives tasks that nobody has accepted this life's generation: to be done before its first heartbeat. */
export async function adoptTasks(bus: Pick<Bus, 'batch'>, me: AgentIdentity): Promise<void> {
  const { computeId, generation } = me;
  const dispatched = and(eq('mantaComputeId', computeId), eq('state', 'dispatched'));
  const filter = and(dispatched, not(eq('agentGeneration', generation)));
  for (;;) {
    const fields = { agentGeneration: generation };
    const [result] = await bus.batch([{ op: 'update', bucket: 'task', filter, fields, limit }]);
    if ((result?.count ?? 0) < limit) return;
  }
}
