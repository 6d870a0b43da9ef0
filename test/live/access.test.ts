/**
 * Who may read what in a job: the owner, users of the account by their roles, other accounts, operators, and credentials
 * of the old form. Each job gets the same four objects as inputs; what it may not read is an error for that input alone.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { readAccountFile, writeAccountFile } from '../../src/accounts/file.js';
import { createMahiClient } from '../../src/accounts/mahi-client.js';
import type { AccountAnswer } from '../../src/accounts/types.js';
import { systemClock } from '../../src/common/clock.js';
import { isoTime } from '../../src/common/iso-time.js';
import { createLogger } from '../../src/common/logging.js';
import { createJobs } from '../../src/jobs/jobs.js';
import { connectMoray } from '../../src/moray/client/client.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { JobAuth } from '../../src/records/job.js';
import { connectManta, type Manta } from '../../src/standalone/manta-client.js';
import { requestToken } from '../../src/standalone/token.js';
import { addInputs, readJob, waitDone } from '../support/jobs.js';
import { type OneBox, startOneBox } from '../support/one-box.js';
import { verifyCase } from '../support/run-case.js';
import { type JobCase, red, uuid } from './job-case.js';

const owner = 'marlin_test_authzA';
const other = 'marlin_test_authzB';
const operator = 'marlin_test_authzOp';
const jobDirectory = '/%user%/jobs/%job%/stor';
const objects = [
  { name: `/${owner}/public/X` },
  { name: `/${owner}/stor/A` },
  { name: `/${owner}/stor/pub`, roleTag: 'anonymous-readall' },
  { name: `/${owner}/stor/U1`, roleTag: 'authzA1-readall' },
];

interface Case {
  readonly name: string;
  readonly type: 'map' | 'reduce';
  readonly login: string;
  readonly user?: string;
  /** Without principal and conditions. */
  readonly legacy?: true;
  /** May it read X, A, pub, U1? */
  readonly may: readonly [boolean, boolean, boolean, boolean];
}

// biome-ignore format: table
const cases: readonly Case[] = [
  { name: 'jobMauthzA',       type: 'map',    login: owner,                  may: [true, true,  true,  true] },
  { name: 'jobMauthzA1',      type: 'map',    login: owner, user: 'authzA1', may: [true, false, true,  true] },
  { name: 'jobRauthzA2',      type: 'reduce', login: owner, user: 'authzA2', may: [true, false, true,  false] },
  { name: 'jobMauthzB',       type: 'map',    login: other,                  may: [true, false, true,  false] },
  { name: 'jobMauthzOp',      type: 'map',    login: operator,               may: [true, true,  true,  true] },
  { name: 'jobMauthzLegacyB', type: 'map',    login: other, legacy: true,    may: [true, false, false, false] },
];

t.test('access control', { timeout: 300_000 }, async (t) => {
  const box = await startOneBox(t);
  const key = fs.readFileSync(path.join(path.dirname(box.data), 'home', '.ssh', 'id_rsa'));
  addAccounts(box);
  const { manta: address, moray: store } = box.ready();
  const clientOf = (login: string) => connectManta({ ...address, user: login }, String(key));
  const clients = new Map([owner, other, operator].map((login) => [login, clientOf(login)]));
  t.teardown(() => clients.forEach((client) => void client.close()));
  await prepareObjects(box);

  const log = createLogger({ name: 'test', level: 'fatal' });
  const moray = await connectMoray({ url: `tcp://${store.host}:${store.port}`, log });
  t.teardown(() => moray.close());
  const newId = () => crypto.randomUUID();
  const jobs = createJobs({ moray, buckets: defaultBuckets, clock: systemClock, images: [], newId });

  for (const { name, type, login, user, legacy, may } of cases) {
    const client = clients.get(login);
    if (client === undefined) throw new Error(`no client for ${login}`);
    const auth = await credentials(box, client, user, legacy === true);
    const jobId = await jobs.create({ name, owner: auth.uuid ?? '', auth, phases: [{ type, exec: 'cat' }] });
    await client.mkdirp(`/${login}/jobs/${jobId}/stor`);
    await addInputs(
      box,
      jobId,
      objects.map((object) => object.name),
      client,
    );
    await waitDone(box, jobId, 60_000, client);
    const job = await readJob(box, jobId, client);
    verifyCase({ ...box, login }, jobCaseOf({ name, type, may }), job, { strict: true });
    t.pass(name);
  }
});

