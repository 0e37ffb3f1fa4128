import { Connection, LoggedOut } from './connection.js';

const find = (selector) => document.querySelector(selector);

/// An element with properties and children; text never becomes markup.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

const roles = {
  alice: 'is here every day',
  bob: 'came to talk with alice',
  mallory: 'has no business here, and tries',
};

let settings;
let who = sessionStorage.getItem('who'); // one person per tab
let connection;
let expires_at;
let lifetime;
let backoff = 0;
let retry;
let ever_ready = false;
let awaiting_certificate = false;
const rooms = new Map(); // name -> {messages, members, unread}; a map keeps the order of joining
let shown; // the name of a room, or ATTEMPTS
const ATTEMPTS = Symbol('attempts');

function time(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

function exact_time(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString('en-GB');
}

function announce(text) {
  find('#announcer').textContent = text;
}

function avatar(name) {
  const known = { alice: 1, bob: 2, mallory: 3 };
  return make('span', { className: `avatar tone-${known[name] ?? 0}`, ariaHidden: 'true' }, (name[0] ?? '?').toUpperCase());
}

// ---- the application ----------------------------------------------------------------------------------------------------------

async function ask(method, path) {
  let answer;
  try {
    answer = await fetch(`/api/${path}${path.includes('?') ? '&' : '?'}as=${encodeURIComponent(who)}`, { method });
  } catch {
    throw new Error('the application does not answer');
  }
  const told = await answer.json();
  if (answer.status === 401) throw new LoggedOut(told.error);
  if (!answer.ok) throw new Error(told.error);
  return told;
}

async function fetch_token() {
  return (await ask('POST', 'token')).token;
}

// ---- logging in ---------------------------------------------------------------------------------------------------------------

function show_welcome(problem) {
  who = undefined;
  sessionStorage.removeItem('who');
  find('#chat').hidden = true;
  find('#welcome').hidden = false;
  find('#welcome-error').hidden = !problem;
  find('#welcome-error').textContent = problem ?? '';
  document.title = 'Sallyport chat';
  find('.people').replaceChildren(
    ...settings.people.map((name) =>
      make('li', {}, make('button', { type: 'button', onclick: () => log_in(name) },
        avatar(name), make('span', {}, make('strong', {}, name), make('small', {}, roles[name] ?? '')))),
    ),
  );
}

async function log_in(name) {
  who = name;
  try {
    await ask('POST', 'login');
    sessionStorage.setItem('who', name);
    show_chat();
  } catch (error) {
    show_welcome(`That did not work: ${error.message}.`);
  }
}

function forget_connection() {
  clearTimeout(retry);
  connection?.close();
  connection = undefined;
}

function show_chat() {
  rooms.clear();
  find('#welcome').hidden = true;
  find('#chat').hidden = false;
  find('#steps').replaceChildren();
  find('.me').replaceChildren(avatar(who), who);
  document.title = `${who} · Sallyport chat`;
  enter('lobby');
  if (who === 'mallory') show(ATTEMPTS);
  connect();
}

// ---- the connection -----------------------------------------------------------------------------------------------------------

function connect() {
  forget_connection();
  find('#notice').hidden = true;
  awaiting_certificate = false;
  set_state('connecting', 'Connecting…');
  const mine = new Connection(`${settings.sockets}/ws`, fetch_token);
  connection = mine;
  mine.refresh_by_itself = find('#auto').checked;
  const on = (type, act) => mine.addEventListener(type, ({ detail }) => connection === mine && act(detail));
  on('step', add_step);
  on('message', receive);
  on('closed', closed);
  on('ready', (told) => {
    backoff = 0;
    ever_ready = true;
    find('#connection').textContent = told.connection;
    set_expiry(told.expires_at);
    set_state('open', 'Connected');
    for (const name of rooms.keys()) mine.send({ type: 'join', room: name });
  });
  on('expires', (told) => {
    set_expiry(told.expires_at);
    announce('The connection was refreshed.');
    find('.clock').animate?.([{ transform: 'scale(1)' }, { transform: 'scale(1.04)' }, { transform: 'scale(1)' }], {
      duration: matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 350,
    });
  });
  mine.open();
}

function set_state(state, text) {
  find('#panel').dataset.state = state;
  find('#status').textContent = text;
  const open = state === 'open';
  find('#text').disabled = !open;
  find('#composer button').disabled = !open;
    find('#refresh').disabled = !open;
  find('#log-out-everywhere').disabled = false;
  if (!open) {
    expires_at = undefined;
    for (const id of ['#subject', '#connection', '#until']) find(id).textContent = '–';
    for (const room of rooms.values()) room.members = [];
  }
  show_clock();
  if (shown !== ATTEMPTS) show_room();
}

function set_expiry(seconds) {
  expires_at = seconds;
  lifetime = Math.max(settings.token_life, seconds - Date.now() / 1000);
  find('#until').textContent = exact_time(seconds * 1000);
  show_clock();
}

function show_clock() {
  const left = expires_at === undefined ? undefined : Math.max(0, expires_at - Date.now() / 1000);
  const whole = left === undefined ? '–' : String(Math.ceil(left));
  find('#seconds').textContent = whole;
  find('#status-left').textContent = left === undefined ? '' : `${whole} s`;
  find('.clock .hand').style.strokeDashoffset = String(100 - (left === undefined ? 0 : (left / lifetime) * 100));
  find('.clock').classList.toggle('low', left !== undefined && left <= lifetime / 3);
}

function add_step({ from, text }) {
  const steps = find('#steps');
  steps.prepend(make('li', { className: from }, make('time', {}, exact_time(Date.now())), make('b', {}, from), make('span', {}, text)));
  while (steps.children.length > 40) steps.lastChild.remove();
}

// What a close code says to people. RFC 6455 §7.4.1 below 4000, the gateway's own above.
const CONNECT = ['Connect again', () => connect()];
const LOG_IN = ['Log in again', () => (forget_connection(), show_welcome())];

function explain({ code, reason, trouble }) {
  if (trouble instanceof LoggedOut) {
    return { title: 'No longer logged in', action: LOG_IN, text: 'The application knows of no log-in in this tab any more.' };
  }
  if (trouble) return { title: 'No token', retry: true, text: `It could not be fetched: ${trouble.message}.` };
  if (code === 4401 && /revoked/.test(reason)) {
    return { title: 'Logged out everywhere', action: LOG_IN,
      text: `${who} was logged out everywhere, so the gateway closed every connection that ${who} had, this one included.` };
  }
  if (code === 4401 && /expired/.test(reason)) {
    return { title: 'The time was up', action: CONNECT,
      text: 'The token expired and no fresh one came, so the gateway closed the connection.' };
  }
  if (code === 4401) {
    return { title: 'Not let in', action: LOG_IN, text: 'The gateway did not accept what this page showed as proof.' };
  }
  if (code === 4403) return { title: 'Not allowed', action: CONNECT, text: 'The gateway does not let this page in.' };
  if (code === 4429) return { title: 'Too much at once', action: CONNECT, text: 'That was more than the gateway lets one person do.' };
  if (code === 1009) return { title: 'Message too long', action: CONNECT, text: 'The message was longer than the gateway lets through.' };
  if (code === 1012 || code === 1001) return { title: 'The gateway restarts', retry: true, text: 'It asks everybody to come back.' };
  if (code === 1013 || code === 1014) return { title: 'Not available just now', retry: true, text: 'The chat behind the gateway does not answer.' };
  if (code === 1006) return { title: 'Connection lost', retry: true, text: 'The gateway cannot be reached.' };
  return { title: 'Closed', action: CONNECT, text: 'The connection has ended.' };
}

async function closed(told) {
  const mine = connection;
  if (told.code === 1006 && !told.ready && !ever_ready && !(await gateway_answers())) {
    if (connection === mine) show_certificate_help();
    return;
  }
  if (connection !== mine) return;
  const what = explain(told);
  set_state('closed', 'Closed');
  find('#log-out-everywhere').disabled = what.action === LOG_IN;
  const wire = told.trouble || told.code === 1006 ? '' : `close ${told.code} “${told.reason}”`;
  if (!what.retry) {
    show_notice(what.title, [make('p', {}, what.text)], wire, [what.action]);
    return;
  }
  const wait = Math.min(10, 2 ** backoff++);
  show_notice(what.title, [make('p', {}, `${what.text} Trying again in ${wait} s.`)], wire, [['Try now', connect]]);
  retry = setTimeout(connect, wait * 1000);
}

/// Whether a plain request gets through. One that fails at once says that the browser does not trust the certificate, or that
/// nobody is there; it tells no page which.
async function gateway_answers() {
  try {
    await fetch(`${settings.gateway}/.sallyport/jwks.json`, { mode: 'no-cors', cache: 'no-store' });
    return true;
  } catch {
    return false;
  }
}

function show_certificate_help() {
  set_state('closed', 'Not connected');
  const link = make('a', { href: `${settings.gateway}/.sallyport/jwks.json`, target: '_blank', rel: 'noopener' }, settings.gateway);
  show_notice(
    'One more certificate to accept',
    [
      make('p', {}, 'The gateway has a port of its own, and your browser may not know its certificate yet.'),
      make('ol', {},
        make('li', {}, 'Open ', link, ' in a new tab.'),
        make('li', {}, 'Accept the warning. A line of JSON, the gateway’s public keys, means that it worked.'),
        make('li', {}, 'Come back: this page tries again by itself.')),
    ],
    '',
    [['Try again', connect]],
  );
  awaiting_certificate = true;
}

function show_notice(title, body, wire, actions) {
  const notice = find('#notice');
  notice.querySelector('h2').textContent = title;
  notice.querySelector('.body').replaceChildren(...body);
  notice.querySelector('.wire').textContent = wire;
  notice.querySelector('.wire').hidden = !wire;
  notice.querySelector('.actions').replaceChildren(
    ...actions.map(([label, act]) => make('button', { type: 'button', className: 'primary', onclick: act }, label)),
  );
  notice.hidden = false;
  if (!wide.matches) find('#panel').open = false;
}

// ---- rooms --------------------------------------------------------------------------------------------------------------------

function enter(name) {
  if (!rooms.has(name)) {
    rooms.set(name, { messages: [], members: [], unread: 0 });
    connection?.send({ type: 'join', room: name });
  }
  show(name);
}

function leave(name) {
  connection?.send({ type: 'leave', room: name });
  rooms.delete(name);
  show(rooms.keys().next().value);
}

function receive(message) {
  if (message.type === 'you') {
    find('#subject').textContent = message.subject;
    return;
  }
  const room = rooms.get(message.room);
  if (!room) return;
  const near = room.members;
  if (message.members) room.members = message.members;
  if (message.type === 'joined' && !near.includes(message.who) && message.who !== who) {
    room.messages.push({ note: `${message.who} came in` });
  } else if (message.type === 'left' && !room.members.includes(message.who)) {
    room.messages.push({ note: `${message.who} left` });
  } else if (message.type === 'said') {
    room.messages.push(message);
    if (shown !== message.room) room.unread += 1;
  }
  if (room.messages.length > 500) room.messages.shift();
  show_rooms();
  if (shown === message.room) show_room();
}

function show(what) {
  shown = what;
  if (rooms.has(what)) rooms.get(what).unread = 0;
  find('#attempts').hidden = what !== ATTEMPTS;
  find('#room').hidden = what === ATTEMPTS;
  show_rooms();
  if (what !== ATTEMPTS) show_room();
}

function show_rooms() {
  const entry = (what, label, unread = 0) =>
    make('li', {}, make('button',
      { type: 'button', className: what === ATTEMPTS ? 'attempt-entry' : '', onclick: () => show(what), ...(shown === what && { ariaCurrent: 'page' }) },
      make('span', {}, label),
      unread ? make('span', { className: 'unread', ariaLabel: `${unread} unread` }, String(unread)) : undefined));
  find('#rooms').replaceChildren(
    ...(who === 'mallory' ? [entry(ATTEMPTS, 'Break in')] : []),
    ...[...rooms].map(([name, room]) => entry(name, `# ${name}`, room.unread)),
  );
}

function show_room() {
  const room = rooms.get(shown);
  find('#room-title').textContent = room ? `# ${shown}` : 'No room';
  find('#leave').hidden = !room;
  find('#composer').hidden = !room;
  find('#text').placeholder = connection?.is_open ? `Message #${shown}` : 'Not connected';
  find('#members').replaceChildren(...(room?.members ?? []).map((name) => make('li', { title: name }, avatar(name), make('span', {}, name))));
  const list = find('#messages');
  const at_end = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const nothing = room ? 'Nobody has said anything here yet.' : 'You have left every room.';
  const next = room ? 'Say something, or open a second tab as somebody else.' : 'Join one by its name; it is made if there is none.';
  if (!room?.messages.length) {
    list.dataset.room = '';
    list.replaceChildren(make('li', { className: 'empty' }, make('strong', {}, nothing), make('span', {}, next)));
    return;
  }
  // Only what is new is added, so that a screen reader reads just that.
  if (list.dataset.room !== shown || list.childElementCount > room.messages.length) {
    list.dataset.room = shown;
    list.replaceChildren();
  }
  const first = list.childElementCount;
  for (let i = first; i < room.messages.length; i += 1) list.append(bubble(room.messages[i], room.messages[i - 1]));
  if (at_end || first === 0) list.scrollTop = list.scrollHeight;
}

function bubble(message, previous) {
  if (message.note) return make('li', { className: 'note' }, message.note);
  const follows = previous?.who === message.who && message.at - previous.at < 60000;
  const mine = message.who === who;
  return make('li', { className: `said${mine ? ' mine' : ''}${follows ? ' follows' : ''}` },
    avatar(message.who),
    make('div', {},
      make('p', { className: 'by' }, make('b', {}, message.who), ' ', make('time', {}, time(message.at))),
      make('p', { className: 'text' }, message.text)));
}

// ---- mallory ------------------------------------------------------------------------------------------------------------------

const part = (value) => btoa(JSON.stringify(value)).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_');
const claims_of = (token) => JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));

