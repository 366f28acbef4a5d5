// examples/pre-request in the database of examples/todo: requests with a session cookie, and without.
// Environment: PORT of examples/todo, and PGHOST of the cluster.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { server } from '../../examples/pre-request/server.js';
import { signUp, step, summary } from './check.mjs';

const superuser = new pg.Client();
await superuser.connect();
await superuser.query(readFileSync(new URL('../../examples/pre-request/setup.sql', import.meta.url), 'utf8'));
await once(server.listen(0, '127.0.0.1'), 'listening');
const get = async (path, headers = {}) => {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers });
  return { status: answer.status, value: await answer.json() };
};
const tasks = async (headers) => {
  const { status, value } = await get('/todos', headers);
  return status === 200 ? value.map(({ task }) => task) : [status, value.code];
};
const erin = await signUp('Erin');
const frank = await signUp('Frank');
assert.equal((await erin.post('todos', { task: 'label the jars' })).status, 201);
assert.equal((await frank.post('todos', { task: 'sweep the path' })).status, 201);

await step('the session cookie names the user', async () => {
  assert.deepEqual(await tasks({ cookie: erin.header }), ['label the jars']);
  assert.deepEqual(await tasks({ cookie: `theme=dark; ${frank.header}; lang=en` }), ['sweep the path']);
});

await step('a session token as bearer token does too', async () => {
  assert.deepEqual(await tasks({ authorization: `Bearer ${erin.token}` }), ['label the jars']);
  assert.deepEqual(await tasks({ authorization: `Bearer ${frank.cookie}` }), ['sweep the path']);
});

await step('requests of several users at once do not mix', async () => {
  const many = Array.from({ length: 40 }, (_, n) => [erin, frank, null][n % 3]);
  const answers = await Promise.all(many.map((user) => tasks(user ? { cookie: user.header } : {})));
  const expected = new Map([[erin, ['label the jars']], [frank, ['sweep the path']], [null, [403, '42501']]]);
  assert.deepEqual(answers, many.map((user) => expected.get(user)));
});

await step('nobody, and a cookie that is made up, read nothing', async () => {
  assert.deepEqual(await tasks(), [403, '42501']);
  assert.deepEqual(await tasks({ cookie: 'theme=dark' }), [403, '42501']);
  const [name] = erin.header.split('=');
  const other = frank.cookie.slice(frank.cookie.indexOf('.'));
  for (const value of [erin.token, `${erin.token}${other}`, `${erin.token}.`, `x${erin.cookie}`]) {
    assert.deepEqual(await tasks({ cookie: `${name}=${value}` }), [401, '28000'], value);
  }
});

await step('a session that has ended is refused', async () => {
  assert.equal((await frank.post('auth/sign-out', {})).status, 200);
  assert.deepEqual(await tasks({ cookie: frank.header }), [401, '28000']);
});

await step('no other table can be read', async () => {
  assert.equal((await get('/session', { cookie: erin.header })).status, 404);
  assert.equal((await get('/pg_authid', { cookie: erin.header })).status, 404);
});

server.close();
server.closeAllConnections();
await superuser.end();
summary('examples/pre-request');
