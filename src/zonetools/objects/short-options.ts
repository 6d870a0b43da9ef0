/** POSIX short options, as getopt reads them: parsing stops at the first operand; an argument may be attached. */
export interface ParsedOptions {
  readonly options: readonly { readonly letter: string; readonly value: string }[];
  readonly operands: readonly string[];
  /** What was wrong, in getopt's words; parsing stopped there. */
  readonly problem?: string;
}

/**
 * @param letters as for getopt: `ab:` is `-a` without and `-b` with an argument.
 * @param manner `lenient`: unknown options and missing arguments are passed over.
 */
export function parseShortOptions(
  letters: string,
  args: readonly string[],
  manner: 'strict' | 'lenient' = 'strict',
): ParsedOptions {
  const options: { letter: string; value: string }[] = [];
  let index = 0;
  for (; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (arg === '--') return { options, operands: args.slice(index + 1) };
    if (!arg.startsWith('-') || arg === '-') break;
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at] ?? '';
      const known = letters.indexOf(letter);
      if (known === -1 || letter === ':') {
        if (manner === 'lenient') continue;
        return { options, operands: [], problem: `illegal option -- ${letter}` };
      }
      if (letters[known + 1] !== ':') {
        options.push({ letter, value: '' });
        continue;
      }
      const value = at + 1 < arg.length ? arg.slice(at + 1) : args[++index];
      if (value !== undefined) options.push({ letter, value });
      else if (manner === 'strict') {
        return { options, operands: [], problem: `option requires an argument -- ${letter}` };
      }
      break;
    }
  }
  return { options, operands: args.slice(index) };
}
