/**
 * How busy agents are: unfinished tasks of each, by job (for the window) and in sum (for placement). Hints: counted from
 * what this domain writes, so the worst that drift does is a placement that could be better.
 */
import type { Job } from '../jobs/job.js';

export class AgentLoad {
  private readonly totals = new Map<string, number>();

  of(agent: string): number {
    return this.totals.get(agent) ?? 0;
  }

  adjust(job: Job, agent: string, by: number): void {
    if (!job.dropped) this.set(job, agent, (job.unfinished.get(agent) ?? 0) + by);
  }

  /** What was counted of a job anew. */
  replace(job: Job, counts: ReadonlyMap<string, number>): void {
    this.leave(job);
    for (const [agent, count] of counts) this.set(job, agent, count);
  }

  /** The job is here no longer. */
  leave(job: Job): void {
    for (const agent of [...job.unfinished.keys()]) this.set(job, agent, 0);
  }

  private set(job: Job, agent: string, count: number): void {
    const next = Math.max(0, count);
    const total = this.of(agent) + next - (job.unfinished.get(agent) ?? 0);
    if (next > 0) job.unfinished.set(agent, next);
    else job.unfinished.delete(agent);
    if (total > 0) this.totals.set(agent, total);
    else this.totals.delete(agent);
  }
}
