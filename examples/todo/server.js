// The application: Better Auth under /api/auth, todos under /api/todos, the page under /.
// No query here says who may see or change a row: the policies of schema.sql do.
import { serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { getCookie } from 'hono/cookie';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';
import { auth, baseURL, database, port, sessionCookie } from './auth.js';
import { asUser, pool } from './db.js';

const app = new Hono();
app.use(secureHeaders({ contentSecurityPolicy: { defaultSrc: ["'self'"], frameAncestors: ["'none'"] } }));
app.use('/api/*', bodyLimit({ maxSize: 64 * 1024 }));
app.on(['GET', 'POST'], '/api/auth/*', (c) => auth.handler(c.req.raw));

// The user's transaction, with the session token of the request's cookie. The database checks a signature that it is
// given, but accepts a bare token: so a cookie without a signature, which follows a dot, is refused here.
async function asCaller(c, work) {
  const token = getCookie(c, sessionCookie);
  if (!token?.includes('.')) throw new HTTPException(401, { message: 'Sign in first.' });
  return asUser(token, work);
}

async function body(c) {
  // A form of another site cannot send JSON without asking first.
  if (!/^application\/json\b/.test(c.req.header('content-type') ?? '')) throw new HTTPException(415, { message: 'Send JSON.' });
  const data = await c.req.json().catch(() => null);
  if (data === null || typeof data !== 'object') throw new HTTPException(400, { message: 'Send a JSON object.' });
  return data;
}

// What the database knows about the caller.
app.get('/api/me', async (c) => c.json(await asCaller(c, async (client) => {
  const { rows } = await client.query(`
    SELECT current_user AS role, auth.user_id() AS user_id, auth.session_id() AS session_id,
           auth.organization_ids() AS organization_ids`);
  return rows[0];
})));

app.get('/api/todos', async (c) => c.json(await asCaller(c, async (client) => {
  const { rows } = await client.query(`
    SELECT t.id, t.organization_id, t.task, t.done, p.name AS author, t.may_remove
      FROM todos t LEFT JOIN people p ON p.id = t.user_id
     ORDER BY t.id`);
  return rows;
})));

app.post('/api/todos', async (c) => {
  const { task, organizationId = null } = await body(c);
  const { rows } = await asCaller(c, (client) =>
    client.query('INSERT INTO todos (task, organization_id) VALUES ($1, $2) RETURNING id', [task, organizationId]));
  return c.json(rows[0], 201);
});

app.patch('/api/todos/:id', async (c) => {
  const { done } = await body(c);
  const { rowCount } = await asCaller(c, (client) =>
    client.query('UPDATE todos SET done = $2 WHERE id = $1', [c.req.param('id'), done]));
  return rowCount ? c.body(null, 204) : c.json({ message: 'You cannot change this todo.' }, 404);
});

app.delete('/api/todos/:id', async (c) => {
  const { rowCount } = await asCaller(c, (client) => client.query('DELETE FROM todos WHERE id = $1', [c.req.param('id')]));
  return rowCount ? c.body(null, 204) : c.json({ message: 'You cannot remove this todo.' }, 404);
});

app.use('/*', serveStatic({ root: new URL('./public', import.meta.url).pathname }));

// What the database refuses, by SQLSTATE, and what to tell the client.
const refusals = {
  28000: [401, 'The database refused this session. Sign in again.'],
  42501: [403, 'You may not do this.'],
  23502: [400, 'Something is missing.'],
  23503: [400, 'There is no such list.'],
  23514: [400, 'A task has 1 to 200 characters.'],
  '22P02': [400, 'This is not a valid value.'],
  22003: [400, 'This number is too large.'],
  22021: [400, 'This text is not valid.'],
};
app.onError((error, c) => {
  const [status, message] = refusals[error.code] ?? (error instanceof HTTPException ? [error.status, error.message] : []);
  if (status) return c.json({ message }, status);
  console.error(error);
  return c.json({ message: 'Something went wrong; see the log of the server.' }, 500);
});

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, () => console.log(`Open ${baseURL}`));
server.on('error', (error) => {
  console.error(error.code === 'EADDRINUSE'
    ? `error: port ${port} is taken; choose another: PORT=${port + 1}` : `error: ${error.message}`);
  process.exit(1);
});

async function stop() {
  server.close();
  server.closeAllConnections();
  await Promise.all([pool.end(), database.end()]);
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
