// The chat's story as a script: who gets in, who does not, and how long anyone stays. Each step is one promise of the gateway,
// and says ✓ or ✗.
import { createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request as https_request } from 'node:https';
import { connect as tls_connect } from 'node:tls';
import WebSocket from 'ws';

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/// The promise's value, or an error that says what did not happen in time.
async function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: not within ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/// A list that can be waited on: `until(check)` is the first entry, present or future, that `check` accepts.
class Seen {
  entries = [];
  waiting = new Set();

  add(entry) {
    this.entries.push(entry);
    for (const wait of this.waiting) wait(entry);
  }

  until(check, what, seconds = 5) {
    const there = this.entries.find(check);
    if (there) return Promise.resolve(there);
    const found = new Promise((resolve) => {
      const wait = (entry) => {
        if (!check(entry)) return;
        this.waiting.delete(wait);
        resolve(entry);
      };
      this.waiting.add(wait);
    });
    return within(seconds, what, found);
  }
}

class Story {
  constructor(chat) {
    this.chat = chat;
    this.agent = new Agent({ ca: chat.certificate, keepAlive: false });
    this.backend = new Seen();
    chat.backend.on('message', (message) => this.backend.add(message));
    this.sockets = [];
  }

  /// A person of the application, as its page is: logs in and fetches tokens.
  async log_in(who) {
    const answer = await this.http('POST', `/api/login?as=${who}`);
    expect(answer.status === 200, `log-in said ${answer.status}`);
    const cookie = answer.headers['set-cookie'][0].split(';')[0];
    const post = async (path) => {
      const [name, query = ''] = path.split('?');
      const told = await this.http('POST', `/api/${name}?as=${who}&${query}`, { cookie });
      expect(told.status === 200, `${path} said ${told.status} ${told.body}`);
      return JSON.parse(told.body);
    };
    return { who, post, token: async (query = '') => (await post(`token?${query}`)).token };
  }

