// Each request is one transaction, as a role that has no rights but those that schema.sql grants to `authenticated`.
import pg from 'pg';

export const pool = new pg.Pool({ user: 'app' });
// An idle connection that breaks is replaced by the pool; without a listener the error would end the process.
pool.on('error', (error) => console.error(`idle connection: ${error.message}`));

export async function asUser(sessionToken, work) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SET LOCAL ROLE authenticated');
    await client.query('SELECT auth.authenticate($1)', [sessionToken]);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}