/** What each may read becomes an output, or goes into the one of the reducer; of everything else there is an error. */
function jobCaseOf({ name, type, may }: Pick<Case, 'name' | 'type' | 'may'>): JobCase {
  const names = (wanted: boolean) => objects.filter((_, index) => may[index] === wanted).map((object) => object.name);
  const [allowed, refused] = [names(true), names(false)];
  const content = 'expected content\n';
  return {
    name,
    phases: [{ type, exec: 'cat' }],
    extraInputs: objects.map((object) => object.name),
    outputs:
      type === 'reduce' ? [red(0)] : allowed.map((object) => new RegExp(`^${jobDirectory}${object}\\.0\\.${uuid}$`)),
    contents: type === 'reduce' ? [content.repeat(allowed.length)] : allowed.map(() => content),
    errors: refused.map((input) => ({ code: 'AuthorizationError', message: `permission denied: "${input}"`, input })),
    limitSeconds: 30,
  };
}

t.test('jobMcrossAccountLink: an output is named after the link', { timeout: 300_000 }, async (t) => {
  const box = await startOneBox(t);
  addAccounts(box);
  const content = 'auto-generated snaplink source content';
  const source = `/${other}/public/xacctobj`;
  const link = `/${box.login}/stor/subdir/obj_link`;
  const made = await box.run(`mput ${source}`, { env: { MANTA_USER: other }, stdin: content });
  t.equal(made.status, 0, made.stderr);
  const linked = await box.run(`mmkdir -p ~~/stor/subdir && mln ${source} ${link}`);
  t.equal(linked.status, 0, linked.stderr);
  const done = await box.run('mjob create -w -m wc | xargs mjob outputs', { stdin: `${link}\n` });
  t.match(done.stdout, new RegExp(`^/${box.login}/jobs/[^/]+/stor${link}\\.0\\.[0-9a-z-]{36}\n$`), done.stderr);
});

/** All have the key of the box. */
function addAccounts(box: OneBox): void {
  const file = path.join(box.data, 'accounts.json');
  const content = readAccountFile(file);
  const keys = content.accounts.find(({ login }) => login === box.login)?.keys ?? [];
  const plain = (login: string) => ({ login, uuid: crypto.randomUUID(), approved_for_provisioning: true, keys });
  const roleFor = (login: string) => ({
    name: `${login}-readall`,
    uuid: crypto.randomUUID(),
    members: [login],
    default_members: [login],
    policies: ['readall'],
  });
  const withUsers = {
    ...plain(owner),
    users: ['authzA1', 'authzA2', 'anonymous'].map((login) => ({ login, uuid: crypto.randomUUID() })),
    policies: [{ name: 'readall', uuid: crypto.randomUUID(), rules: ['can getobject'] }],
    roles: ['authzA1', 'anonymous'].map(roleFor),
  };
  const accounts = [withUsers, plain(other), { ...plain(operator), groups: ['operators'] }];
  writeAccountFile(file, { ...content, accounts: [...content.accounts, ...accounts] });
}

async function prepareObjects(box: OneBox): Promise<void> {
  for (const { name, roleTag } of objects) {
    const header = roleTag === undefined ? '' : `-H 'role-tag: ${roleTag}'`;
    const { status, stderr } = await box.run(`mput ${header} ${name}`, {
      env: { MANTA_USER: owner },
      stdin: 'expected content\n',
    });
    if (status !== 0) throw new Error(`mput ${name}: ${stderr}`);
  }
}

/** The credentials of a job as the front door would write them. */
async function credentials(box: OneBox, client: Manta, user: string | undefined, legacy: boolean): Promise<JobAuth> {
  const mahi = createMahiClient(box.ready().mahi.url);
  let principal: AccountAnswer;
  try {
    principal = await (user === undefined ? mahi.accountByLogin(client.user) : mahi.user(client.user, user));
  } finally {
    mahi.close();
  }
  const { uuid, login, isOperator } = principal.account;
  const token = await requestToken(client, box.ready().manta.url);
  const old = { login, uuid, groups: isOperator ? ['operators'] : [], token };
  if (legacy) return old;
  const date = isoTime(systemClock.nowMs());
  const activeRoles = [...(principal.user ?? principal.account).defaultRoles];
  return {
    ...old,
    principal: { ...principal },
    conditions: { activeRoles, fromjob: false, method: 'POST', date, owner: uuid },
  };
}
