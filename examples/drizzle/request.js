// One request: a transaction as the user of a Better Auth session. `token` is what auth.api.getSession returns as
// session.token, or the value of the session cookie: refuse one without a dot, because it is not signed.
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { notes } from './schema.js';

export const pool = new pg.Pool({ user: 'app' });
const db = drizzle(pool);

export function asUser(token, work) {
  return db.transaction(async (tx) => {
    await tx.execute(sql`SET LOCAL ROLE authenticated`);
    await tx.execute(sql`SELECT auth.authenticate(${token})`);
    return work(tx);
  });
}

// The database sets user_id, and the policies choose the rows.
export const addNote = (token, text) => asUser(token, (tx) => tx.insert(notes).values({ text }));
export const myNotes = (token) => asUser(token, (tx) => tx.select().from(notes).orderBy(notes.id));
