/**
 * Prints the directories of packages and of everything that they need to run, as node would find them, one per line,
 * relative to the current directory. Optional dependencies count when they are there.
 *
 * usage: node dependencies.cjs PACKAGE...
 */
const fs = require('node:fs');
const path = require('node:path');

const found = new Set();

function visit(name, from, optional) {
  const directory = locate(name, from);
  if (directory === undefined) {
    if (optional) return;
    throw new Error(`package "${name}", needed by "${from}", is not installed`);
  }
  if (found.has(directory)) return;
  found.add(directory);
  const manifest = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
  const optionals = manifest.optionalDependencies ?? {};
  for (const dependency of Object.keys({ ...manifest.dependencies, ...optionals })) {
    visit(dependency, directory, dependency in optionals);
  }
}

function locate(name, from) {
  for (let directory = from; ; directory = path.dirname(directory)) {
    const candidate = path.join(directory, 'node_modules', name);
    if (fs.existsSync(path.join(candidate, 'package.json'))) return candidate;
    if (directory === '.' || directory === '/') return undefined;
  }
}

for (const name of process.argv.slice(2)) visit(name, '.', false);
// A package below another one comes with it.
const isNested = (directory) => [...found].some((other) => directory.startsWith(`${other}/`));
for (const directory of [...found].sort()) if (!isNested(directory)) process.stdout.write(`${directory}\n`);
