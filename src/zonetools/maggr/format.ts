/**
 * printf for one number: `%[-+ 0#][width][.precision]` with d i u c s e E f F g G x X o b, and `%%`. Every conversion of a
 * pattern shows the same number. Without a pattern numbers print in their shortest form that reads back the same.
 */

interface Conversion {
  readonly flags: string;
  readonly precision: number | undefined;
  readonly letter: string;
}

/** @throws Error for a number that has no such form, as infinity has none in `%d`. */
export function formatNumber(value: number, pattern: string | undefined): string {
  if (pattern === undefined) return String(value);
  return pattern.replace(
    /%([-+ 0#]*)(\d*)(?:\.(\d*))?([diucseEfFgGxXob%])/g,
    (_, flags: string, width: string, precision: string | undefined, letter: string) => {
      if (letter === '%') return '%';
      const digits = precision === undefined ? undefined : Math.min(100, Number(precision));
      const { sign, prefix, text } = convert(value, { flags, precision: digits, letter });
      return pad({ sign: sign + prefix, text, flags, width: Number(width), isNumber: Number.isFinite(value) });
    },
  );
}

interface Converted {
  readonly sign: string;
  readonly prefix: string;
  readonly text: string;
}

const radixes: Readonly<Record<string, { readonly radix: number; readonly prefix: string }>> = {
  x: { radix: 16, prefix: '0x' },
  X: { radix: 16, prefix: '0X' },
  o: { radix: 8, prefix: '0' },
  b: { radix: 2, prefix: '0b' },
};

function convert(value: number, { flags, precision, letter }: Conversion): Converted {
  if (letter === 's') return { sign: '', prefix: '', text: String(value).slice(0, precision) };
  if (letter === 'c') return { sign: '', prefix: '', text: String.fromCodePoint(wholePart(value, letter)) };
  const sign = value < 0 || Object.is(value, -0) ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const size = Math.abs(value);
  if (/[eEfFgG]/.test(letter)) {
    const text = Number.isFinite(size) ? floating(size, { flags, precision, letter }) : String(size);
    return { sign, prefix: '', text: /[EG]/.test(letter) ? text.toUpperCase() : text };
  }
  const whole = wholePart(value, letter);
  const { radix, prefix } = radixes[letter] ?? { radix: 10, prefix: '' };
  const digits = BigInt(Math.abs(whole))
    .toString(radix)
    .padStart(precision ?? 0, '0');
  return {
    sign: whole === 0 && sign === '-' ? '' : sign,
    prefix: flags.includes('#') ? prefix : '',
    text: letter === 'X' ? digits.toUpperCase() : digits,
  };
}

function wholePart(value: number, letter: string): number {
  if (!Number.isFinite(value)) throw new Error(`${value} cannot be formatted by "%${letter}"`);
  return Math.trunc(value);
}

function floating(size: number, { flags, precision = 6, letter }: Conversion): string {
  switch (letter.toLowerCase()) {
    case 'f':
      return fixed(size, precision);
    case 'e':
      return exponential(size, precision);
    default:
      return general(size, Math.max(1, precision), flags.includes('#'));
  }
}

/** `toFixed` goes over to exponents at 1e21; such numbers have no fraction. */
function fixed(size: number, precision: number): string {
  if (size < 1e21) return size.toFixed(precision);
  return BigInt(size).toString() + (precision > 0 ? `.${'0'.repeat(precision)}` : '');
}

function exponential(size: number, precision: number): string {
  return size.toExponential(precision).replace(/e([-+])(\d)$/, 'e$10$2'); // two digits at least
}

/** The shorter of both, without the zeros at its end. */
function general(size: number, precision: number, keepZeros: boolean): string {
  const exponent = Number(/e(.*)$/.exec(size.toExponential(precision - 1))?.[1]);
  const text =
    exponent < -4 || exponent >= precision ? exponential(size, precision - 1) : fixed(size, precision - 1 - exponent);
  return keepZeros ? text : text.replace(/(\.\d*?)0+(e|$)/, '$1$2').replace(/\.(e|$)/, '$1');
}

interface Padding {
  readonly sign: string;
  readonly text: string;
  readonly flags: string;
  readonly width: number;
  /** Zeros are only put before digits. */
  readonly isNumber: boolean;
}

function pad({ sign, text, flags, width, isNumber }: Padding): string {
  if (flags.includes('-')) return (sign + text).padEnd(width);
  if (flags.includes('0') && isNumber) return sign + text.padStart(width - sign.length, '0');
  return (sign + text).padStart(width);
}
