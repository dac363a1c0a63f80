// Starts the reference server of the AT protocol for a test, with a directory of identities in memory,
// makes one account with an app password, and says on one line where it is. Ends when its input does.
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const plc = require('@did-plc/lib');
const { PDS, envToCfg, envToSecrets, readEnv } = require('@atproto/pds');

// The directory: the last operation of each identity, taken as it comes.
const operations = new Map();
const directory = createServer((request, response) => {
  const [, did, more] = decodeURIComponent(request.url).split('/');
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  if (request.method === 'POST') {
    let text = '';
    request.on('data', (part) => (text += part));
    request.on('end', () => {
      operations.set(did, JSON.parse(text));
      answer(200, {});
    });
    return;
  }
  const operation = operations.get(did);
  if (!operation) return answer(404, { message: 'DID not registered' });
  const data = { did, ...operation };
  if (more === 'data') return answer(200, data);
  if (more === 'log') return answer(200, operation);
  answer(200, plc.formatDidDoc(data));
});
await new Promise((done) => directory.listen(0, '127.0.0.1', done));

const free = createServer();
await new Promise((done) => free.listen(0, '127.0.0.1', done));
const port = free.address().port;
await new Promise((done) => free.close(done));

const home = mkdtempSync(join(tmpdir(), 'pds-'));
const hex = (bytes) => randomBytes(bytes).toString('hex');
Object.assign(process.env, {
  PDS_PORT: String(port),
  PDS_HOSTNAME: 'localhost',
  PDS_DEV_MODE: 'true',
  PDS_DATA_DIRECTORY: home,
  PDS_BLOBSTORE_DISK_LOCATION: join(home, 'blobs'),
  PDS_DID_PLC_URL: `http://127.0.0.1:${directory.address().port}`,
  PDS_SERVICE_HANDLE_DOMAINS: '.test',
  PDS_INVITE_REQUIRED: 'false',
  PDS_RATE_LIMITS_ENABLED: 'false',
  PDS_DISABLE_SSRF_PROTECTION: 'true',
  PDS_JWT_SECRET: hex(16),
  PDS_DPOP_SECRET: hex(32),
  PDS_ADMIN_PASSWORD: hex(16),
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: hex(32),
  LOG_ENABLED: 'false',
});
const env = readEnv();
const server = await PDS.create(envToCfg(env), envToSecrets(env));
await server.start();

const base = `http://127.0.0.1:${port}`;
const call = async (method, body, token) => {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const address = `${base}/xrpc/${method}`;
  const answer = await fetch(address, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};
const account = await call('com.atproto.server.createAccount', {
  handle: 'mofa.test',
  email: 'mofa@mofa.example',
  password: hex(16),
});
const entry = await call(
  'com.atproto.server.createAppPassword',
  { name: 'chancery' },
  account.accessJwt,
);
console.log(JSON.stringify({ base, did: account.did, password: entry.password }));

process.stdin.resume();
process.stdin.on('close', async () => {
  rmSync(home, { recursive: true, force: true });
  process.exit(0);
});
