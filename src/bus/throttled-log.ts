/** Warnings that would repeat many times a second while something is away: one per subject in five seconds. */
import { isWithin } from '../common/clock.js';
import type { BusContext } from './context.js';

const silenceMs = 5_000;
const subjectLimit = 1_000;

export type ThrottledWarning = (subject: string, error: Error, text: string) => void;

export function throttledWarnings({ clock, log }: BusContext): ThrottledWarning {
  const lastMs = new Map<string, number>();
  return (subject, error, text) => {
    const nowMs = clock.nowMs();
    const last = lastMs.get(subject);
    if (last !== undefined && isWithin(silenceMs, last, nowMs)) return;
    if (lastMs.size >= subjectLimit) lastMs.clear();
    lastMs.set(subject, nowMs);
    log.warn({ err: error, subject }, text);
  };
}
