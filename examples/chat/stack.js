// Starts all that the chat consists of (backend, application, gateway), each on a free port, and stops it again.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
export const root = resolve(here, '../..');

/// One line for each stage, with the seconds since `make demo` was called.
const started = Number(process.env.DEMO_STARTED ?? Date.now() / 1000);
export function stage(name, text) {
  const seconds = (Date.now() / 1000 - started).toFixed(1).padStart(6);
  console.log(`[${seconds} s] ${name.padEnd(9)} ${text}`);
}

function make_keys(directory) {
  const path = (name) => join(directory, name);
  for (const name of ['tls', 'secrets', 'data']) mkdirSync(path(name), { recursive: true, mode: 0o700 });
  const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

  // Kept between runs, so that a browser that accepted the certificate once need not do it again.
  let valid = false;
  try {
    openssl('x509', '-in', path('tls/cert.pem'), '-noout', '-checkend', '86400');
    valid = existsSync(path('tls/key.pem'));
  } catch {
    // none yet, or about to expire
  }
  if (!valid) {
    openssl(
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256', '-days', '30',
      '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1',
      '-addext', 'keyUsage=critical,digitalSignature', '-addext', 'extendedKeyUsage=serverAuth',
      '-keyout', path('tls/key.pem'), '-out', path('tls/cert.pem'),
    );
  }
  const signing = openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256');
  writeFileSync(path('secrets/signing.pem'), signing, { mode: 0o600 });
  writeFileSync(path('secrets/admin'), randomBytes(32).toString('base64url') + '\n', { mode: 0o600 });
}

/// Ports that nobody listens on. All are held open together, so that no two are the same.
async function free_ports(count) {
  const servers = Array.from({ length: count }, () => createServer());
  for (const server of servers) await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) await new Promise((done) => server.close(done));
  return ports;
}

class Program extends EventEmitter {
  constructor(name, directory, command, args, env = {}) {
    super();
    this.name = name;
    this.log = join(directory, `${name}.log`);
    this.output = '';
    const file = createWriteStream(this.log);
    this.child = spawn(command, args, {
      cwd: directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', ...(command === process.execPath ? ['ipc'] : [])],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on('data', (data) => {
        file.write(data);
        this.output += data;
        this.emit('output');
      });
    }
    this.ended = new Promise((done) => {
      this.child.on('error', (error) => done(error.message));
      this.child.on('close', (code, signal) => done(signal ?? `exit status ${code}`));
    });
    this.child.on('message', (message) => this.emit('message', message));
  }

  /// What `check` answers once it is truthy; asked again after each output and every 50 ms.
  async until(check, seconds = 30) {
    let over;
    this.ended.then((how) => (over = how));
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const answer = await check();
      if (answer) return answer;
      if (over || Date.now() > deadline) {
        const last = this.output.trim().split('\n').slice(-12).join('\n    ');
        throw new Error(`${this.name} ${over ? `ended (${over})` : 'is not ready'}; its last words in ${this.log}:\n    ${last}`);
      }
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  listening() {
    return this.until(() => / listening on (\d+)/.exec(this.output)?.[1]);
  }

  async stop() {
    this.child.kill('SIGTERM');
    const hard = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    await this.ended;
    clearTimeout(hard);
  }
}

/// Holds, once it is there, a running chat: `app` and `gateway` (https://…), `sockets` (wss://…), `admin` (http://…),
/// `certificate` (PEM), `backend` (emits 'message' for every connection that the backend sees) and `stop()`.
export async function start({ directory = join(root, 'build/demo') } = {}) {
  const binary = resolve(root, process.env.SALLYPORT ?? 'build/release/sallyport');
  if (!existsSync(binary)) throw new Error(`${binary} is not built yet; \`make demo\` builds it`);
  const path = (name) => join(directory, name);
  const programs = [];
  const run = (...args) => (programs.push(new Program(...args)), programs.at(-1));
  const stop = async () => {
    await Promise.all(programs.map((program) => program.stop()));
  };
  try {
    mkdirSync(directory, { recursive: true });
    stage('keys', 'a certificate for localhost, a signing key, an admin token');
    make_keys(directory);

    stage('backend', 'the chat, without any security of its own');
    const backend = run('backend', directory, process.execPath, [join(here, 'backend.js')], { PORT: '0' });
    const backend_port = await backend.listening();

    const [gateway_port, admin_port] = await free_ports(2);
    const gateway = `https://localhost:${gateway_port}`;
    const admin = `http://127.0.0.1:${admin_port}`;
    stage('page', 'the application: page, log-in, tokens');
    const app_program = run('app', directory, process.execPath, [join(here, 'app.js')], {
      PORT: process.env.PORT ?? '0',
      CERTIFICATE: path('tls/cert.pem'),
      KEY: path('tls/key.pem'),
      SIGNING_KEY: path('secrets/signing.pem'),
      GATEWAY: gateway,
      ADMIN: admin,
      ADMIN_TOKEN_FILE: path('secrets/admin'),
    });
    const app = `https://localhost:${await app_program.listening()}`;

    stage('gateway', `${gateway} in front of ws://127.0.0.1:${backend_port}`);
    const values = { GATEWAY_PORT: gateway_port, ADMIN_PORT: admin_port, BACKEND_PORT: backend_port, APP: app };
    const template = readFileSync(join(here, 'sallyport.yaml'), 'utf8').replace(/^#.*\n/gm, '');
    writeFileSync(path('sallyport.yaml'), template.replace(/@([A-Z_]+)@/g, (_, name) => values[name]));
    const gateway_program = run('gateway', directory, binary, ['serve', '--config', path('sallyport.yaml')]);
    const authorization = `Bearer ${readFileSync(path('secrets/admin'), 'utf8').trim()}`;
    await gateway_program.until(async () => {
      try {
        return (await fetch(`${admin}/readyz`, { headers: { authorization } })).ok;
      } catch {
        return false; // not listening yet
      }
    });
    stage('ready', 'the gateway takes connections');
    return {
      app,
      gateway,
      admin,
      sockets: gateway.replace('https:', 'wss:'),
      certificate: readFileSync(path('tls/cert.pem')),
      directory,
      backend,
      ended: Promise.race(programs.map((program) => program.ended.then((how) => `${program.name}: ${how}`))),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