const attempts = [
  ['No token', 'Opens the socket and shows nothing at all.', async () => undefined],
  ['Unsigned token', 'Claims to be alice, with alg “none” and no signature.',
    async () => `${part({ alg: 'none', typ: 'JWT' })}.${part({ ...claims_of(await fetch_token()), sub: 'alice' })}.`],
  ['Altered token', 'A good token of mallory’s, rewritten to say alice.', async () => {
    const token = await fetch_token();
    const [header, , signature] = token.split('.');
    return `${header}.${part({ ...claims_of(token), sub: 'alice' })}.${signature}`;
  }],
  ['Expired token', 'Truly signed by the application, ten minutes ago.', async () => (await ask('POST', 'bad-token/expired')).token],
  ['Token for another audience', 'Truly signed, but meant for “billing” and not for this chat.',
    async () => (await ask('POST', 'bad-token/audience')).token],
];

/// How a handshake with `token` ends: {code, reason}, or {ready: true} when it worked.
function knock(path, token) {
  return new Promise((done) => {
    const protocols = ['chat.v1', 'sallyport.v1', ...(token ? [`bearer.${token}`] : [])];
    const socket = new WebSocket(`${settings.sockets}${path}`, protocols);
    const end = (told) => (clearTimeout(late), socket.close(), done(told));
    const late = setTimeout(() => end({ code: 0, reason: 'no answer' }), 10000);
    socket.onmessage = () => end({ ready: true });
    socket.onclose = ({ code, reason }) => end({ code, reason });
  });
}

