/**
 * Which reducer gets a line. A key is taken from the line (fields of text, properties of JSON, or what a piece of the
 * user's JavaScript makes of it) and hashed, or is the reducer's number itself. Source: spec 06 §5.4.
 */
import { createHash } from 'node:crypto';
import { wholeNumber } from '../../common/whole-number.js';

export interface KeyOptions {
  readonly delimiter: string;
  /** 1-based columns, or dotted paths with `json`. */
  readonly fields: readonly string[];
  readonly json: boolean;
  /** JavaScript function body of `line`. */
  readonly expression: string | undefined;
  readonly keyIsReducer: boolean;
  readonly reducerCount: number;
}

/** The user's input or program is at fault: the message is printed, and the tool exits 1. */
export class BadInput extends Error {}

/** @returns a function from a line to its reducer. @throws SyntaxError when the expression is none. */
export function createChooser(options: KeyOptions): (line: string) => number {
  const keyOf = createKeyReader(options);
  const { keyIsReducer, reducerCount } = options;
  if (!keyIsReducer) return (line) => hashKey(String(keyOf(line))) % reducerCount;
  return (line) => {
    const key = keyOf(line);
    const reducer = Number.parseInt(String(key), 10);
    if (reducer >= 0 && reducer < reducerCount) return reducer;
    throw new BadInput(
      `Parsed ${key} as ${reducer} out of line: ${line}\nWhich is not a number or not within the valid range of reducers.`,
    );
  };
}

/** First 32 bits of the MD5 of the key's UTF-8 bytes. */
function hashKey(key: string): number {
  return createHash('md5').update(key).digest().readUInt32BE(0);
}

function createKeyReader(options: KeyOptions): (line: string) => string | number {
  const { delimiter, fields, json } = options;
  if (options.expression !== undefined) return createEvaluator(options.expression, options);
  if (json) return (line) => jsonKey(parseJson(line), fields).join(delimiter);
  const columns = fields.map((field) => wholeNumber(field) - 1);
  return (line) => {
    const parts = line.split(delimiter);
    return columns
      .map((column) => parts[column] ?? '')
      .filter((part) => part !== '')
      .join(delimiter);
  };
}

function jsonKey(value: unknown, paths: readonly string[]): string[] {
  return paths
    .map((path) => follow(value, path))
    .filter((found) => found !== undefined)
    .map(String);
}

function follow(value: unknown, path: string): unknown {
  let at: unknown = value;
  for (const name of path.split('.')) at = (at as Record<string, unknown> | null | undefined)?.[name];
  return at;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new BadInput(`error: input is not json: ${line}`);
  }
}

function createEvaluator(expression: string, { json, keyIsReducer }: KeyOptions): (line: string) => string | number {
  const body = expression.includes('return') ? expression : `return (${expression.trim().replace(/;$/, '')})`;
  const evaluate = new Function('line', body);
  const types = keyIsReducer ? ['string', 'number'] : ['string'];
  return (line) => {
    const key: unknown = evaluate.call(json ? parseJson(line) : { line }, line);
    if (types.includes(typeof key)) return key as string | number;
    throw new BadInput(`${key} must be one of types [${types.join(', ')}], but was type ${typeof key}`);
  };
}
