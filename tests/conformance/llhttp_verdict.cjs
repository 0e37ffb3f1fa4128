// Says what llhttp, the parser inside Node, makes of requests: the same lines in and out as http_verdict.cpp.
"use strict";

const { HTTPParser } = process.binding("http_parser");
const methods = process.binding("http_parser").allMethods ?? process.binding("http_parser").methods;

const inBase64 = (text) => Buffer.from(text, "latin1").toString("base64");

function judge(bytes) {
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, 64 * 1024, 0); // no leniency
  let fields = [];
  let url = "";
  let head = null;
  parser[HTTPParser.kOnHeaders | 0] = (more, start) => {
    if (head) return;
    fields = fields.concat(more);
    url += start;
  };
  parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, last, method, target, _status, _message, upgrade) => {
    if (head) return 0;
    if (last !== undefined) fields = last;
    if (target !== undefined) url = target;
    head = { version: `${major}.${minor}`, method: inBase64(methods[method]), target: inBase64(url), upgrade, fields: [] };
    for (let at = 0; at < fields.length; at += 2) head.fields.push([inBase64(fields[at]), inBase64(fields[at + 1])]);
    return upgrade ? 2 : 0; // 2: what follows is another protocol
  };
  parser[HTTPParser.kOnBody | 0] = () => {};
  parser[HTTPParser.kOnMessageComplete | 0] = () => {};
  const result = parser.execute(bytes, 0, bytes.length);
  parser.close();
  if (head) return { request: "ok", consumed: typeof result === "number" && head.upgrade ? result : null, ...head };
  return result instanceof Error ? { request: result.code } : { request: "incomplete" };
}

const lines = require("node:fs").readFileSync(0, "latin1").split("\n");
lines.pop();
process.stdout.write(lines.map((line) => JSON.stringify(judge(Buffer.from(line, "base64"))) + "\n").join(""));
