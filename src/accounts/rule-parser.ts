/**
 * The language of policies (Aperture), as far as a rule about one request needs it:
 *
 *   rule       = [ "*" ] CAN list [ list ] [ (WHEN | IF | WHERE) expression ]      actions, then resources
 *   list       = identifier { ("," | AND | "," AND) identifier }
 *   expression = term { OR term }       term = factor { AND factor }       factor = [ NOT ] ( comparison | "(" expression ")" )
 *   comparison = variable [ ("=" | "!=" | "<" | ">" | "<=" | ">=" | LIKE) value | IN "(" value { "," value } ")" ]
 *
 * Keywords are case-insensitive, `*` in identifiers stands for any characters, `variable::type` may name the type. A
 * rule that is not of this form grants nothing: to misread a rule could give away what it protects, to refuse it only
 * withholds.
 */

export type Operator = '=' | '!=' | '<' | '>' | '<=' | '>=' | 'like' | 'in';

export type Expression =
  | { readonly kind: 'or' | 'and'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'is true'; readonly variable: string; readonly type?: string | undefined }
  | {
      readonly kind: 'compare';
      readonly variable: string;
      readonly type?: string | undefined;
      readonly operator: Operator;
      readonly values: readonly string[];
    };

export interface Rule {
  readonly actions: readonly string[];
  /** Empty: whatever carries the role's tag. */
  readonly resources: readonly string[];
  readonly condition?: Expression;
}

/** @returns undefined for anything that is not a rule of the language above. */
export function parseRule(text: string): Rule | undefined {
  const tokens = tokenize(text);
  if (tokens === undefined) return undefined;
  const reader = new TokenReader(tokens);
  try {
    return readRule(reader);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

interface Token {
  readonly text: string;
  /** `name` may be a keyword; `text` was quoted and is none. */
  readonly kind: 'name' | 'text' | 'sign';
}

const maxRuleCharacters = 4096;
const maxDepth = 50;
const tokenPattern = /\s*(?:"((?:[^"\\]|\\.)*)"|(==|!=|<=|>=|[=<>,()])|((?:[^\s,()=<>!"\\]|\\.)+))/y;

function tokenize(text: string): readonly Token[] | undefined {
  if (text.length > maxRuleCharacters) return undefined;
  const source = text.trim();
  const tokens: Token[] = [];
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < source.length) {
    const match = tokenPattern.exec(source);
    if (match === null) return undefined;
    const [, quoted, sign, name] = match;
    if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted.replaceAll(/\\(.)/g, '$1') });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign === '==' ? '=' : sign });
    else tokens.push({ kind: 'name', text: name ?? '' });
  }
  return tokens;
}

class TokenReader {
  private index = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get atEnd(): boolean {
    return this.index === this.tokens.length;
  }

  isKeyword(...words: readonly string[]): boolean {
    const token = this.tokens[this.index];
    return token?.kind === 'name' && words.includes(token.text.toLowerCase());
  }

  isSign(...signs: readonly string[]): boolean {
    const token = this.tokens[this.index];
    return token?.kind === 'sign' && signs.includes(token.text);
  }

  /** Steps over the next token if it is this keyword. */
  takeKeyword(...words: readonly string[]): boolean {
    if (!this.isKeyword(...words)) return false;
    this.index++;
    return true;
  }

  takeSign(sign: string): boolean {
    if (!this.isSign(sign)) return false;
    this.index++;
    return true;
  }

  next(): Token {
    const token = this.tokens[this.index++];
    if (token === undefined) throw new SyntaxError('the rule ends too early');
    return token;
  }

  word(): string {
    const token = this.next();
    if (token.kind === 'sign' || (token.kind === 'name' && reserved.has(token.text.toLowerCase())))
      throw new SyntaxError(`unexpected "${token.text}"`);
    return token.text;
  }
}

const reserved = new Set(['can', 'and', 'or', 'not', 'when', 'if', 'where', 'in', 'like']);

function readRule(reader: TokenReader): Rule {
  if (!reader.isKeyword('can') && reader.word() !== '*')
    throw new SyntaxError('rules for principals are not supported');
  if (!reader.takeKeyword('can')) throw new SyntaxError('CAN is missing');
  const actions = readList(reader).map((action) => action.toLowerCase());
  const resources = reader.atEnd || reader.isKeyword('when', 'if', 'where') ? [] : readList(reader);
  if (reader.atEnd) return { actions, resources };
  if (!reader.takeKeyword('when', 'if', 'where')) throw new SyntaxError('unexpected words after the resources');
  const condition = readOr(reader, 0);
  if (!reader.atEnd) throw new SyntaxError('unexpected words after the condition');
  return { actions, resources, condition };
}

function readList(reader: TokenReader): readonly string[] {
  const items = [reader.word()];
  for (;;) {
    const comma = reader.takeSign(',');
    const and = reader.takeKeyword('and');
    if (!comma && !and) return items;
    items.push(reader.word());
  }
}

function readOr(reader: TokenReader, depth: number): Expression {
  let left = readAnd(reader, depth);
  while (reader.takeKeyword('or')) left = { kind: 'or', left, right: readAnd(reader, depth) };
  return left;
}

function readAnd(reader: TokenReader, depth: number): Expression {
  let left = readFactor(reader, depth);
  while (reader.takeKeyword('and')) left = { kind: 'and', left, right: readFactor(reader, depth) };
  return left;
}

function readFactor(reader: TokenReader, depth: number): Expression {
  if (depth > maxDepth) throw new SyntaxError('the condition is nested too deeply');
  if (reader.takeKeyword('not')) return { kind: 'not', of: readFactor(reader, depth + 1) };
  if (!reader.takeSign('(')) return readComparison(reader);
  const inner = readOr(reader, depth + 1);
  if (!reader.takeSign(')')) throw new SyntaxError('")" is missing');
  return inner;
}

const comparisons = ['=', '!=', '<', '>', '<=', '>='] as const;

function readComparison(reader: TokenReader): Expression {
  const [variable = '', type, ...more] = reader.word().split('::');
  if (variable === '' || more.length > 0) throw new SyntaxError('a variable is missing');
  const operator = comparisons.find((sign) => reader.takeSign(sign));
  if (operator !== undefined) return { kind: 'compare', variable, type, operator, values: [reader.word()] };
  if (reader.takeKeyword('like')) return { kind: 'compare', variable, type, operator: 'like', values: [reader.word()] };
  if (!reader.takeKeyword('in')) return { kind: 'is true', variable, type };
  if (!reader.takeSign('(')) throw new SyntaxError('"(" is missing');
  const values = readList(reader);
  if (!reader.takeSign(')')) throw new SyntaxError('")" is missing');
  return { kind: 'compare', variable, type, operator: 'in', values };
}