function attempt_card([title, text, forge]) {
  const result = make('div', { className: 'result', role: 'status' });
  const button = make('button', { type: 'button', ariaLabel: `Try: ${title}` }, 'Try');
  const card = make('li', {}, make('div', { className: 'what' }, make('h2', {}, title), make('p', {}, text)), button, result);
  card.run = async () => {
    button.disabled = true;
    card.className = '';
    result.replaceChildren('Knocking…');
    try {
      const token = await forge();
      const [strict, open] = await Promise.all([knock('/strict', token), knock('/ws', token)]);
      const inside = strict.ready || open.ready;
      const answered = open.code > 1006; // else nobody has said anything, and nothing was shown
      card.className = inside ? 'inside' : answered ? 'refused' : '';
      const row = (route, { ready, code, reason }) =>
        make('p', {}, make('code', {}, route), ' ',
          ready ? 'let in' : code === 1006 ? (answered ? 'refused, status hidden' : 'not reached') : `close ${code} “${reason}”`);
      result.replaceChildren(make('strong', {}, inside ? 'Got in' : answered ? 'Refused' : 'No answer'), row('/strict', strict), row('/ws', open));
    } catch (error) {
      result.replaceChildren(`Could not try: ${error.message}.`);
    }
    button.disabled = false;
  };
  button.onclick = card.run;
  return card;
}

