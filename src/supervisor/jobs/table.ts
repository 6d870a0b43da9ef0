/**
 * The jobs of a domain in memory. A record whose job is not here makes us look for the job once: a job of the domain
 * that is alive is taken up (it may have been dropped, or never seen), of any other the id is remembered for a while, so
 * that its left-over records cost nothing.
 */
import type { Job } from './job.js';

const rememberedGone = 1000;

export class JobTable {
  private readonly jobs = new Map<string, Job>();
  private readonly gone = new Set<string>();
  private readonly loading = new Set<string>();

  /** @param takeUp resolves to the job, or to null when it is none of ours. */
  constructor(private readonly takeUp: (jobId: string) => Promise<Job | null>) {}

  get(jobId: string): Job | undefined {
    const job = this.jobs.get(jobId);
    if (job === undefined && !this.gone.has(jobId)) void this.load(jobId, () => this.takeUp(jobId));
    return job;
  }

  /** Loads a job unless it is here or being loaded. */
  async load(jobId: string, load: () => Promise<Job | null>): Promise<Job | null> {
    if (this.jobs.has(jobId) || this.loading.has(jobId)) return null;
    this.loading.add(jobId);
    try {
      const job = await load();
      if (job === null) this.forget(jobId);
      else this.add(job);
      return job;
    } finally {
      this.loading.delete(jobId);
    }
  }

  has(jobId: string): boolean {
    return this.jobs.has(jobId) || this.loading.has(jobId);
  }

  remove(job: Job): void {
    job.dropped = true;
    this.jobs.delete(job.jobId);
    if (job.finished) this.forget(job.jobId);
  }

  all(): Job[] {
    return [...this.jobs.values()];
  }

  private add(job: Job): void {
    this.jobs.set(job.jobId, job);
    this.gone.delete(job.jobId);
  }

  private forget(jobId: string): void {
    this.gone.add(jobId);
    for (const oldest of this.gone) {
      if (this.gone.size <= rememberedGone) break;
      this.gone.delete(oldest);
    }
  }
}
