/**
 * Writes the manual pages and the completions of all commands, from the tables that the commands are made of.
 *
 * usage: node build/tools/build/pages.js DIRECTORY
 */
import fs from 'node:fs';
import path from 'node:path';
import { hasSubcommands, type Program, synopsisOf } from '../../src/cli/command.js';
import type { CliContext } from '../../src/cli/context.js';
import { programs } from '../../src/cli/programs.js';
import { subcommands, summary } from '../../src/standalone/subcommands.js';

const [target = 'build/share'] = process.argv.slice(2);
const manDirectory = path.join(target, 'man', 'man1');
const completionDirectory = path.join(target, 'bash-completion', 'completions');
for (const directory of [manDirectory, completionDirectory]) fs.mkdirSync(directory, { recursive: true });

interface PageCommand {
  readonly name: string;
  readonly synopsis: string;
  readonly help: string;
  readonly options: readonly { names: readonly string[]; type: string; help: string; helpArg: string | undefined }[];
}

interface Page {
  readonly name: string;
  readonly summary: string;
  readonly hasSubcommands: boolean;
  readonly commands: readonly PageCommand[];
  readonly notes: readonly string[];
  readonly exitStatus: string;
}

const operatorPages = await Promise.all(Object.values(programs).map(async (load) => operatorPage(await load())));
for (const page of [marlinPage(), ...operatorPages]) {
  fs.writeFileSync(path.join(manDirectory, `${page.name}.1`), manualPage(page));
  fs.writeFileSync(path.join(completionDirectory, page.name), completion(page));
}

function operatorPage(program: Program<CliContext>): Page {
  const { name, summary, notes } = program;
  const commands = program.commands.map((command) => ({
    name: command.name,
    synopsis: synopsisOf(program, command),
    help: command.help,
    options: command.options.map((option) => ({ ...option, helpArg: option.helpArg })),
  }));
  const exitStatus = '0: done. 1: it failed, and standard error says why. 2: wrong usage, or help was asked for.';
  return { name, summary, hasSubcommands: hasSubcommands(program), commands, notes, exitStatus };
}

function marlinPage(): Page {
  const commands = subcommands.map(({ name, args, help, options }) => ({
    name,
    synopsis: `marlin ${name} ${options.length === 0 ? '' : '[OPTIONS] '}${args}`.trimEnd(),
    help,
    options: options.map((option) => ({
      names: 'names' in option ? option.names : [option.name],
      type: option.type,
      help: option.help ?? '',
      helpArg: option.helpArg,
    })),
  }));
  const exitStatus =
    '0: done. 1: it failed, and standard error says why. 2: wrong usage. 3: status: something is down.';
  return { name: 'marlin', summary, hasSubcommands: true, commands, notes: [], exitStatus };
}

function roff(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}

function manualPage({ name, summary, hasSubcommands, commands, notes, exitStatus }: Page): string {
  const synopses = commands.map(({ synopsis }) => `.B ${roff(synopsis)}`).join('\n.br\n');
  const sections = commands.map((command) => {
    const title = hasSubcommands ? `.SS ${roff(command.name)}\n${roff(command.help)}\n` : '';
    return `${title}${optionLines(command)}`;
  });
  return `.TH ${name.toUpperCase()} 1 "" "Marlin" "Marlin"
.SH NAME
${roff(name)} \\- ${roff(summary)}
.SH SYNOPSIS
${synopses}
.SH DESCRIPTION
${sections.join('\n')}${notes.map((note) => `.PP\n${roff(note)}\n`).join('')}
.SH EXIT STATUS
${roff(exitStatus)}
`;
}

function optionLines({ options }: PageCommand): string {
  return options
    .map(({ names, helpArg = 'value', help, type }) => {
      const flags = flagsOf(names).join(', ');
      return `.TP\n.B ${roff(flags)}${type === 'bool' ? '' : ` \\fI${roff(helpArg)}\\fR`}\n${roff(help)}\n`;
    })
    .join('');
}

function flagsOf(names: readonly string[]): string[] {
  return names.map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
}

/** Subcommands first, then the options of the one that was chosen. */
function completion({ name, hasSubcommands, commands }: Page): string {
  const flags = ({ options }: PageCommand) => options.flatMap(({ names }) => flagsOf(names)).join(' ');
  const identifier = `_marlin_${name.replaceAll(/\W/g, '_')}`;
  const rows = commands.map((command) => `    ${command.name}) words='${flags(command)}' ;;`).join('\n');
  const chosen = hasSubcommands
    ? `  case \${COMP_CWORD} in 1) words='${commands.map((command) => command.name).join(' ')} --help' ;; *) case \${COMP_WORDS[1]} in\n${rows}\n  esac ;; esac`
    : `  words='${commands[0] === undefined ? '' : flags(commands[0])} --help'`;
  return `# bash completion of ${name}; made from its table of options
${identifier}() {
  local words=
${chosen}
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F ${identifier} ${name}
`;
}
