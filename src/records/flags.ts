/**
 * Booleans in string fields: Moray gives back the text of what was written to a field that is indexed as a string, and
 * some versions give it back in upper case.
 */
export type Flag = 'true' | 'false';

export function isTrue(value: unknown): boolean {
  return value === true || value === 'true' || value === 'TRUE';
}

export function flagOf(value: boolean): Flag {
  return value ? 'true' : 'false';
}
