/** Ids of records: from chance that is passed in, so that equal chance makes equal decisions. */
import { createHash } from 'node:crypto';

/** A version 4 UUID from numbers in [0, 1): 122 bits of them, 20 at a time. */
export function newId(random: () => number): string {
  let digits = '';
  while (digits.length < 32)
    digits += Math.floor(random() * 2 ** 20)
      .toString(16)
      .padStart(5, '0');
  return formatted(digits);
}

/**
 * The first task of a reducer has the same id whoever makes it: of two supervisors that place it, or of one that was
 * killed and placed it again, only the first write succeeds.
 */
export function reducerTaskId(jobId: string, phase: number, reducer: number): string {
  return formatted(createHash('sha256').update(`${jobId} ${phase} ${reducer}`).digest('hex'));
}

/** The error that says that nobody could run a reducer: at most one, and who takes the job up finds it. */
export function refusalId(jobId: string, phase: number, reducer: number): string {
  return `${jobId}.${phase}.${reducer}`;
}

function formatted(hex: string): string {
  const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
