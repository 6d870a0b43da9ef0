/** What operators do with zones. No authentication: the port belongs on a network of operators. Source: spec 05 §1.7. */
import type { Request, Response } from 'restify';
import { httpError } from '../../http/errors.js';
import type { OperatorRoute } from '../../http/operator-server.js';
import type { Core } from '../core.js';
import type { PoolZone } from '../zones/pool.js';
import { zoneObject } from './zone-object.js';

export function operatorRoutes(core: Core): readonly OperatorRoute[] {
  const { pool } = core;
  const zoneOf = (request: Request): PoolZone => {
    const name = String((request.params as Record<string, unknown>)['zone'] ?? '');
    const zone = pool.zones.get(name);
    if (zone === undefined) throw httpError('ResourceNotFound', `zone "${name}"`);
    return zone;
  };
  const done = (response: Response) => {
    response.send(204);
  };
  return [
    {
      method: 'get',
      path: '/zones',
      async handle(_request, response) {
        response.send(
          200,
          [...pool.zones.values()].map((zone) => zoneObject(core, zone)),
        );
      },
    },
    {
      // Of a known zone: put it back into service. Else: look for zones; the answer does not wait for what is found.
      method: 'post',
      path: '/zones',
      async handle(request, response) {
        const name = (request.params as Record<string, unknown>)['zonename'];
        if (typeof name === 'string' && pool.zones.has(name)) pool.enable(name);
        else void core.discover();
        done(response);
      },
    },
    {
      method: 'post',
      path: '/zones/:zone/disable',
      async handle(request, response) {
        pool.disable(zoneOf(request).name);
        done(response);
      },
    },
    {
      method: 'del',
      path: '/zones/:zone',
      async handle(request, response) {
        const zone = zoneOf(request);
        if (zone.state === 'disabled' && !zone.removing) {
          await core.remove(zone.name);
          done(response);
        } else response.send(409, { code: 'ConflictError', message: 'zone is not disabled' });
      },
    },
  ];
}
