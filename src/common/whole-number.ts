/**
 * The number that a text names in decimal digits, with a sign or without; NaN for anything else. `Number` takes `0x10`,
 * `1e3` and nothing at all for numbers, `parseInt` whatever begins with a digit: what was meant is then guessed.
 */
export function wholeNumber(text: string): number {
  const number = /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : Number.NaN;
}
