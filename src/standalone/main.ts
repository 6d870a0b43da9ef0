/**
 * `marlin SUBCOMMAND`: one command starts every service. Each row loads only what its service needs, so that a service
 * starts fast and a missing dependency of one cannot stop another.
 */
interface Subcommand {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  /** Resolves to the exit status. */
  readonly run: (args: readonly string[]) => Promise<number>;
}

const subcommands: readonly Subcommand[] = [];

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...args] = argv;
  const subcommand = subcommands.find((row) => row.name === name);
  if (subcommand === undefined) {
    if (name !== undefined && name !== 'help' && name !== '--help' && name !== '-h') {
      process.stderr.write(`marlin: no subcommand "${name}"\n`);
    }
    process.stderr.write(usage());
    return 2;
  }
  return subcommand.run(args);
}

function usage(): string {
  const rows = subcommands.map((row) => `    ${`${row.name} ${row.usage}`.padEnd(44)} ${row.help}\n`);
  return `usage: marlin SUBCOMMAND [ARGUMENTS]\n\n${rows.join('')}`;
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: Error) => {
    process.stderr.write(`marlin: ${error.message}\n`);
    process.exitCode = 1;
  },
);
