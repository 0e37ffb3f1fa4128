// A chat in rooms, with no security of its own: no TLS, no login, no Origin, no limit. It believes every header, because the
// gateway in front strips what a client sends under these names and writes what it has proved.
//
//   client  {"type":"join","room":R}   {"type":"leave","room":R}   {"type":"say","room":R,"text":T}
//   server  {"type":"you","subject":S,"connection":C}      {"type":"said","room":R,"who":S,"text":T,"at":MS}
//           {"type":"joined"|"left","room":R,"who":S,"members":[S,…]}
import { WebSocketServer } from 'ws';

const rooms = new Map(); // name -> Set of sockets
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.env.PORT ?? 0),
  handleProtocols: (offered) => (offered.has('chat.v1') ? 'chat.v1' : false),
});

function members(room) {
  return [...new Set([...(rooms.get(room) ?? [])].map((socket) => socket.subject))].sort();
}

function tell(room, message) {
  for (const socket of rooms.get(room) ?? []) socket.send(JSON.stringify({ ...message, room }));
}

function leave(socket, room) {
  if (!rooms.get(room)?.delete(socket)) return;
  tell(room, { type: 'left', who: socket.subject, members: members(room) });
  if (rooms.get(room).size === 0) rooms.delete(room);
}

const on = {
  join(socket, { room }) {
    if (!rooms.has(room)) rooms.set(room, new Set());
    rooms.get(room).add(socket);
    tell(room, { type: 'joined', who: socket.subject, members: members(room) });
  },
  leave(socket, { room }) {
    leave(socket, room);
    socket.send(JSON.stringify({ type: 'left', who: socket.subject, members: members(room), room }));
  },
  say(socket, { room, text }) {
    console.log(`${socket.subject} in ${room}: ${text}`);
    tell(room, { type: 'said', who: socket.subject, text, at: Date.now() });
  },
};

server.on('listening', () => console.log(`backend listening on ${server.address().port}`));
server.on('connection', (socket, request) => {
  socket.subject = request.headers['x-sallyport-subject'] ?? 'somebody';
  console.log(`${socket.subject} is here`);
  process.send?.({ event: 'open', subject: socket.subject, headers: request.headers }); // for the demo's script
  socket.send(JSON.stringify({ type: 'you', subject: socket.subject, connection: request.headers['x-sallyport-connection'] }));
  socket.on('message', (data) => {
    try {
      const message = JSON.parse(data);
      on[message.type]?.(socket, message);
    } catch (error) {
      console.log(`${socket.subject}: ${error.message}`);
    }
  });
  socket.on('error', (error) => console.log(`${socket.subject}: ${error.message}`));
  socket.on('close', (code) => {
    for (const room of [...rooms.keys()]) leave(socket, room);
    console.log(`${socket.subject} is gone (${code})`);
    process.send?.({ event: 'close', subject: socket.subject, code });
  });
});
