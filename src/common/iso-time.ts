/** The time format of every record: `YYYY-MM-DDThh:mm:ss.sssZ`. @param ms since the Unix epoch. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
