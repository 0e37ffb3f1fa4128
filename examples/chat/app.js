// The application server beside the chat: the page, the log-in, short-lived tokens. It is what the reader already has; the only
// part that is new with the gateway is `log_out_everywhere`, one call to the admin API.
//
// Settings come from the environment: CERTIFICATE, KEY (TLS), SIGNING_KEY (ES256, PEM), GATEWAY (https://host:port),
// ADMIN (http://host:port of the gateway's admin API), ADMIN_TOKEN_FILE, PORT (0 = any free one), TOKEN_LIFE (seconds).
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const people = ['alice', 'bob', 'mallory'];
const audience = 'chat';
const token_life = Number(process.env.TOKEN_LIFE ?? 60);
const gateway = new URL(process.env.GATEWAY);
const gateway_sockets = `wss://${gateway.host}`;
const admin_token = readFileSync(process.env.ADMIN_TOKEN_FILE, 'utf8').trim();
let origin; // known once the port is

// ---- tokens -----------------------------------------------------------------------------------------------------------------

const signing_key = createPrivateKey(readFileSync(process.env.SIGNING_KEY));
const public_jwk = createPublicKey(signing_key).export({ format: 'jwk' });
const kid = createHash('sha256') // the thumbprint of RFC 7638
  .update(JSON.stringify({ crv: public_jwk.crv, kty: public_jwk.kty, x: public_jwk.x, y: public_jwk.y }))
  .digest('base64url');

function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function make_token(session, { life = token_life, aud = audience, issued = Math.floor(Date.now() / 1000) } = {}) {
  const claims = {
    iss: origin,
    aud,
    sub: session.subject,
    sid: session.sid,
    jti: randomUUID(),
    iat: issued,
    exp: issued + life,
    scope: 'chat.read chat.write',
    roles: ['member'],
  };
  const signed = `${encode({ alg: 'ES256', typ: 'JWT', kid })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: signing_key, dsaEncoding: 'ieee-p1363' });
  return { token: `${signed}.${signature.toString('base64url')}`, expires_at: claims.exp };
}

// ---- sessions of this application: one cookie per person, so that one browser can be alice in one tab and bob in the next ----

const sessions = new Map(); // cookie value -> {subject, sid}
const logged_out = new Map(); // subject -> second of the last "log out everywhere"

function session_of(request, who) {
  const cookies = new Map((request.headers.cookie ?? '').split(/; */).map((pair) => pair.split('=', 2)));
  const session = sessions.get(cookies.get(`session-${who}`));
  return session?.subject === who ? session : undefined;
}

// `iat` counts whole seconds, so a token issued in the very second of a log-out would look older than it.
async function after_log_out(subject) {
  const wait = ((logged_out.get(subject) ?? 0) + 1) * 1000 - Date.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
}

async function log_out_everywhere(subject) {
  for (const [cookie, session] of sessions) if (session.subject === subject) sessions.delete(cookie);
  const answer = await fetch(`${process.env.ADMIN}/v1/revocations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ sub: subject, issued_before: 'now', reason: 'logged out everywhere' }),
  });
  logged_out.set(subject, Math.floor(Date.now() / 1000));
  const told = await answer.json();
  if (!answer.ok) throw new Error(`the gateway's admin API said ${answer.status} ${JSON.stringify(told)}`);
  return told;
}

// ---- HTTP -------------------------------------------------------------------------------------------------------------------

const page = new Map();
for (const [path, file, type] of [
  ['/', 'index.html', 'text/html'],
  ['/app.js', 'app.js', 'text/javascript'],
  ['/connection.js', 'connection.js', 'text/javascript'],
  ['/style.css', 'style.css', 'text/css'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
]) {
  page.set(path, { type: `${type}; charset=utf-8`, body: readFileSync(new URL(`public/${file}`, import.meta.url)) });
}

const page_policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  `connect-src 'self' ${gateway.origin} ${gateway_sockets}`,
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  response.end(JSON.stringify(body));
}

// Each of these gets {session, input} and answers JSON; `open` ones need no session.
const api = {
  'GET /api/settings': {
    open: true,
    run: () => ({ people, token_life, gateway: gateway.origin, sockets: gateway_sockets }),
  },
  'POST /api/login': {
    open: true,
    async run({ who, response }) {
      if (!people.includes(who)) return [404, { error: 'nobody of that name' }];
      await after_log_out(who);
      const cookie = randomUUID();
      sessions.set(cookie, { subject: who, sid: randomUUID() });
      // Path keeps the cookie out of the WebSocket's handshake: the gateway and this server share the host.
      response.setHeader('set-cookie', `session-${who}=${cookie}; Path=/api; Secure; HttpOnly; SameSite=Strict`);
      return [200, { subject: who }];
    },
  },
  'GET /api/session': { run: ({ session }) => ({ subject: session.subject, sid: session.sid }) },
  'POST /api/token': {
    run({ session, url }) {
      const wanted = Number(url.searchParams.get('life') ?? token_life); // shorter than usual, never longer
      return make_token(session, { life: Math.min(Math.max(Math.floor(wanted) || token_life, 1), token_life) });
    },
  },
  // For the demo alone: tokens that are truly signed and still no good.
  'POST /api/bad-token/expired': {
    run: ({ session }) => make_token(session, { issued: Math.floor(Date.now() / 1000) - 10 * token_life }),
  },
  'POST /api/bad-token/audience': { run: ({ session }) => make_token(session, { aud: 'billing' }) },
  'POST /api/logout': {
    run({ session }) {
      for (const [cookie, other] of sessions) if (other === session) sessions.delete(cookie);
      return {};
    },
  },
  'POST /api/logout-everywhere': { run: ({ session }) => log_out_everywhere(session.subject) },
};

async function handle(request, response) {
  const url = new URL(request.url, origin);
  const file = page.get(url.pathname);
  if (request.method === 'GET' && file) {
    response.writeHead(200, {
      'content-type': file.type,
      'cache-control': 'no-cache',
      'content-security-policy': page_policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    return response.end(file.body);
  }
  if (request.method === 'GET' && url.pathname === '/.well-known/jwks.json') {
    return answer(response, 200, { keys: [{ ...public_jwk, kid, alg: 'ES256', use: 'sig' }] });
  }
  const endpoint = api[`${request.method} ${url.pathname}`];
  if (!endpoint) return answer(response, 404, { error: 'no such page' });
  if (request.method === 'POST' && request.headers.origin !== origin) {
    return answer(response, 403, { error: 'only from the page itself' });
  }
  const who = url.searchParams.get('as') ?? '';
  const session = session_of(request, who);
  if (!endpoint.open && !session) return answer(response, 401, { error: 'log in first' });
  const told = await endpoint.run({ who, session, url, response });
  return Array.isArray(told) ? answer(response, ...told) : answer(response, 200, told);
}

const server = createServer({ cert: readFileSync(process.env.CERTIFICATE), key: readFileSync(process.env.KEY) });
server.on('request', (request, response) => {
  handle(request, response).catch((error) => {
    console.log(`${request.method} ${request.url}: ${error.message}`);
    answer(response, 502, { error: error.message });
  });
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  origin = `https://localhost:${server.address().port}`;
  console.log(`app listening on ${server.address().port}`);
});
