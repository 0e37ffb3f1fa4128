// An authorization server (npm oidc-provider) whose tokens are opaque. It prints {"issuer": ...} once it listens. Beside what it speaks by
// itself (introspection, revocation, client_credentials) it answers POST /test/tokens {"subject", "scope", "seconds", "audience"} with a token
// of a user who logged in, for how they logged in is not what is tested.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { secret, jwk } = JSON.parse(readFileSync(0, 'utf8'));
const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

const client = (client_id, more) => ({
  client_id, grant_types: ['client_credentials'], redirect_uris: [], response_types: [], client_secret: secret, ...more,
});
const provider = new Provider(issuer, {
  clients: [
    client('gateway', { token_endpoint_auth_method: 'client_secret_basic' }),
    client('gateway-post', { token_endpoint_auth_method: 'client_secret_post' }),
    client('gateway-key', {
      token_endpoint_auth_method: 'private_key_jwt', client_secret: undefined, jwks: { keys: [jwk] },
      token_endpoint_auth_signing_alg: 'ES256',
    }),
    client('web', { token_endpoint_auth_method: 'client_secret_basic' }),
  ],
  scopes: ['openid', 'chat.read', 'chat.write'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
  },
  findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
});

const read = async (request) => {
  let text = '';
  for await (const part of request) text += part;
  return JSON.parse(text);
};

const mint = async ({ subject, scope = 'openid chat.read', seconds = 600, audience }) => {
  const grant = new provider.Grant({ accountId: subject, clientId: 'web' });
  grant.addOIDCScope(scope);
  const token = new provider.AccessToken({
    accountId: subject, client: await provider.Client.find('web'), grantId: await grant.save(), gty: 'authorization_code', scope, claims: {},
  });
  token.expiresIn = seconds;
  if (audience) token.aud = audience;
  return token.save();
};

let introspections = 0;
server.on('request', async (request, response) => {
  if (request.url === '/test/tokens') return response.end(await mint(await read(request)));
  if (request.url === '/test/introspections') return response.end(String(introspections));
  if (request.url === '/token/introspection') introspections += 1;
  return provider.callback()(request, response);
});
console.log(JSON.stringify({ issuer }));
