// examples/todo as people use it: Alice and Bob in two browsers share an organization; Bob is promoted, removed and
// banned. After each step the pages, the answers of the server and the database itself say who sees what.
// Environment: PORT, and PGHOST of the cluster. SCREENSHOT names the file to write.
import assert from 'node:assert/strict';
import pg from 'pg';
import { asUser, pool } from '../../examples/todo/db.js';
import { base, launch, Person } from './browser.mjs';
import { eventually, refusal, step, summary } from './check.mjs';

const superuser = new pg.Client();
await superuser.connect();
const query = async (text, values) => (await superuser.query(text, values)).rows;
const token = async (person) =>
  (await query(`SELECT s.token FROM better_auth.session s JOIN better_auth."user" u ON u.id = s."userId"
                 WHERE u.email = $1 ORDER BY s."createdAt" DESC LIMIT 1`, [person.email]))[0].token;
const id = async (person) => (await query('SELECT id FROM neon_auth.users_sync WHERE email = $1', [person.email]))[0].id;
// What this session's transaction sees, without the server.
const tasks = async (sessionToken) =>
  (await asUser(sessionToken, (client) => client.query('SELECT task FROM todos ORDER BY task'))).rows.map(({ task }) => task);
// How many rows a statement of this session changes. The change is undone.
async function changes(sessionToken, text, values) {
  let rowCount;
  await asUser(sessionToken, async (client) => {
    ({ rowCount } = await client.query(text, values));
    throw new Error('undo');
  }).catch((error) => { if (error.message !== 'undo') throw error; });
  return rowCount;
}
// The names that this session's transaction sees.
const names = async (sessionToken) =>
  (await asUser(sessionToken, (client) => client.query('SELECT name FROM people ORDER BY name'))).rows.map(({ name }) => name);
const memberships = () => query(
  `SELECT u.name, p.permission_id FROM neon_auth.team_members_sync m
     JOIN neon_auth.users_sync u ON u.id = m.user_id
     JOIN neon_auth.teams_sync t ON t.id = m.team_id AND t.name = 'Garden club'
     LEFT JOIN neon_auth.team_permissions_sync p ON p.team_id = m.team_id AND p.user_id = m.user_id
    ORDER BY u.name, p.permission_id`);

const browser = await launch();
const alice = await Person.arrives(browser, 'Alice');
const bob = await Person.arrives(browser, 'Bob');
let aliceId, bobId, garden;

await step('nobody sees anything without a session', async () => {
  assert.equal((await bob.request('GET', 'todos')).status, 401);
  await bob.context.addCookies([{ name: 'better-auth.session_token', value: 'made.up', url: base }]);
  assert.equal((await bob.request('GET', 'todos')).status, 401);
  await bob.context.clearCookies();
});

await step('two users sign up and are users of the database at once', async () => {
  await alice.signUp();
  await bob.signUp();
  assert.deepEqual(await query('SELECT name, email FROM neon_auth.users_sync ORDER BY name'),
    [{ name: 'Alice', email: 'alice@example.com' }, { name: 'Bob', email: 'bob@example.com' }]);
  aliceId = await id(alice);
  bobId = await id(bob);
});

await step('each sees only private todos of their own', async () => {
  await alice.add('buy seeds');
  await bob.add('call the plumber');
  await alice.sees({ Private: ['buy seeds'] });
  await bob.sees({ Private: ['call the plumber'] });
  assert.deepEqual(await tasks(await token(alice)), ['buy seeds']);
  assert.deepEqual(await query('SELECT user_id, task FROM todos ORDER BY id'),
    [{ user_id: aliceId, task: 'buy seeds' }, { user_id: bobId, task: 'call the plumber' }]);
});

