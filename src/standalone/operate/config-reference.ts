/** The reference page of all configuration files, made from the schemas that check them. */
import { configSchemas } from './config-schemas.js';

interface Node {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
}

export function configReference(): string {
  const sections = Object.entries(configSchemas).map(([service, schema]) => {
    const rows = [...rowsOf(schema as Node, '')].join('\n');
    return `## ${service}\n\n| member | type | default | meaning |\n|---|---|---|---|\n${rows}\n`;
  });
  return `# Configuration

One JSON file per service, given to \`marlin SERVICE FILE\`. \`marlin config check FILE\` says what is wrong with one, by key
and value; members that a service does not know are reported and ignored. This page is made by \`marlin config reference\`
from the schemas that check the files.

${sections.join('\n')}`;
}

function* rowsOf(node: Node, prefix: string): Generator<string> {
  for (const [name, member] of Object.entries(node.properties ?? {})) {
    const isRequired = node.required?.includes(name) === true;
    const fallback = isRequired ? '**required**' : defaultOf(member);
    yield `| \`${prefix}${name}\` | ${typeOf(member)} | ${fallback} | ${(member.description ?? '').replaceAll('|', '\\|')} |`;
    yield* rowsOf(member, `${prefix}${name}.`);
    if (member.items?.properties !== undefined) yield* rowsOf(member.items, `${prefix}${name}[].`);
  }
}

function typeOf({ type, enum: values, minimum, maximum, items }: Node): string {
  if (values !== undefined) return values.map((value) => `\`${JSON.stringify(value)}\``).join(', ');
  const name = type === 'array' ? `list of ${items?.type ?? 'any'}` : [type].flat().join(' or ');
  if (minimum !== undefined && maximum !== undefined) return `${name}, ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${name}, at least ${minimum}`;
  return maximum === undefined ? name : `${name}, at most ${maximum}`;
}

function defaultOf({ default: value }: Node): string {
  return value === undefined || JSON.stringify(value) === '{}' ? '' : `\`${JSON.stringify(value)}\``;
}
