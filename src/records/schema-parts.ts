/** What the schemas of several records have in common, and the type that a schema stands for. */

/**
 * The members that a schema names. Records may hold others (any value passes the check), and a copy by spread keeps
 * them; but no code of ours may write a member that no schema knows.
 */
export type Known<Members> = {
  readonly [Member in keyof Members as string extends Member ? never : Member]: Members[Member];
};

export const text = { type: 'string' } as const;
export const nonEmpty = { type: 'string', minLength: 1 } as const;
export const wholeNumber = { type: 'integer', minimum: 0 } as const;
/** ISO 8601, UTC, milliseconds; used as present or absent, because clocks drift. */
export const time = { type: 'string' } as const;
/** Indexed as text: written `"true"`, read as `"true"` or `"TRUE"`. Ask `isTrue` (flags.ts). */
export const flag = { type: ['string', 'boolean'] } as const;
/** Kind of record that another record's id goes with: jobinput, task, taskinput, taskoutput, error or none. */
export const link = { type: 'string' } as const;