await step('a session cookie with the signature of another one, or without one, is refused', async () => {
  const parts = async (person) =>
    (await person.context.cookies()).find(({ name }) => name === 'better-auth.session_token').value.split('.');
  const [[token, own], [, other]] = [await parts(bob), await parts(alice)];
  const status = async (value) =>
    (await fetch(`${base}/api/todos`, { headers: { cookie: `better-auth.session_token=${value}` } })).status;
  assert.equal(await status(`${token}.${own}`), 200);
  assert.equal(await status(`${token}.${other}`), 401);
  assert.equal(await status(token), 401);
  assert.equal(await status(`${token}.`), 401);
});

await step('nobody changes a private todo of another user', async () => {
  const [{ id: seeds }] = await query("SELECT id FROM todos WHERE task = 'buy seeds'");
  assert.equal((await bob.request('PATCH', `todos/${seeds}`, { done: true })).status, 404);
  assert.equal((await bob.request('DELETE', `todos/${seeds}`)).status, 404);
  assert.deepEqual(await query('SELECT done FROM todos WHERE id = $1', [seeds]), [{ done: false }]);
  const bobs = await token(bob);
  assert.equal(await refusal(asUser(bobs, (client) =>
    client.query('INSERT INTO todos (user_id, task) VALUES ($1, $2)', [aliceId, 'forged']))), '42501');
  assert.equal(await refusal(asUser(bobs, (client) => client.query('UPDATE todos SET user_id = $1', [aliceId]))), '42501');
});

await step('odd requests are refused, and change nothing', async () => {
  const add = async (data) => (await bob.request('POST', 'todos', data)).status;
  for (const data of [{}, [], { task: ' \n' }, { task: 'x'.repeat(201) }, { task: 'a\0b' }, { task: null }]) {
    assert.equal(await add(data), 400, JSON.stringify(data));
  }
  assert.equal(await add({ task: 'x', organizationId: 'no such organization' }), 403);
  assert.equal(await add('{"task": "from a form of another site"}'), 415);
  for (const path of ['todos/abc', 'todos/99999999999999999999', 'todos/1%27--']) {
    assert.equal((await bob.request('PATCH', path, { done: true })).status, 400, path);
    assert.equal((await bob.request('DELETE', path)).status, 400, path);
  }
  assert.equal((await bob.request('PATCH', 'todos/1', { done: 'perhaps' })).status, 400);
  assert.equal((await bob.request('GET', 'nothing')).status, 404);
  assert.deepEqual(await query('SELECT task, done FROM todos ORDER BY id'),
    [{ task: 'buy seeds', done: false }, { task: 'call the plumber', done: false }]);
});

await step('an organization belongs to its members only', async () => {
  await alice.fill('#new-organization', { 'New organization': 'Garden club' }, 'Create');
  await eventually(() => alice.page.locator('#list-title').textContent(), 'Garden club');
  await alice.add('water the roses');
  [{ id: garden }] = await query("SELECT id FROM neon_auth.teams_sync WHERE name = 'Garden club'");
  assert.deepEqual(await memberships(), [{ name: 'Alice', permission_id: 'owner' }]);
  await alice.sees({ Private: ['buy seeds'], 'Garden club': ['water the roses'] });
  await bob.sees({ Private: ['call the plumber'] });
  assert.equal((await bob.request('POST', 'todos', { task: 'intrude', organizationId: garden })).status, 403);
  // Statements that read no row are subject to no policy for SELECT.
  const bobs = await token(bob);
  assert.equal(await refusal(asUser(bobs, (client) =>
    client.query("INSERT INTO todos (task, organization_id) VALUES ('intrude', $1)", [garden]))), '42501');
  assert.equal(await changes(bobs, 'UPDATE todos SET done = true'), 1);
  assert.equal(await changes(bobs, 'DELETE FROM todos'), 1);
});

await step('an invitation makes nobody a member until it is accepted', async () => {
  await alice.page.locator('#lists').getByRole('button', { name: 'Garden club' }).click();
  await alice.fill('#invite', { 'Invite by e-mail': bob.email }, 'Invite');
  const link = await alice.page.locator('#invitations code').textContent();
  await bob.sees({ Private: ['call the plumber'] });
  await bob.open(new URL(link).pathname + new URL(link).hash);
  await bob.reload();
  await bob.click('Accept');
  await eventually(() => bob.page.locator('#list-title').textContent(), 'Garden club');
});

