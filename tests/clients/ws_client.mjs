// One connection by npm's ws. Reads what to do as JSON from standard input:
//   address, port, host, path, ca     where to
//   headers, protocols                what the upgrade carries
//   send: [text, ...]                 sent once open, each after the echo of the one before
//   close: [code, reason]             how to end after that; without it the other side ends
// and prints what it saw: status of a refusal, or protocol, extensions, messages, pong, closed: [code, reason].
import { readFileSync } from "node:fs";
import WebSocket from "ws";

const what = JSON.parse(readFileSync(0, "utf8"));
const saw = { messages: [] };
const socket = new WebSocket(`wss://${what.host}:${what.port}${what.path}`, what.protocols ?? [], {
  headers: what.headers,
  ca: readFileSync(what.ca),
  lookup: (_name, options, done) => (options.all ? done(null, [{ address: what.address, family: 4 }]) : done(null, what.address, 4)),
});

const end = () => process.stdout.write(JSON.stringify(saw), () => process.exit(0));

function sendNext() {
  const next = saw.messages.length;
  if (next < (what.send ?? []).length) socket.send(what.send[next]);
  else if (what.close) socket.ping("there?");
}

socket.on("open", () => {
  saw.protocol = socket.protocol;
  saw.extensions = socket.extensions;
  sendNext();
});
socket.on("message", (data) => {
  saw.messages.push(data.toString());
  sendNext();
});
socket.on("pong", (data) => {
  saw.pong = data.toString();
  socket.close(...what.close);
});
socket.on("unexpected-response", (_request, response) => {
  saw.status = response.statusCode;
  end();
});
socket.on("error", (error) => (saw.error = error.message));
socket.on("close", (code, reason) => {
  saw.closed = [code, reason.toString()];
  end();
});
