/** What operators ask a running supervisor: its state, metrics, and to take no more jobs for now. */
import VError from 'verror';
import type { Logger } from '../common/logging.js';
import { createOperatorServer, type OperatorRoute, type OperatorServer } from '../http/operator-server.js';
import type { SupervisorConfig } from './config.js';
import { registerMetrics } from './metrics.js';
import { snapshotSchema } from './snapshot.js';
import type { Supervisor } from './supervisor.js';

export async function startOperatorServer(
  config: SupervisorConfig,
  supervisor: Supervisor,
  log: Logger,
): Promise<OperatorServer> {
  const route = (path: string, accepts: boolean, refusal: string): OperatorRoute => ({
    method: 'post',
    path,
    async handle(_request, response) {
      if (!supervisor.accept(accepts)) throw new VError({ name: 'NotOperatingError' }, refusal);
      response.send(204);
    },
  });
  const server = await createOperatorServer({
    name: 'MarlinWorker',
    host: config.host,
    port: config.port,
    log,
    routes: [
      route('/quiesce', false, 'not operating our domain'),
      route('/unquiesce', true, 'unquiesce: not operating our domain'),
    ],
    snapshot: () => supervisor.snapshot(),
    schema: snapshotSchema,
  });
  registerMetrics(server.registry, () => supervisor.gauges());
  return server;
}
