/** Lines of `mrjob get`: a label, right-aligned, and its text. */
export type Labelled = (label: string, text: string) => void;

const labelWidth = 10;

/** Stands for what was not fetched. */
export const more = `${' '.repeat(labelWidth + 1)}...`;

export function labelledPrinter(print: (line: string) => void): Labelled {
  return (label, text) => print(`${label.padStart(labelWidth)} ${text}`.trimEnd());
}
