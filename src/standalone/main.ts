/** `marlin SUBCOMMAND`: one command starts every service. */
import dashdash, { type Option as OptionConfiguration } from 'dashdash';
import { endWithStandardOutput, outliveStandardOutput } from '../common/standard-output.js';
import { type Options, subcommands, UsageError } from './subcommands.js';

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  const subcommand = subcommands.find((row) => row.name === name);
  if (subcommand?.isService) outliveStandardOutput();
  else endWithStandardOutput('marlin');
  if (subcommand === undefined) {
    const asked = name === 'help' || name === '--help' || name === '-h';
    if (name !== undefined && !asked) process.stderr.write(`marlin: no subcommand "${name}"\n`);
    (asked ? process.stdout : process.stderr).write(usage());
    return asked ? 0 : 2;
  }
  const helpOption: OptionConfiguration = { names: ['help', 'h'], type: 'bool', help: 'Print this help.' };
  const parser = dashdash.createParser({ options: [...subcommand.options, helpOption] });
  try {
    const options = parse(parser, rest);
    if (options['help'] === true) {
      process.stdout.write(
        `usage: marlin ${subcommand.name} ${subcommand.args}\n\n${subcommand.help}\n\n${parser.help({ indent: 2 })}`,
      );
      return 0;
    }
    const operands = options['_args'] as string[];
    if (subcommand.operands !== true && operands[0] !== undefined)
      throw new UsageError(`unexpected argument: ${operands[0]}`);
    return await subcommand.run(options, operands);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(
      `marlin ${subcommand.name}: ${error.message}\nusage: marlin ${subcommand.name} ${subcommand.args}\n`,
    );
    return 2;
  }
}

function parse(parser: dashdash.Parser, args: readonly string[]): Options {
  try {
    return parser.parse({ argv: [...args], slice: 0, env: {} }) as unknown as Options;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function usage(): string {
  const rows = subcommands.map((row) => `    ${`${row.name} ${row.args}`.padEnd(20)} ${row.help}\n`);
  return `usage: marlin SUBCOMMAND [OPTIONS] [ARGUMENTS]\n\n${rows.join('')}\n"marlin SUBCOMMAND --help" lists its options.\n`;
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: Error) => {
    process.stderr.write(`marlin: ${error.message}\n`);
    process.exit(1); // what failed half-way may hold sockets and timers that would keep a dead service alive
  },
);
