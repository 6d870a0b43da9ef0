import assert from 'node:assert/strict';

/**
 * Pause before something is tried again: doubles from 100 ms, stays at 10 s. Source: spec 04 §2.4.
 * @param failures so far, 1 or more. @returns ms. @throws AssertionError if failures < 1.
 */
export function backOffMs(failures: number): number {
  assert(Number.isInteger(failures) && failures >= 1, `failures must be 1 or more, is ${failures}`);
  return Math.min(10_000, 100 * 2 ** (failures - 1));
}