// ---- start --------------------------------------------------------------------------------------------------------------------

find('#composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = find('#text').value.trim();
  if (!text || !connection?.is_open) return;
  connection.send({ type: 'say', room: shown, text });
  find('#text').value = '';
});
find('#new-room').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = find('#room-name').value.trim().toLowerCase().replace(/^#\s*/, '').replace(/\s+/g, '-');
  if (name) enter(name);
  find('#room-name').value = '';
});
find('#leave').addEventListener('click', () => leave(shown));
find('#refresh').addEventListener('click', () => connection.refresh());
find('#auto').addEventListener('change', ({ target }) => {
  connection.refresh_by_itself = target.checked;
});
find('#log-out').addEventListener('click', async () => {
  forget_connection();
  await ask('POST', 'logout').catch(() => {});
  show_welcome();
});
find('#log-out-everywhere').addEventListener('click', async () => {
  const button = find('#log-out-everywhere');
  button.disabled = true;
  try {
    const { closed: count } = await ask('POST', 'logout-everywhere');
    add_step({ from: 'app', text: `asked the gateway, which closed ${count} ${count === 1 ? 'connection' : 'connections'}` });
  } catch (error) {
    add_step({ from: 'app', text: `could not log out everywhere: ${error.message}` });
    announce(`Could not log out everywhere: ${error.message}`);
  }
  button.disabled = !connection?.is_open;
});
const cards = attempts.map(attempt_card);
find('#attempt-list').append(...cards);
find('#try-all').addEventListener('click', () => Promise.all(cards.map((card) => card.run())));

addEventListener('focus', () => awaiting_certificate && connect());

const wide = matchMedia('(min-width: 960px)');
const fold_panel = () => (find('#panel').open = wide.matches);
wide.addEventListener('change', fold_panel);
find('#panel').addEventListener('toggle', () => wide.matches && fold_panel()); // only narrow screens fold it
fold_panel();
setInterval(show_clock, 250);

try {
  settings = await (await fetch('/api/settings')).json();
  if (who && (await ask('GET', 'session').catch(() => undefined))) show_chat();
  else show_welcome();
} catch {
  settings = { people: [] };
  show_welcome('The application does not answer. Is the demo still running?');
}