  async http(method, path, headers = {}, base = this.chat.app) {
    const request = https_request(`${base}${path}`, { method, agent: this.agent, headers: { origin: this.chat.app, ...headers } });
    request.end();
    const [response] = await within(10, path, once(request, 'response'));
    const parts = [];
    for await (const part of response) parts.push(part);
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() };
  }

  /// An open WebSocket as the page opens it.
  async connect(token, { headers = {} } = {}) {
    const before = this.backend.entries.length;
    const socket = new WebSocket(`${this.chat.sockets}/strict`, ['chat.v1', 'sallyport.v1', `bearer.${token}`], {
      ca: this.chat.certificate,
      origin: this.chat.app,
      headers,
    });
    const seen = new Seen();
    socket.on('message', (data) => seen.add(JSON.parse(data)));
    socket.on('error', () => {});
    const closed = new Promise((done) => {
      socket.on('close', (code, reason) => done({ code, reason: reason.toString(), at: performance.now() }));
    });
    const opened = new Promise((done, fail) => {
      socket.on('open', done);
      socket.on('unexpected-response', (_, response) => fail(new Error(`refused with ${response.statusCode}`)));
      closed.then(({ code }) => fail(new Error(`closed with ${code}`)));
    });
    await within(10, 'the handshake', opened);
    this.sockets.push(socket);
    const ready = (await seen.until((message) => message.$sallyport?.op === 'ready', 'the gateway says ready')).$sallyport;
    const you = await seen.until((message) => message.type === 'you', 'the backend says who we are');
    const at_backend = await this.backend.until(
      (entry) => this.backend.entries.indexOf(entry) >= before && entry.event === 'open',
      'the backend sees the connection',
    );
    return {
      protocol: socket.protocol,
      ready,
      you,
      closed,
      headers: at_backend.headers,
      control: (op, what, seconds) =>
        seen.until((message) => message.$sallyport?.op === op, what ?? `the gateway says ${op}`, seconds).then((m) => m.$sallyport),
      until: (type, check, what) => seen.until((message) => message.type === type && check(message), what),
      send: (message) => socket.send(JSON.stringify(message)),
      leave: () => socket.close(1000),
      is_open: () => socket.readyState === WebSocket.OPEN,
    };
  }

  /// A handshake written by hand, and every byte of the answer up to the end of the connection.
  async knock({ origin = this.chat.app, token } = {}) {
    const url = new URL(this.chat.gateway);
    const lines = [
      'GET /strict HTTP/1.1',
      `Host: ${url.host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      `Sec-WebSocket-Protocol: chat.v1, sallyport.v1${token ? `, bearer.${token}` : ''}`,
      `Origin: ${origin}`,
    ];
    const socket = tls_connect({ host: '127.0.0.1', port: url.port, servername: 'localhost', ca: this.chat.certificate });
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const parts = [];
    const read = async () => {
      for await (const part of socket) {
        parts.push(part);
        if (Buffer.concat(parts).subarray(0, 12).toString() === 'HTTP/1.1 101') return; // let in: there is no end to wait for
      }
    };
    try {
      await within(10, 'the refusal and the end of the connection', read());
    } finally {
      socket.destroy();
    }
    const text = Buffer.concat(parts).toString('latin1');
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), text: text.replace(/^date:.*\r\n/im, '') };
  }

  async refused(status, attempt) {
    const before = this.backend.entries.length;
    const answer = await this.knock(attempt);
    expect(answer.status === status, `answered ${answer.status || JSON.stringify(answer.text)} instead of ${status}`);
    expect(this.backend.entries.length === before, 'the backend has seen a connection');
    if (status === 401) expect(/^www-authenticate: *bearer/im.test(answer.text), 'there is no WWW-Authenticate');
    return answer;
  }
}

function decode(token) {
  const [header, claims] = token.split('.');
  return [header, claims].map((part) => JSON.parse(Buffer.from(part, 'base64url')));
}

/// The claims of the gateway's own assertion, proved with its published keys as a careful backend would.
function verify_assertion(assertion, keys) {
  const [header, claims] = decode(assertion);
  const jwk = keys.find((key) => key.kid === header.kid);
  expect(jwk, `no published key has the id ${header.kid}`);
  const [digest, options] = { ES256: ['sha256', { dsaEncoding: 'ieee-p1363' }], EdDSA: [null, {}] }[header.alg] ?? [];
  expect(options, `signed with ${header.alg}`);
  const end = assertion.lastIndexOf('.');
  const good = verify(
    digest,
    Buffer.from(assertion.slice(0, end)),
    { key: createPublicKey({ key: jwk, format: 'jwk' }), ...options },
    Buffer.from(assertion.slice(end + 1), 'base64url'),
  );
  expect(good, 'the signature is wrong');
  expect(claims.exp > Date.now() / 1000, 'it has expired');
  return claims;
}

function forged(token) {
  const [, claims] = decode(token);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    none: `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims, sub: 'alice' })}.`,
    altered: [token.split('.')[0], part({ ...claims, sub: 'alice' }), token.split('.')[2]].join('.'),
  };
}

// The steps, in order. Each answers the words that follow its ✓; `cast` is what earlier steps left for later ones.
const steps = [
  ['alice gets in, and the backend knows her', async (story, cast) => {
    cast.alice = await story.log_in('alice');
    cast.token = await cast.alice.token();
    cast.alice_socket = await story.connect(cast.token);
    const { protocol, ready, you, headers } = cast.alice_socket;
    expect(you.subject === 'alice', `the backend says that she is ${you.subject}`);
    expect(ready.subject === 'alice', `the gateway says that she is ${ready.subject}`);
    expect(protocol === 'chat.v1', `the subprotocol is ${JSON.stringify(protocol)}`);
    expect(!JSON.stringify(headers).includes(cast.token), 'her token reached the backend');
    return `connection ${ready.connection}, subprotocol ${protocol}, token kept from the backend`;
  }],
  ['the gateway signs for her', async (story, cast) => {
    const answer = await story.http('GET', '/.sallyport/jwks.json', {}, story.chat.gateway);
    expect(answer.status === 200, `/.sallyport/jwks.json said ${answer.status}`);
    const assertion = cast.alice_socket.headers['x-sallyport-identity'];
    expect(assertion, 'there is no X-Sallyport-Identity');
    const claims = verify_assertion(assertion, JSON.parse(answer.body).keys);
    expect(claims.sub === 'alice', `it speaks of ${claims.sub}`);
    return `X-Sallyport-Identity verifies with /.sallyport/jwks.json, valid for ${claims.exp - claims.iat} s`;
  }],
  ['a name cannot be brought along', async (story, cast) => {
    cast.bob = await story.log_in('bob');
    cast.bob_socket = await story.connect(await cast.bob.token(), {
      headers: { 'X-Sallyport-Subject': 'alice', 'X-Sallyport-Identity': 'alice' },
    });
    expect(cast.bob_socket.you.subject === 'bob', `the backend believes that bob is ${cast.bob_socket.you.subject}`);
    expect(cast.bob_socket.headers['x-sallyport-identity'] !== 'alice', 'his X-Sallyport-Identity reached the backend');
    return 'bob sent X-Sallyport-Subject: alice; the backend sees bob';
  }],
  ['evil Origin is refused', async (story, cast) => {
    const answer = await story.refused(403, { origin: 'https://evil.example', token: cast.token });
    return `${answer.status}, though alice's own good token came with it`;
  }],
  ['no token is refused', async (story) => `${(await story.refused(401, {})).status} with WWW-Authenticate`],
  ['an expired token is refused', async (story, cast) => {
    cast.mallory = await story.log_in('mallory');
    cast.expired = await story.refused(401, { token: (await cast.mallory.post('bad-token/expired')).token });
    return `${cast.expired.status}`;
  }],
  ['a token for another audience is refused', async (story, cast) => {
    const answer = await story.refused(401, { token: (await cast.mallory.post('bad-token/audience')).token });
    return `${answer.status}`;
  }],
  ['a forged token is refused', async (story, cast) => {
    const { none, altered } = forged(await cast.mallory.token());
    cast.none = await story.refused(401, { token: none });
    cast.altered = await story.refused(401, { token: altered });
    return `${cast.none.status} for alg "none", ${cast.altered.status} for claims changed to alice`;
  }],
  ['the answer does not tell which it was', async (_, cast) => {
    expect(cast.expired.text === cast.altered.text, 'forged and expired are answered differently');
    expect(cast.expired.text === cast.none.text, 'alg "none" and expired are answered differently');
    return `the same ${cast.expired.text.length} bytes for forged and expired`;
  }],
  ['alice and bob talk', async (_, cast) => {
    const { alice_socket: alice, bob_socket: bob } = cast;
    for (const one of [alice, bob]) one.send({ type: 'join', room: 'lobby' });
    const both = (message) => message.members.length === 2;
    await Promise.all([alice.until('joined', both, 'alice sees both'), bob.until('joined', both, 'bob sees both')]);
    alice.send({ type: 'say', room: 'lobby', text: 'Is the gate shut?' });
    const heard = await bob.until('said', ({ who }) => who === 'alice', 'bob hears alice');
    expect(heard.text === 'Is the gate shut?', `bob heard ${heard.text}`);
    bob.send({ type: 'say', room: 'lobby', text: 'Only you and me in here. ✓' });
    const back = await alice.until('said', ({ who }) => who === 'bob', 'alice hears bob');
    expect(back.text === 'Only you and me in here. ✓', `alice heard ${back.text}`);
    return `alice: “${heard.text}” bob: “${back.text}”`;
  }],
  ['a refresh moves the expiry', async (story, cast) => {
    const socket = await story.connect(await cast.alice.token('life=25'));
    socket.send({ $sallyport: { op: 'refresh', token: await cast.alice.token() } });
    const refreshed = await socket.control('refreshed');
    expect(refreshed.expires_at > socket.ready.expires_at, 'the expiry has not moved');
    socket.send({ type: 'join', room: 'after' });
    await socket.until('joined', ({ room }) => room === 'after', 'the backend still answers');
    socket.leave();
    await within(5, 'the close', socket.closed);
    return `by ${refreshed.expires_at - socket.ready.expires_at} s; the same socket goes on`;
  }],
  ['a refresh as somebody else closes', async (story, cast) => {
    const socket = await story.connect(await cast.mallory.token());
    socket.send({ $sallyport: { op: 'refresh', token: await cast.bob.token() } });
    const { code, reason } = await within(5, 'the close', socket.closed);
    expect(code === 4401, `closed with ${code} ${reason}`);
    return `${code} “${reason}”`;
  }],
  ['expiry closes', async (story, cast) => {
    const socket = await story.connect(await cast.bob.token('life=3'));
    await socket.control('expiring');
    const { code, reason } = await within(15, 'the close', socket.closed);
    const late = Date.now() / 1000 - socket.ready.expires_at;
    expect(code === 4401 && /expired/.test(reason), `closed with ${code} ${reason}`);
    expect(late >= 0, 'it was closed too early');
    return `${code} “${reason}”, told before, ${late.toFixed(1)} s after the expiry (2 s of grace)`;
  }],
  ['log out everywhere closes', async (story, cast) => {
    const second = await story.connect(await cast.alice.token());
    const kept = await cast.alice.token();
    const gone = () => story.backend.entries.filter(({ event, subject }) => event === 'close' && subject === 'alice').length;
    const gone_before = gone();
    const called = performance.now();
    const told = await cast.alice.post('logout-everywhere');
    const ends = await within(5, 'both closes', Promise.all([cast.alice_socket.closed, second.closed]));
    for (const { code, reason } of ends) expect(code === 4401 && /revoked/.test(reason), `closed with ${code} ${reason}`);
    expect(told.closed >= 2, `the admin API says that ${told.closed} were closed`);
    expect(cast.bob_socket.is_open(), 'bob was closed, too');
    cast.revoked_token = kept;
    const milliseconds = Math.max(...ends.map(({ at }) => at)) - called;
    await story.backend.until(() => gone() >= gone_before + 2, 'the backend sees both go');
    return `${told.closed} sockets, ${ends[0].code} “${ends[0].reason}”, ${milliseconds.toFixed(1)} ms from the button to the last close seen (gateway: ${Number(told.milliseconds).toFixed(1)} ms)`;
  }],
  ['her old tokens are worth nothing', async (story, cast) => {
    const answer = await story.refused(401, { token: cast.revoked_token });
    expect(answer.text === cast.expired.text, 'revoked and expired are answered differently');
    return `${answer.status}, though not expired`;
  }],
  ['she can come back', async (story) => {
    const again = await story.log_in('alice');
    const socket = await story.connect(await again.token());
    expect(socket.you.subject === 'alice', `the backend says that she is ${socket.you.subject}`);
    return 'a token issued afterwards works';
  }],
];

/// Plays the story against a running chat. True when every step came out right.
export async function tell(chat) {
  const story = new Story(chat);
  const cast = {};
  let right = 0;
  console.log('');
  for (const [name, play] of steps) {
    try {
      console.log(`  ✓ ${name.padEnd(42)} ${await play(story, cast)}`);
      right += 1;
    } catch (error) {
      console.log(`  ✗ ${name.padEnd(42)} ${error.message}`);
    }
  }
  for (const socket of story.sockets) socket.terminate();
  console.log(`\n  ${right} of ${steps.length} came out right.\n`);
  return right === steps.length;
}
