/**
 * Shares of the pipeline: theory of operation. The records that are being located, decided and written are limited in
 * number. A job may have as many of them as places are free: one large job fills half of the pipeline, two a third each,
 * and whoever comes later always finds a place. What is turned away stays in the store; its job is left out of further
 * pages (domain-subscriptions.ts), so that the pass goes on to the jobs behind it, until it has room for more than a
 * few. A record that waits for a neighbour's fault to pass gives up its place.
 *
 * Invariants: (1) at most `limit` records have a place; (2) a job that has none gets one as long as any is free; (3) a
 * job that was turned away is let in again when what it has fits twice into what is free.
 */
import type { Job } from '../jobs/job.js';

export class PipelineShares {
  private taken = 0;
  private readonly turnedAway = new Set<Job>();

  /** @param onRoom jobs that were turned away have room again. */
  constructor(
    private readonly limit: number,
    private readonly onRoom: () => void,
  ) {}

  get inHand(): number {
    return this.taken;
  }

  /** @returns gives up the place, once; null: there is none for this job now. */
  enter(job: Job): (() => void) | null {
    if (job.inPipeline >= this.limit - this.taken) {
      job.overflows = true;
      this.turnedAway.add(job);
      return null;
    }
    this.taken++;
    job.inPipeline++;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.taken--;
      job.inPipeline--;
      this.letIn();
    };
  }

  private letIn(): void {
    if (this.turnedAway.size === 0) return;
    let isRoom = false;
    for (const job of this.turnedAway) {
      if (!job.dropped && 2 * job.inPipeline > this.limit - this.taken) continue;
      this.turnedAway.delete(job);
      job.overflows = false;
      isRoom = true;
    }
    if (isRoom) this.onRoom();
  }
}
