/** Work side by side, up to a limit. */
export interface Slots {
  /** Resolves when the work has begun, which is when a slot is free. The work deals with its own errors. */
  run(work: () => Promise<void>): Promise<void>;
  /** Resolves when nothing runs any more. */
  idle(): Promise<void>;
}

export function createSlots(limit: number): Slots {
  const running = new Set<Promise<void>>();
  return {
    async run(work) {
      while (running.size >= limit) await Promise.race(running);
      const ended = work().finally(() => running.delete(ended));
      running.add(ended);
    },
    async idle() {
      await Promise.all(running);
    },
  };
}
