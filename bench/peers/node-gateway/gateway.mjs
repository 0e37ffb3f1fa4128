// A gateway as users write it today: verifies the token at the upgrade, parses each message of the client, looks at two of
// its members, and sends it on through a second WebSocket. usage: node gateway.mjs CONFIG.json
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import jwt from 'jsonwebtoken';
import { WebSocket, WebSocketServer } from 'ws';

const config = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const key = fs.readFileSync(config.key, 'utf8');
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

function verified(request) {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  if (scheme !== 'Bearer') return null;
  try {
    return jwt.verify(token, key, { algorithms: ['ES256'], issuer: config.issuer, audience: config.audience });
  } catch {
    return null;
  }
}

function allowed(text) {
  try {
    const message = JSON.parse(text);
    return typeof message.type === 'string' && typeof message.room === 'string';
  } catch {
    return false;
  }
}

function relay(client) {
  const backend = new WebSocket(config.backend, { perMessageDeflate: false });
  const early = [];
  backend.on('open', () => early.splice(0).forEach((text) => backend.send(text)));
  client.on('message', (data, binary) => {
    const text = data.toString();
    if (binary || !allowed(text)) return client.close(1008);
    if (backend.readyState === WebSocket.OPEN) backend.send(text);
    else early.push(text);
  });
  backend.on('message', (data, binary) => client.send(data, { binary }));
  client.on('close', () => backend.close());
  backend.on('close', () => client.close());
  client.on('error', () => backend.terminate());
  backend.on('error', () => client.terminate());
}

function upgrade(request, socket, head) {
  if (!verified(request)) return socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
  sockets.handleUpgrade(request, socket, head, relay);
}

for (const { port, cert, key: certificateKey } of config.listen) {
  const server = cert
    ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(certificateKey) })
    : http.createServer();
  server.on('upgrade', upgrade);
  server.listen({ port, host: '127.0.0.1', backlog: 4096 });
}
