/** A simulated supervisor: the real one, with what it reaches over the network simulated. */
import VError from 'verror';
import type { AccountAnswer } from '../../src/accounts/types.js';
import { createBus } from '../../src/bus/bus.js';
import type { Logger } from '../../src/common/logging.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { SupervisorConfig } from '../../src/supervisor/config.js';
import { type Supervisor, startSupervisor } from '../../src/supervisor/supervisor.js';
import { supervisorConfig } from '../support/supervisor-config.js';
import type { Network } from './network.js';
import { login, type Objects, owner } from './objects.js';
import type { Life } from './process.js';
import type { Chance } from './random.js';

export const account: AccountAnswer = {
  account: {
    uuid: owner,
    login,
    approved_for_provisioning: true,
    groups: [],
    isOperator: false,
    keys: {},
    roles: [],
    defaultRoles: [],
  },
  roles: {},
};

/** What all simulated supervisors have in common; nothing is reached by these addresses. */
export const baseConfig = supervisorConfig({
  instanceUuid: 'sim',
  port: 0,
  manta: { url: 'http://unused' },
  moray: { index: { url: 'unused' }, storage: { url: 'unused' } },
  auth: { url: 'http://unused' },
});

export interface SupervisorWorld {
  readonly network: Network;
  readonly objects: Objects;
  readonly config: SupervisorConfig;
  readonly log: Logger;
}

export function runSupervisor(life: Life, chance: Chance, world: SupervisorWorld): Promise<Supervisor> {
  const { network, objects, config, log } = world;
  const { clock, name } = life;
  const random = () => chance.next();
  const moray = network.clientOf(life);
  const bus = createBus({ moray, buckets: defaultBuckets, instance: name, clock, random, log, defer: life.defer });
  const asked = <Answer>(answer: () => Answer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      network.delay(life, () => {
        try {
          resolve(answer());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  const accounts = {
    user: (who: string) =>
      asked(() => {
        if (chance.happens(network.faults.accountFails)) throw new VError({ name: 'MahiError' }, 'Mahi is away');
        if (who === login) return account;
        throw new VError({ name: 'AccountDoesNotExistError' }, 'no such account');
      }),
  };
  const remover = {
    remove: (object: string) =>
      asked(() => {
        if (chance.happens(network.faults.removalFails)) throw new VError({ name: 'RemovalError' }, 'cannot remove');
        objects.remove(object);
        return 'removed' as const;
      }),
  };
  return startSupervisor(
    { ...config, instanceUuid: name },
    { bus, index: moray, accounts, remover, clock, defer: life.defer, random, log },
  );
}
