// usage: app.cjs files FOLDER | redis PORT | postgres FOLDER-OF-ITS-SOCKET    PGPASSWORD is the password of its user app
const express = require("express");
const session = require("express-session");

async function store([kind, where]) {
  if (kind === "redis") {
    const { createClient } = require("redis");
    const { RedisStore } = require("connect-redis");
    const client = createClient({ url: `redis://127.0.0.1:${where}` });
    await client.connect();
    return new RedisStore({ client });
  }
  if (kind === "postgres") {
    const { Pool } = require("pg");
    const PostgresStore = require("connect-pg-simple")(session);
    return new PostgresStore({ pool: new Pool({ host: where, user: "app", database: "app" }), createTableIfMissing: true, pruneSessionInterval: false });
  }
  const FileStore = require("session-file-store")(session);
  return new FileStore({ path: where, ttl: 3600, reapInterval: -1, logFn: () => {} });
}

async function main() {
  const app = express();
  app.use(session({
    store: await store(process.argv.slice(2)), secret: process.env.SECRET, resave: false, saveUninitialized: false,
    cookie: { maxAge: 3600_000 } }));
  app.get("/visit", (request, response) => {
    request.session.visits = (request.session.visits || 0) + 1;
    response.send("hello");
  });
  app.post("/login", (request, response, next) => {
    // A new id on each log-in, as express-session advises against fixation.
    request.session.regenerate((trouble) => {
      if (trouble) return next(trouble);
      request.session.user = { id: request.query.user, roles: ["member"] };
      request.session.save((failed) => (failed ? next(failed) : response.send("welcome")));
    });
  });
  app.get("/me", (request, response) => response.send(request.session.user?.id ?? ""));
  app.post("/logout", (request, response, next) =>
    request.session.destroy((trouble) => (trouble ? next(trouble) : response.send("bye"))));
  const server = app.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
}

main();
