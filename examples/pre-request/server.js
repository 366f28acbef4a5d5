// GET /TABLE: the rows of a table that the policies show to the user of the session cookie. Per transaction it sets
// what PostgREST sets, and calls auth.pre_request() as PostgREST does with db-pre-request.
import { createServer } from 'node:http';
import pg from 'pg';

const pool = new pg.Pool({ user: 'authenticator' });
pool.on('error', (error) => console.error(`idle connection: ${error.message}`));

async function rows(request) {
  const { cookie = '', ...headers } = request.headers;
  const cookies = Object.fromEntries(cookie.split('; ').map((pair) => /^([^=]*)=?(.*)$/.exec(pair).slice(1)));
  const { pathname } = new URL(request.url, 'http://localhost');
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(`
      SELECT set_config('role', 'anonymous', true), set_config('request.method', $1, true),
             set_config('request.path', $2, true), set_config('request.headers', $3, true),
             set_config('request.cookies', $4, true)`,
    [request.method, pathname, JSON.stringify(headers), JSON.stringify(cookies)]);
    await client.query('SELECT auth.pre_request()');
    const result = await client.query(`SELECT * FROM public.${client.escapeIdentifier(pathname.slice(1))}`);
    await client.query('COMMIT');
    return result.rows;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

// By SQLSTATE: the session is refused, the role has no right, there is no such table.
const statuses = { 28000: 401, 42501: 403, '42P01': 404 };
export const server = createServer(async (request, response) => {
  const [status, body] = await rows(request)
    .then((found) => [200, found], ({ code, message }) => [statuses[code] ?? 500, { code, message }]);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}).on('close', () => pool.end());
// node server.js 3001
if (process.argv[2]) server.listen(Number(process.argv[2]), '127.0.0.1');
