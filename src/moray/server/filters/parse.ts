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
    const parsed = filters.parse(raw);
    return { root: convert(parsed), raw, text: parsed.toString() };
  } catch {
    throw invalidQuery(raw); // the parser's own words name positions inside itself
  }
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
