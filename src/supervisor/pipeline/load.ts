/**
 * How busy agents are: unfinished tasks of each, by job (of map tasks for the window) and in sum (for placement). Hints:
 * counted from what this domain writes, so the worst that drift does is a placement that could be better.
 */
import type { Job } from '../jobs/job.js';

type TaskKind = keyof Job['unfinished'];

export class AgentLoad {
  private readonly totals = new Map<string, number>();

  of(agent: string): number {
    return this.totals.get(agent) ?? 0;
  }

  adjust(job: Job, kind: TaskKind, agent: string, by: number): void {
    if (!job.dropped) this.set(job, kind, agent, (job.unfinished[kind].get(agent) ?? 0) + by);
  }

  /** What was counted of a job's map tasks anew. */
  replaceMaps(job: Job, counts: ReadonlyMap<string, number>): void {
    this.clear(job, 'map');
    for (const [agent, count] of counts) this.set(job, 'map', agent, count);
  }

  /** The job is here no longer. */
  leave(job: Job): void {
    this.clear(job, 'map');
    this.clear(job, 'reduce');
  }

  private clear(job: Job, kind: TaskKind): void {
    for (const agent of [...job.unfinished[kind].keys()]) this.set(job, kind, agent, 0);
  }

  private set(job: Job, kind: TaskKind, agent: string, count: number): void {
    const counts = job.unfinished[kind];
    const next = Math.max(0, count);
    const total = this.of(agent) + next - (counts.get(agent) ?? 0);
    if (next > 0) counts.set(agent, next);
    else counts.delete(agent);
    if (total > 0) this.totals.set(agent, total);
    else this.totals.delete(agent);
  }
}
