/**
 * One run at a time per key, shared by all who asked before it began. A call made during a run gets the next one, never
 * the one under way: what it is told has been done, or seen, after it asked.
 */
export function shareRuns<Result>(run: (key: string) => Promise<Result>): (key: string) => Promise<Result> {
  const lanes = new Map<string, Lane<Result>>();

  function start(key: string): Promise<Result> {
    const lane: Lane<Result> = { current: run(key), next: undefined };
    lanes.set(key, lane);
    const end = () => {
      if (lane.next === undefined) lanes.delete(key);
    };
    lane.current.then(end, end);
    return lane.current;
  }

  return (key) => {
    const lane = lanes.get(key);
    if (lane === undefined) return start(key);
    const again = () => start(key);
    lane.next ??= lane.current.then(again, again);
    return lane.next;
  };
}

interface Lane<Result> {
  readonly current: Promise<Result>;
  next: Promise<Result> | undefined;
}
