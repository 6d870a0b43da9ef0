/** `marlin config check`: what a service would say of its configuration, without starting it. */
import path from 'node:path';
import VError from 'verror';
import { loadConfig } from '../../common/config.js';
import { type ConfiguredService, configSchemas } from './config-schemas.js';

export interface Checked {
  readonly service: ConfiguredService;
  readonly unknownKeys: readonly string[];
}

/** @param service by default what the file is named after. @throws VError naming key, value and what was expected. */
export function checkConfig(file: string, service = path.basename(file).replace(/\.json$/, '')): Checked {
  if (!isConfigured(service)) {
    const text = '"%s" is none of the services: say which with --service (%s)';
    throw new VError({ name: 'ServiceNameError' }, text, service, Object.keys(configSchemas).join(', '));
  }
  const unknownKeys: string[] = [];
  loadConfig(file, configSchemas[service], (key) => unknownKeys.push(key));
  return { service, unknownKeys };
}

function isConfigured(name: string): name is ConfiguredService {
  return Object.hasOwn(configSchemas, name);
}
