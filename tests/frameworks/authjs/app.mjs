// usage: app.mjs jwt | database FOLDER    the encrypted cookie, or a session in PostgreSQL (socket in FOLDER, password in PGPASSWORD)
import { ExpressAuth, getSession } from "@auth/express";
import Credentials from "@auth/core/providers/credentials";
import PostgresAdapter from "@auth/pg-adapter";
import express from "express";
import pg from "pg";

const [strategy, folder] = process.argv.slice(2);
const links = new Map(); // what would be in their mail
const options = { secret: process.env.SECRET, trustHost: true, logger: { warn() {}, debug() {} } };

if (strategy === "database") {
  const pool = new pg.Pool({ host: folder, user: "app", database: "app" });
  // As the adapter documents its tables.
  await pool.query(`
    create table verification_token (identifier text not null, expires timestamptz not null, token text not null, primary key (identifier, token));
    create table accounts (id serial primary key, "userId" integer not null, type varchar(255) not null, provider varchar(255) not null,
      "providerAccountId" varchar(255) not null, refresh_token text, access_token text, expires_at bigint, id_token text, scope text,
      session_state text, token_type text);
    create table sessions (id serial primary key, "userId" integer not null, expires timestamptz not null, "sessionToken" varchar(255) not null);
    create table users (id serial primary key, name varchar(255), email varchar(255), "emailVerified" timestamptz, image text)`);
  options.adapter = PostgresAdapter(pool);
  options.session = { strategy: "database" };
  options.providers = [{
    id: "mail", type: "email", name: "Mail", from: "app@example.com", maxAge: 600, options: {},
    sendVerificationRequest: ({ identifier, url }) => links.set(identifier, url) }];
} else {
  options.session = { strategy: "jwt", maxAge: Number(process.env.LIFETIME ?? 3600) };
  options.providers = [Credentials({ credentials: { name: {} }, authorize: ({ name }) => ({ id: name, name }) })];
  options.callbacks = { jwt: ({ token, user }) => (user ? { ...token, sub: user.id } : token) };
}

const app = express();
app.use("/auth", ExpressAuth({ ...options, basePath: "/auth" }));

// What the pages of Auth.js would do in a browser: with the cookies of this request, all that are set on the way handed back.
function visitor(request, port) {
  const cookies = new Map((request.headers.cookie ?? "").split("; ").filter(Boolean).map((one) => [one.split("=", 1)[0], one.slice(one.indexOf("=") + 1)]));
  const set = [];
  const go = async (path, form) => {
    const answer = await fetch(new URL(path, `http://127.0.0.1:${port}`), {
      method: form ? "POST" : "GET", redirect: "manual", body: form && new URLSearchParams(form),
      headers: { cookie: [...cookies].map((pair) => pair.join("=")).join("; ") } });
    for (const line of answer.headers.getSetCookie()) {
      set.push(line);
      cookies.set(line.split("=", 1)[0], line.split(";", 1)[0].slice(line.indexOf("=") + 1));
    }
    return answer;
  };
  const csrf = async () => (await (await go("/auth/csrf")).json()).csrfToken;
  return { go, csrf, set };
}

app.get("/visit", async (request, response) => {
  const browser = visitor(request, server.address().port);
  await browser.csrf();
  response.append("Set-Cookie", browser.set).send("hello");
});
app.post("/login", async (request, response) => {
  const browser = visitor(request, server.address().port);
  const name = request.query.user;
  const csrfToken = await browser.csrf();
  if (strategy === "database") {
    await browser.go("/auth/signin/mail", { csrfToken, email: `${name}@example.com` });
    const link = new URL(links.get(`${name}@example.com`));
    await browser.go(link.pathname + link.search);
  } else {
    await browser.go("/auth/callback/credentials", { csrfToken, name });
  }
  response.append("Set-Cookie", browser.set).send("welcome");
});
app.get("/me", async (request, response) => {
  const session = await getSession(request, { ...options, basePath: "/auth", callbacks: {
    ...options.callbacks, session: ({ session: said, user, token }) => ({ ...said, who: String(user?.id ?? token?.sub) }) } });
  response.send(session?.who ?? "");
});
app.post("/logout", async (request, response) => {
  const browser = visitor(request, server.address().port);
  await browser.go("/auth/signout", { csrfToken: await browser.csrf() });
  response.append("Set-Cookie", browser.set).send("bye");
});
const server = app.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
