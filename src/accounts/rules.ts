/**
 * Whether a rule grants an action: each variable of a condition has a type, and each type knows its comparisons. A
 * variable that the request does not have, an unknown one, a value or an operator that the type does not know: the rule
 * grants nothing, also under a NOT, since nobody can say what its author would have wanted.
 */
import net from 'node:net';
import { type Expression, type Operator, parseRule, type Rule } from './rule-parser.js';
import type { Conditions, RuleText } from './types.js';

export interface RuleQuestion {
  readonly action: string;
  /** Every name of the resource: by account UUID and by login. */
  readonly names: readonly string[];
  readonly conditions: Conditions;
}

/** Whether the rule names resources itself, so that it counts also for what does not carry the role's tag. */
export function namesResources(text: RuleText): boolean {
  const rule = parsed(text);
  return rule !== undefined && rule.resources.length > 0;
}

export function ruleAllows(text: RuleText, question: RuleQuestion): boolean {
  const rule = parsed(text);
  if (rule === undefined) return false;
  if (!rule.actions.some((pattern) => matches(pattern, question.action))) return false;
  const named = ({ resources }: Rule) =>
    resources.some((pattern) => question.names.some((name) => matches(pattern, name)));
  if (rule.resources.length > 0 && !named(rule)) return false;
  return rule.condition === undefined || isTrue(rule.condition, question.conditions) === true;
}

const parsedRules = new Map<string, Rule | null>();
const maxParsedRules = 10_000;

function parsed(text: RuleText): Rule | undefined {
  const source: unknown = typeof text === 'string' ? text : text[0];
  if (typeof source !== 'string') return undefined;
  let rule = parsedRules.get(source);
  if (rule === undefined) {
    if (parsedRules.size >= maxParsedRules) parsedRules.clear();
    rule = parseRule(source) ?? null;
    parsedRules.set(source, rule);
  }
  return rule ?? undefined;
}

/** `*` in a pattern stands for any characters. Greedy with one way back, so that no pattern takes long. */
export function matches(pattern: string, text: string): boolean {
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first)) return false;
  let position = first.length;
  for (const part of parts) {
    const found = text.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  return text.length - last.length >= position && text.endsWith(last);
}

/** undefined: cannot be told. */
type Truth = boolean | undefined;

function isTrue(expression: Expression, conditions: Conditions): Truth {
  switch (expression.kind) {
    case 'not': {
      const truth = isTrue(expression.of, conditions);
      return truth === undefined ? undefined : !truth;
    }
    case 'and':
    case 'or': {
      const left = isTrue(expression.left, conditions);
      const right = isTrue(expression.right, conditions);
      if (left === undefined || right === undefined) return undefined;
      return expression.kind === 'and' ? left && right : left || right;
    }
    case 'is true':
      return compare({ ...expression, operator: '=', values: ['true'] }, conditions);
    case 'compare':
      return compare(expression, conditions);
  }
}

interface Comparison {
  readonly variable: string;
  readonly type?: string | undefined;
  readonly operator: Operator;
  readonly values: readonly string[];
}

type VariableType = 'date' | 'day' | 'time' | 'boolean' | 'string' | 'ip';

/** Names as rules write them, and what each is made of. */
const variables: Readonly<Record<string, { readonly type: VariableType; readonly from: keyof Conditions }>> = {
  date: { type: 'date', from: 'date' },
  day: { type: 'day', from: 'date' },
  time: { type: 'time', from: 'date' },
  fromjob: { type: 'boolean', from: 'fromjob' },
  method: { type: 'string', from: 'method' },
  owner: { type: 'string', from: 'owner' },
  sourceip: { type: 'ip', from: 'sourceip' },
  'user-agent': { type: 'string', from: 'user-agent' },
  overwrite: { type: 'boolean', from: 'overwrite' },
};

