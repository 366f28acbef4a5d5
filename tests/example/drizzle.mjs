// examples/drizzle in the database of examples/todo: two users, each with own notes.
// Environment: PORT of examples/todo, and PGHOST of the cluster.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import pg from 'pg';
import { addNote, asUser, myNotes, pool } from '../../examples/drizzle/request.js';
import { notes } from '../../examples/drizzle/schema.js';
import { refusal, signUp, step, summary } from './check.mjs';

// Of the example's own packages.
const example = createRequire(new URL('../../examples/drizzle/', import.meta.url));
const { getTableConfig, PgDialect } = example('drizzle-orm/pg-core');
const migration = readFileSync(new URL('../../examples/drizzle/migration.sql', import.meta.url), 'utf8');
const superuser = new pg.Client();
await superuser.connect();
const carol = await signUp('Carol');
const dave = await signUp('Dave');
const texts = async (token) => (await myNotes(token)).map(({ text }) => text);

await step('the migration has the policies of the schema', async () => {
  const { policies } = getTableConfig(notes);
  const text = (condition) => condition && new PgDialect().sqlToQuery(condition).sql;
  assert.equal(policies.length, 4);
  for (const { name, for: command, using, withCheck } of policies) {
    const clauses = [using && `USING (${text(using)})`, withCheck && `WITH CHECK (${text(withCheck)})`].filter(Boolean);
    const statement = `CREATE POLICY "${name}" ON "notes" AS PERMISSIVE FOR ${command.toUpperCase()} TO "authenticated" ${clauses.join(' ')};`;
    assert.ok(migration.includes(statement), statement);
  }
  await superuser.query(migration);
});

await step('each user reads only own notes, with each form of the session token', async () => {
  await addNote(carol.token, 'prune the vines');
  await addNote(dave.token, 'oil the gate');
  const rows = await superuser.query('SELECT user_id, text FROM notes ORDER BY id');
  assert.deepEqual(rows.rows, [{ user_id: carol.id, text: 'prune the vines' }, { user_id: dave.id, text: 'oil the gate' }]);
  for (const form of [carol.token, carol.cookie, decodeURIComponent(carol.cookie)]) {
    assert.deepEqual(await texts(form), ['prune the vines']);
  }
  assert.deepEqual(await texts(dave.token), ['oil the gate']);
});

await step('nobody writes a note of another user', async () => {
  assert.equal(await refusal(asUser(dave.token, (tx) => tx.insert(notes).values({ userId: carol.id, text: 'forged' }))), '42501');
  assert.equal((await asUser(dave.token, (tx) => tx.update(notes).set({ text: 'mine' }))).rowCount, 1);
  assert.equal((await asUser(dave.token, (tx) => tx.delete(notes))).rowCount, 1);
  assert.deepEqual(await texts(carol.token), ['prune the vines']);
});

await step('a session that is unknown or has ended is refused', async () => {
  assert.equal(await refusal(texts('A'.repeat(32))), '28000');
  assert.equal((await dave.post('auth/sign-out', {})).status, 200);
  assert.equal(await refusal(texts(dave.token)), '28000');
  assert.equal((await pool.query('SELECT auth.user_id() AS id')).rows[0].id, null);
});

await Promise.all([pool.end(), superuser.end()]);
summary('examples/drizzle');
