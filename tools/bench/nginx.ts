/** The rival of the front door: nginx with its own WebDAV module, which writes one copy and leaves it to the kernel. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

/** @returns undefined where it is not installed, or was built without WebDAV. */
export async function startNginx(directory: string): Promise<Nginx | undefined> {
  if (!hasDav()) return undefined;
  for (const name of ['data', 'bodies']) fs.mkdirSync(path.join(directory, name), { recursive: true });
  const port = await freePort();
  const configFile = path.join(directory, 'nginx.conf');
  fs.writeFileSync(configFile, configuration(directory, port));
  const server = spawn('nginx', ['-p', directory, '-c', configFile, '-e', 'stderr'], { stdio: 'inherit' });
  const ended = once(server, 'exit');
  while (!(await listens(port))) await delay(20);
  return {
    port,
    async stop() {
      server.kill('SIGTERM');
      await ended;
    },
  };
}

function hasDav(): boolean {
  try {
    return execFileSync('sh', ['-c', 'nginx -V 2>&1'], { encoding: 'utf8' }).includes('http_dav_module');
  } catch {
    return false; // not installed: the table says so
  }
}

/** As root its workers stay root: they write where only root may. */
function configuration(directory: string, port: number): string {
  return `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes auto;
pid ${directory}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path ${directory}/bodies;
  server {
    listen 127.0.0.1:${port};
    location / {
      root ${directory}/data;
      dav_methods PUT DELETE;
      create_full_put_path on;
    }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function listens(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).then((answer) => {
    socket.destroy();
    return answer as boolean;
  });
}