function compare(comparison: Comparison, conditions: Conditions): Truth {
  const variable = Object.hasOwn(variables, comparison.variable) ? variables[comparison.variable] : undefined;
  if (variable === undefined) return undefined;
  if (comparison.type !== undefined && !sameType(comparison.type, variable.type)) return undefined;
  const actual: unknown = conditions[variable.from];
  if (comparison.operator === 'in')
    return anyOf(comparison.values, (value) => compareOne(variable.type, actual, '=', value));
  return compareOne(variable.type, actual, comparison.operator, comparison.values[0] ?? '');
}

function sameType(written: string, type: VariableType): boolean {
  return written === type || (written === 'bool' && type === 'boolean') || (written === 'str' && type === 'string');
}

function anyOf(values: readonly string[], test: (value: string) => Truth): Truth {
  let any = false;
  for (const value of values) {
    const truth = test(value);
    if (truth === undefined) return undefined;
    any ||= truth;
  }
  return any;
}

function compareOne(type: VariableType, actual: unknown, operator: Operator, value: string): Truth {
  switch (type) {
    case 'string':
      if (typeof actual !== 'string') return undefined;
      if (operator === 'like') return matches(value, actual);
      return ordered(actual, operator, value);
    case 'boolean': {
      if (value !== 'true' && value !== 'false') return undefined;
      const same = (actual === true) === (value === 'true');
      return equality(same, operator);
    }
    case 'date':
      return ordered(instant(actual), operator, instant(value));
    case 'day':
      return ordered(dayOf(actual), operator, dayIndex(value));
    case 'time':
      return ordered(secondsOf(actual), operator, seconds(value));
    case 'ip': {
      const within = isWithin(actual, value);
      return within === undefined ? undefined : equality(within, operator);
    }
  }
}

function equality(same: boolean, operator: Operator): Truth {
  if (operator === '=') return same;
  return operator === '!=' ? !same : undefined;
}

function ordered<T extends string | number>(left: T | undefined, operator: Operator, right: T | undefined): Truth {
  if (left === undefined || right === undefined) return undefined;
  switch (operator) {
    case '<':
      return left < right;
    case '>':
      return left > right;
    case '<=':
      return left <= right;
    case '>=':
      return left >= right;
    default:
      return equality(left === right, operator);
  }
}

function instant(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const ms = new Date(value).getTime();
  return Number.isNaN(ms) ? undefined : ms;
}

const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

function dayOf(value: unknown): number | undefined {
  const ms = instant(value);
  return ms === undefined ? undefined : new Date(ms).getUTCDay();
}

/** `Monday`, `mon` or `1`. */
function dayIndex(value: string): number | undefined {
  if (/^[0-6]$/.test(value)) return Number(value);
  const name = value.toLowerCase();
  const index = days.findIndex((day) => day === name || (name.length >= 3 && day.startsWith(name)));
  return index < 0 ? undefined : index;
}

/** Seconds since midnight, UTC. */
function secondsOf(value: unknown): number | undefined {
  const ms = instant(value);
  return ms === undefined ? undefined : Math.floor((ms % 86_400_000) / 1000);
}

/** `hh:mm` or `hh:mm:ss`, UTC. */
function seconds(value: string): number | undefined {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/.exec(value);
  if (match === null) return undefined;
  return Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3] ?? 0);
}

/** @param range an address, or `address/bits`. */
function isWithin(address: unknown, range: string): Truth {
  if (typeof address !== 'string') return undefined;
  const [base = '', bits, ...more] = range.split('/');
  const family = net.isIP(base);
  if (family === 0 || net.isIP(address) === 0 || more.length > 0) return undefined;
  const length = Number(bits ?? (family === 4 ? 32 : 128));
  if (!Number.isInteger(length) || length < 0 || length > (family === 4 ? 32 : 128)) return undefined;
  const list = new net.BlockList();
  list.addSubnet(base, length, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(address, net.isIP(address) === 4 ? 'ipv4' : 'ipv6');
}
