/** `[Hh][Mm]S.mmms`: `0.007s`, `2m05.010s`, `26h00m00.000s`. @param ms negative counts as 0. */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor(whole / 60_000) % 60;
  const seconds = `${Math.floor(whole / 1000) % 60}`;
  const fraction = `${whole % 1000}`.padStart(3, '0');
  if (hours > 0) return `${hours}h${`${minutes}`.padStart(2, '0')}m${seconds.padStart(2, '0')}.${fraction}s`;
  if (minutes > 0) return `${minutes}m${seconds.padStart(2, '0')}.${fraction}s`;
  return `${seconds}.${fraction}s`;
}
