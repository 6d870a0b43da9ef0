/**
 * Writes the manual pages and the completions of all commands, from the tables that the commands are made of.
 *
 * usage: node build/tools/build/pages.js DIRECTORY
 */
import fs from 'node:fs';
import path from 'node:path';
import { type Command, hasSubcommands, type Program, synopsisOf } from '../../src/cli/command.js';
import type { CliContext } from '../../src/cli/context.js';
import { programs } from '../../src/cli/programs.js';

const [target = 'build/share'] = process.argv.slice(2);
const manDirectory = path.join(target, 'man', 'man1');
const completionDirectory = path.join(target, 'bash-completion', 'completions');
for (const directory of [manDirectory, completionDirectory]) fs.mkdirSync(directory, { recursive: true });

for (const load of Object.values(programs)) {
  const program = await load();
  fs.writeFileSync(path.join(manDirectory, `${program.name}.1`), manualPage(program));
  fs.writeFileSync(path.join(completionDirectory, program.name), completion(program));
}

function roff(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}

function manualPage(program: Program<CliContext>): string {
  const { name, summary, commands, notes } = program;
  const synopses = commands.map((command) => `.B ${roff(synopsisOf(program, command))}`).join('\n.br\n');
  const sections = commands.map((command) => {
    const title = hasSubcommands(program) ? `.SS ${roff(command.name)}\n${roff(command.help)}\n` : '';
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
0: done. 1: it failed, and standard error says why. 2: wrong usage, or help was asked for.
`;
}

function optionLines({ options }: Command<CliContext>): string {
  return options
    .map(({ names, helpArg = 'value', help, type }) => {
      const flags = names.map((name) => (name.length === 1 ? `-${name}` : `--${name}`)).join(', ');
      return `.TP\n.B ${roff(flags)}${type === 'bool' ? '' : ` \\fI${roff(helpArg)}\\fR`}\n${roff(help)}\n`;
    })
    .join('');
}

/** Subcommands first, then the options of the one that was chosen. */
function completion(program: Program<CliContext>): string {
  const { name, commands } = program;
  const flags = ({ options }: Command<CliContext>) =>
    options.flatMap(({ names }) => names.map((flag) => (flag.length === 1 ? `-${flag}` : `--${flag}`))).join(' ');
  const identifier = `_marlin_${name.replaceAll(/\W/g, '_')}`;
  const rows = commands.map((command) => `    ${command.name}) words='${flags(command)}' ;;`).join('\n');
  const chosen = hasSubcommands(program)
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
