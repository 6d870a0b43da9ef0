/**
 * Commands as tables. A program is a command, or a list of subcommands; each says its name, arguments, options and
 * help, and has a thin handler that calls library code and returns the exit status. Usage, help, manual pages,
 * completion and checks of options come from the tables. Conventions: a usage error prints the usage to standard error
 * and exits 2; what is thrown is printed after the name of the program and exits 1; asking for help exits 2, as
 * operators' scripts know it.
 */
import dashdash from 'dashdash';
import VError from 'verror';

export interface CommandOption {
  readonly names: readonly string[];
  readonly type: 'bool' | 'string' | 'arrayOfString';
  readonly help: string;
  readonly helpArg?: string;
}

/** An option as it was given, in the order of the command line. */
export interface GivenOption {
  /** The first of its names. */
  readonly name: string;
  readonly value: string;
}

export interface Invocation<Context> {
  readonly args: readonly string[];
  readonly given: readonly GivenOption[];
  /** Whether a switch was given. */
  readonly has: (name: string) => boolean;
  /** The last value given to an option. */
  readonly value: (name: string) => string | undefined;
  readonly context: Context;
  /** To standard output, with an end of line. */
  readonly print: (line: string) => void;
  /** To standard error, with an end of line. */
  readonly complain: (line: string) => void;
}

export interface Command<Context> {
  readonly name: string;
  /** How the usage shows the arguments: `jobid`, `jobid [key ...]`. */
  readonly args: string;
  /** How many arguments there must be. */
  readonly argCount: { readonly least: number; readonly most: number };
  readonly help: string;
  readonly options: readonly CommandOption[];
  /** @returns the exit status. @throws `usageError` for exit status 2, anything else for 1. */
  readonly run: (invocation: Invocation<Context>) => Promise<number>;
}

export interface Program<Context> {
  readonly name: string;
  /** One line: what it is for. */
  readonly summary: string;
  /** Its subcommands; a program without any is the one command of its own name. */
  readonly commands: readonly Command<Context>[];
  /** Follows the help. */
  readonly notes: readonly string[];
}

/** A program without subcommands. */
export function programOf<Context>(command: Command<Context>, notes: readonly string[] = []): Program<Context> {
  return { name: command.name, summary: command.help, commands: [command], notes };
}

export function hasSubcommands({ name, commands }: Pick<Program<never>, 'name' | 'commands'>): boolean {
  return commands.length !== 1 || commands[0]?.name !== name;
}

export interface Streams {
  readonly stdout: Pick<NodeJS.WritableStream, 'write'>;
  readonly stderr: Pick<NodeJS.WritableStream, 'write'>;
}

/** @param message null to show the usage without a complaint. */
export function usageError(message: string | null): Error {
  return new VError({ name: 'UsageError', info: { isSilent: message === null } }, '%s', message ?? 'usage');
}

/** @returns the exit status. */
export async function runProgram<Context>(
  program: Program<Context>,
  argv: readonly string[],
  context: Context,
  { stdout, stderr }: Streams,
): Promise<number> {
  const complain = (line: string) => void stderr.write(`${line}\n`);
  const [name, ...rest] = hasSubcommands(program) ? argv : [program.name, ...argv];
  const asked = argv[0];
  const takesH = !hasSubcommands(program) && program.commands[0]?.options.some(({ names }) => names.includes('h'));
  if (asksForHelp(asked) && !(asked === '-h' && takesH === true)) {
    complain(helpOf(program));
    return 2;
  }
  const command = program.commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    complain(usageOf(program));
    return 2;
  }
  if (hasSubcommands(program) && asksForHelp(rest[0])) {
    complain(`usage: ${sectionOf(program, command).trimEnd()}`);
    return 2;
  }
  try {
    const print = (line: string) => void stdout.write(`${line}\n`);
    return await command.run({ ...parsed(command, rest), context, print, complain });
  } catch (error) {
    const isUsage = VError.findCauseByName(error as Error, 'UsageError') !== null;
    const isSilent = isUsage && VError.info(error as Error)['isSilent'] === true;
    if (!isSilent) complain(`${program.name}: ${(error as Error).message}`);
    if (!isUsage) return 1;
    complain(`usage: ${synopsisOf(program, command)}`);
    return 2;
  }
}

function asksForHelp(word: string | undefined): boolean {
  return word === '-h' || word === '-?' || word === '--help';
}

/** What dashdash gives, which its types call by another name. `key` is the first name of the option. */
interface OrderedOption {
  readonly key: string;
  readonly value: unknown;
}

function parsed(command: Command<never>, argv: readonly string[]) {
  const parser = dashdash.createParser({
    options: command.options.map((option) => ({ ...option, names: [...option.names] })),
    interspersed: false,
  });
  let results: dashdash.Results;
  try {
    results = parser.parse({ argv: [...argv], slice: 0, env: {} });
  } catch (error) {
    throw usageError(inGetoptWords((error as Error).message));
  }
  const args = results._args;
  const { least, most } = command.argCount;
  if (args.length < least || args.length > most) throw usageError(null);
  const given = (results._order as unknown as readonly OrderedOption[]).map(
    ({ key, value }): GivenOption => ({ name: key, value: String(value) }),
  );
  return {
    args,
    given,
    has: (name: string) => given.some((option) => option.name === name),
    value: (name: string) => given.filter((option) => option.name === name).at(-1)?.value,
  };
}

/** Scripts and people know these sentences from getopt. */
// biome-ignore format: table
const sentences: readonly [pattern: RegExp, sentence: string][] = [
  [/^unknown option: "-*([^"]*)"/,                              'illegal option -- $1'],
  [/^do not have enough args for "-*([^"]*)" option.*/,         'option requires an argument -- $1'],
  [/^argument given to "-*([^"]*)" option that does not take.*/, 'option expects no argument -- $1'],
];

function inGetoptWords(message: string): string {
  for (const [pattern, sentence] of sentences) if (pattern.test(message)) return message.replace(pattern, sentence);
  return message;
}

function usageOf<Context>(program: Program<Context>): string {
  if (!hasSubcommands(program)) {
    return program.commands.map((command) => `usage: ${synopsisOf(program, command)}`).join('\n');
  }
  const lines = program.commands.map((command) => `    ${synopsisOf(program, command)}`);
  return ['usage:', ...lines].join('\n');
}

/** `mrjob get [-i] [-l limit] jobid` */
export function synopsisOf<Context>(program: Program<Context>, command: Command<Context>): string {
  const options = command.options.map(({ names, type, helpArg = 'value' }) => {
    const [name = ''] = names;
    const flag = name.length === 1 ? `-${name}` : `--${name}`;
    return type === 'bool' ? `[${flag}]` : `[${flag} ${helpArg}]`;
  });
  const words = hasSubcommands(program) ? [program.name, command.name] : [program.name];
  return [...words, ...options, command.args].filter((word) => word !== '').join(' ');
}

function helpOf<Context>(program: Program<Context>): string {
  const sections = program.commands.map((command) => sectionOf(program, command));
  return [usageOf(program), '', ...sections, ...program.notes].join('\n');
}

/** The synopsis, unless the usage is that already; what the command is for, and its options. */
function sectionOf<Context>(program: Program<Context>, command: Command<Context>): string {
  const parser = dashdash.createParser({
    options: command.options.map((option) => ({ ...option, names: [...option.names] })),
  });
  const head = hasSubcommands(program) ? `${synopsisOf(program, command)}\n` : '';
  return `${head}    ${command.help}\n${parser.help({ indent: 8 })}`;
}
