/** Filters as plain data: parsed by the ecosystem's own parser, so that the grammar is exactly Moray's. */
import filters from 'moray-filter';
import { invalidQuery } from '../errors.js';

/** Text around the unescaped stars of a substring. */
export interface Pattern {
  readonly initial: string;
  readonly any: readonly string[];
  readonly final: string;
}

export type Filter =
  | { readonly op: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly op: 'not'; readonly filter: Filter }
  | { readonly op: 'eq' | 'ge' | 'le' | 'approx'; readonly attribute: string; readonly value: string }
  | { readonly op: 'present'; readonly attribute: string }
  | { readonly op: 'substring'; readonly attribute: string; readonly pattern: Pattern }
  | {
      readonly op: 'ext';
      readonly attribute: string;
      readonly rule: string;
      readonly value: string;
      readonly pattern: Pattern | null;
    };

export interface ParsedFilter {
  readonly root: Filter;
  /** As the client sent it. */
  readonly raw: string;
  /** As written out again, for messages. */
  readonly text: string;
}

/** @throws InvalidQueryError */
export function parseFilter(raw: string): ParsedFilter {
  try {
    return {
      root: parseByShape(raw),
      raw,
      get text() {
        return filters.parse(raw).toString();
      },
    };
  } catch {
    throw invalidQuery(raw); // the parser's own words name positions inside itself
  }
}

/**
 * Clients ask few questions, again and again, with other values: `(&(jobId=J)(state=done))`. What the parser makes of a
 * text is therefore kept under its *shape*, in which a mark stands for every plain value, and the values are put into
 * a copy. A text that could be mistaken for a mark, or in which a value may begin where we do not see it, goes straight
 * to the parser.
 */
const shapes = new Map<string, Filter>();
const maxShapes = 500;
const mark = '\u0001';
const plainValue = /(?<=\([-\w]+[<>]?=)[-\w.:]+(?=\))/g;

function parseByShape(raw: string): Filter {
  if (raw.includes(mark) || raw.includes('\\')) return convert(filters.parse(raw));
  const values: string[] = [];
  const shape = raw.replace(plainValue, (value) => mark + (values.push(value) - 1));
  let template = shapes.get(shape);
  if (template === undefined) {
    template = convert(filters.parse(shape));
    const [oldest] = shapes.keys();
    if (shapes.size >= maxShapes && oldest !== undefined) shapes.delete(oldest);
    shapes.set(shape, template);
  }
  return values.length === 0 ? template : withValues(template, values);
}

function withValues(node: Filter, values: readonly string[]): Filter {
  if ('filters' in node) return { op: node.op, filters: node.filters.map((child) => withValues(child, values)) };
  if ('filter' in node) return { op: 'not', filter: withValues(node.filter, values) };
  if (node.op !== 'eq' && node.op !== 'ge' && node.op !== 'le') return node;
  if (!node.value.startsWith(mark)) return node;
  return { op: node.op, attribute: node.attribute, value: values[Number(node.value.slice(1))] ?? '' };
}

/** The attributes of all leaves, each once, in order. */
export function attributesOf(filter: Filter): readonly string[] {
  const found = new Set<string>();
  const visit = (node: Filter): void => {
    if ('filters' in node) node.filters.forEach(visit);
    else if ('filter' in node) visit(node.filter);
    else found.add(node.attribute);
  };
  visit(filter);
  return [...found];
}

function convert(node: filters.Parsed): Filter {
  const attribute = node.attribute ?? '';
  switch (node.type) {
    case 'and':
    case 'or':
      return { op: node.type, filters: (node.filters ?? []).map(convert) };
    case 'not':
      if (node.filter === undefined) throw new Error('nothing to negate');
      return { op: 'not', filter: convert(node.filter) };
    case 'equal':
      return { op: 'eq', attribute, value: String(node.value) };
    case 'ge':
    case 'le':
    case 'approx':
      return { op: node.type, attribute, value: String(node.value) };
    case 'present':
      return { op: 'present', attribute };
    case 'substring':
      return { op: 'substring', attribute, pattern: patternOf(node) };
    case 'ext':
      return {
        op: 'ext',
        attribute,
        rule: node.rule ?? '',
        value: String(node.value),
        pattern: node.initial === undefined ? null : patternOf(node),
      };
    default:
      throw new Error(`unknown kind of filter "${node.type}"`);
  }
}

function patternOf(node: filters.Parsed): Pattern {
  return { initial: node.initial ?? '', any: node.any ?? [], final: node.final ?? '' };
}