await step('a member sees the todos of the organization, and removes only own ones', async () => {
  await bob.add('mow the lawn');
  await bob.sees({ Private: ['call the plumber'], 'Garden club': ['water the roses', 'mow the lawn'] });
  await alice.sees({ Private: ['buy seeds'], 'Garden club': ['water the roses', 'mow the lawn'] });
  assert.deepEqual(await memberships(), [{ name: 'Alice', permission_id: 'owner' }, { name: 'Bob', permission_id: 'member' }]);
  assert.deepEqual(await bob.removable(), ['mow the lawn']);
  assert.deepEqual(await alice.removable(), ['water the roses', 'mow the lawn']);
  const [{ id: roses }] = await query("SELECT id FROM todos WHERE task = 'water the roses'");
  assert.equal((await bob.request('DELETE', `todos/${roses}`)).status, 404);
  const bobs = await token(bob);
  assert.equal(await changes(bobs, 'UPDATE todos SET done = true'), 3);
  assert.equal(await changes(bobs, 'DELETE FROM todos'), 2);
  assert.equal(await refusal(changes(bobs, 'UPDATE todos SET user_id = $1 WHERE organization_id = $2', [aliceId, garden])), '42501');
  assert.equal(await refusal(changes(bobs, 'UPDATE todos SET organization_id = $1 WHERE organization_id IS NULL', [garden])), '42501');
  await bob.page.getByLabel('water the roses').click();
  await eventually(() => query('SELECT done FROM todos WHERE id = $1', [roses]), [{ done: true }]);
});

await step('members see the names of members', async () => {
  assert.deepEqual(await names(await token(bob)), ['Alice', 'Bob']);
  await bob.sees({ Private: ['call the plumber'], 'Garden club': ['water the roses', 'mow the lawn'] });
  assert.deepEqual(await bob.page.locator('#todos .tag').allTextContents(), ['Alice', 'Bob']);
});

await step('who is promoted to admin removes todos of others, in the same session', async () => {
  const before = await token(bob);
  await alice.click('Make admin: Bob');
  await alice.page.getByRole('button', { name: 'Make member: Bob' }).waitFor();
  assert.deepEqual(await memberships(), [{ name: 'Alice', permission_id: 'owner' }, { name: 'Bob', permission_id: 'admin' }]);
  if (process.env.SCREENSHOT) {
    await alice.add('order compost');
    await alice.page.screenshot({ path: process.env.SCREENSHOT });
    await alice.click('Remove order compost');
  }
  await bob.sees({ Private: ['call the plumber'], 'Garden club': ['water the roses', 'mow the lawn'] });
  assert.equal(await token(bob), before);
  assert.deepEqual(await bob.removable(), ['water the roses', 'mow the lawn']);
  await bob.click('Remove water the roses');
  await eventually(() => query('SELECT task FROM todos ORDER BY id'),
    [{ task: 'buy seeds' }, { task: 'call the plumber' }, { task: 'mow the lawn' }]);
});

await step('who is removed sees nothing of the organization, in the same session', async () => {
  const before = await token(bob);
  await alice.click('Remove Bob from the organization');
  await eventually(() => alice.page.locator('#members li span:first-child').allTextContents(), ['Alice']);
  assert.deepEqual(await memberships(), [{ name: 'Alice', permission_id: 'owner' }]);
  await bob.sees({ Private: ['call the plumber'] });
  assert.equal(await token(bob), before);
  assert.deepEqual(await tasks(before), ['call the plumber']);
  assert.deepEqual(await names(before), ['Bob']);
  assert.equal(await changes(before, 'UPDATE todos SET done = true'), 1);
  assert.equal(await changes(before, 'DELETE FROM todos'), 1);
  await alice.sees({ Private: ['buy seeds'], 'Garden club': ['mow the lawn'] });
  assert.equal((await bob.request('POST', 'todos', { task: 'intrude', organizationId: garden })).status, 403);
  const [{ id: lawn }] = await query("SELECT id FROM todos WHERE task = 'mow the lawn'");
  assert.equal((await bob.request('DELETE', `todos/${lawn}`)).status, 404);
});

