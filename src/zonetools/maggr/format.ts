/** The printf formats of maggr: one conversion of one number. */
const conversion = /%([-+ 0#]*)(\d+)?(?:\.(\d*))?([diucseEfFgGxXob%])/g;

/** @throws RangeError when a value that is not finite meets an integer conversion. */
export function formatNumber(format: string, value: number): string {
  return format.replace(conversion, (_, flags: string, width = '0', precision: string | undefined, letter: string) => {
    if (letter === '%') return '%';
    const digits = precision === undefined ? undefined : Number(precision);
    const body = convert(letter, Math.abs(value), digits, flags.includes('#'));
    if (letter === 'c' || letter === 's') return pad(letter === 's' ? String(value) : body, '', Number(width), flags);
    const sign = value < 0 ? '-' : /[+ ]/.exec(flags)?.[0] && (flags.includes('+') ? '+' : ' ');
    return pad(body, sign || '', Number(width), flags);
  });
}

function pad(body: string, sign: string, width: number, flags: string): string {
  const missing = Math.max(0, width - body.length - sign.length);
  if (flags.includes('-')) return sign + body + ' '.repeat(missing);
  return flags.includes('0') ? sign + '0'.repeat(missing) + body : ' '.repeat(missing) + sign + body;
}

function convert(letter: string, value: number, precision: number | undefined, alternate: boolean): string {
  switch (letter) {
    case 'd':
    case 'i':
    case 'u':
      return whole(value, 10).padStart(precision ?? 0, '0');
    case 'x':
      return (alternate ? '0x' : '') + whole(value, 16);
    case 'X':
      return (alternate ? '0X' : '') + whole(value, 16).toUpperCase();
    case 'o':
      return (alternate ? '0' : '') + whole(value, 8);
    case 'b':
      return (alternate ? '0b' : '') + whole(value, 2);
    case 'c':
      return String.fromCharCode(value);
    case 's':
      return String(value);
    case 'e':
      return exponent(value, precision);
    case 'E':
      return exponent(value, precision).toUpperCase();
    case 'g':
      return shortest(value, precision, alternate);
    case 'G':
      return shortest(value, precision, alternate).toUpperCase();
    default:
      return Number.isFinite(value) ? value.toFixed(precision ?? 6) : String(value);
  }
}

function whole(value: number, base: number): string {
  return BigInt(Math.trunc(value)).toString(base);
}

/** At least two digits after the `e`, as C does. */
function exponent(value: number, precision = 6): string {
  return value.toExponential(precision).replace(/e([-+])(\d)$/, 'e$10$2');
}

function shortest(value: number, precision = 6, alternate: boolean): string {
  if (!Number.isFinite(value)) return String(value);
  const significant = Math.max(1, precision);
  const power = value === 0 ? 0 : Number(value.toExponential(significant - 1).split('e')[1]);
  const isPlain = power >= -4 && power < significant;
  const text = isPlain ? value.toFixed(significant - 1 - power) : exponent(value, significant - 1);
  return alternate
    ? text
    : text.replace(/\.?0+(?=e|$)/, (zeros) => (zeros.startsWith('.') || text.includes('.') ? '' : zeros));
}
