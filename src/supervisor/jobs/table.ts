/**
 * The jobs of a domain in memory. A record whose job is not here makes us look for the job once: a job of the domain
 * that is alive is taken up (it may have been dropped, or never seen), of any other the id is remembered for a while, so
 * that its left-over records cost nothing. Those of a cancelled job are marked like the others were, since its user may
 * give it input at any time.
 */
import type { Job } from './job.js';

const rememberedGone = 1000;

/** What became of a job that is not here: it is done in this domain, or it is nobody's, or another's. */
export type Gone = 'over' | 'not ours';
/** Of a job that is looked for anew by its next record: what it left was marked, or its record had changed meanwhile. */
export type Unsettled = 'marked' | 'changed';

export class JobTable {
  private readonly jobs = new Map<string, Job>();
  private readonly gone = new Map<string, Gone>();
  private readonly loading = new Set<string>();
  /** Of those that are gone: records of theirs are still found. */
  private readonly left = new Set<string>();

  /** @param takeUp resolves to the job, or what became of it. */
  constructor(
    private readonly takeUp: (jobId: string) => Promise<Job | Gone | Unsettled>,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  get(jobId: string): Job | undefined {
    const job = this.jobs.get(jobId);
    if (job !== undefined) return job;
    if (this.gone.has(jobId)) this.left.add(jobId);
    else this.load(jobId, () => this.takeUp(jobId)).catch(this.onFailure);
    return undefined;
  }

  /** Jobs that are gone, but have left records that queries find: the newest, at most `limit`. */
  leftOvers(limit: number): string[] {
    return this.left.size === 0 ? [] : [...this.left].slice(-limit);
  }

  /** Whether the job is done: known of the newest. */
  isOver(jobId: string): boolean {
    return this.gone.get(jobId) === 'over';
  }

  /** Loads a job unless it is here or being loaded. */
  async load(jobId: string, load: () => Promise<Job | Gone | Unsettled>): Promise<Job | null> {
    if (this.jobs.has(jobId) || this.loading.has(jobId)) return null;
    this.loading.add(jobId);
    try {
      const job = await load();
      if (typeof job === 'object') {
        this.add(job);
        return job;
      }
      if (job === 'over' || job === 'not ours') this.forget(jobId, job);
      return null;
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
    if (job.finished && job.cancelled === null) this.forget(job.jobId, 'over');
  }

  all(): Job[] {
    return [...this.jobs.values()];
  }

  private add(job: Job): void {
    this.jobs.set(job.jobId, job);
    this.gone.delete(job.jobId);
    this.left.delete(job.jobId);
  }

  private forget(jobId: string, what: Gone): void {
    this.gone.set(jobId, what);
    for (const oldest of this.gone.keys()) {
      if (this.gone.size <= rememberedGone) break;
      this.gone.delete(oldest);
      this.left.delete(oldest);
    }
  }
}
