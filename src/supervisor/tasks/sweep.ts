/** After an agent was lost, or came with a new generation: its tasks of a domain, lap by lap. See abandon.ts. */
import { agentChannel } from '../../bus/channels.js';
import type { BucketName } from '../../records/buckets.js';
import type { DomainContext } from '../domain-context.js';
import { abandonAll, abandonStale, renewStale } from './abandon.js';

export async function sweepAgent(agent: string, context: DomainContext): Promise<void> {
  const { domain, tunables } = context;
  const limit = tunables.maxRecordsPerUpdate;
  for (let more = true; more && !context.isStopped; ) {
    const known = context.agents.get(agent);
    const tasks = { domain, agent, nowMs: context.env().nowMs, limit };
    const operations =
      known === undefined || known.lost
        ? [abandonAll(tasks)]
        : [abandonStale(tasks, known.generation), renewStale(tasks, known.generation)];
    const notify: (readonly [string, readonly BucketName[]])[] = [[agentChannel(agent), ['task']]];
    const results = await context.write(operations, { notify });
    if (results === null) return;
    const abandoned = results[0]?.count ?? 0;
    if (abandoned > 0) {
      context.counters.tasksAbandoned += abandoned;
      context.log.warn({ agent, abandoned }, 'tasks of an agent are abandoned');
      context.wake('doneTasks');
    }
    more = results.some(({ count = 0 }) => count >= limit);
  }
}