await step('who is banned is signed out, and cannot sign in', async () => {
  const before = await token(bob);
  await alice.click('Ban Bob');
  await alice.page.getByRole('button', { name: 'Unban Bob' }).waitFor();
  assert.equal((await bob.request('GET', 'todos')).status, 401);
  assert.equal(await refusal(tasks(before)), '28000');
  await bob.reload();
  assert.equal(await bob.page.locator('#signed-in').isVisible(), false);
  await bob.fill('#sign-in', { 'E-mail': bob.email, Password: bob.password }, 'Sign in');
  await eventually(async () => /banned/i.test(await bob.page.locator('#problem').textContent()), true);
  await alice.sees({ Private: ['buy seeds'], 'Garden club': ['mow the lawn'] });
});

await step('a ban in the table alone is enough, although the session is still there', async () => {
  await alice.click('Unban Bob');
  await alice.page.getByRole('button', { name: 'Ban Bob' }).waitFor();
  await bob.signIn();
  await bob.sees({ Private: ['call the plumber'] });
  const now = await token(bob);
  await query('UPDATE better_auth."user" SET banned = true WHERE id = $1', [bobId]);
  assert.equal((await bob.request('GET', 'todos')).status, 401);
  assert.equal(await refusal(tasks(now)), '28000');
  await query('UPDATE better_auth."user" SET banned = false WHERE id = $1', [bobId]);
  assert.deepEqual(await tasks(now), ['call the plumber']);
});

await step('who signs out has no session in the database', async () => {
  const before = await token(bob);
  await bob.reload();
  await bob.click('Sign out');
  await bob.page.locator('#signed-out').waitFor();
  assert.equal((await bob.request('GET', 'todos')).status, 401);
  assert.equal(await refusal(tasks(before)), '28000');
});

await step('a stale answer does not change the list that is shown', async () => {
  let caught, release;
  const held = new Promise((resolve) => { caught = resolve; });
  const released = new Promise((resolve) => { release = resolve; });
  await alice.page.route('**/organization/list', async (route) => {
    const response = await route.fetch();
    caught();
    await released;
    await route.fulfill({ response });
  }, { times: 1 });
  await alice.page.evaluate(() => dispatchEvent(new Event('focus')));
  await held;
  await alice.fill('#new-organization', { 'New organization': 'Choir' }, 'Create');
  await eventually(() => alice.page.locator('#list-title').textContent(), 'Choir');
  const arrived = alice.page.waitForResponse('**/organization/list');
  release();
  await (await arrived).finished();
  await alice.add('copy the scores');
  assert.deepEqual(await query(`SELECT t.name FROM todos LEFT JOIN neon_auth.teams_sync t ON t.id = organization_id
                                 WHERE task = 'copy the scores'`), [{ name: 'Choir' }]);
});

await step('the role of the server reads nothing by itself', async () => {
  assert.equal(await refusal(pool.query('SELECT FROM todos')), '42501');
  assert.equal(await refusal(pool.query('SELECT FROM better_auth.session')), '42501');
  const [app] = await query("SELECT rolsuper OR rolbypassrls AS bypasses, rolinherit FROM pg_roles WHERE rolname = 'app'");
  assert.deepEqual(app, { bypasses: false, rolinherit: false });
  assert.equal((await pool.query('SELECT auth.user_id() AS id')).rows[0].id, null);
});

for (const person of [alice, bob]) assert.deepEqual(person.errors, []);
await browser.close();
await Promise.all([pool.end(), superuser.end()]);
summary('examples/todo');
