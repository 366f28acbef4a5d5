import assert from 'node:assert/strict';
import pg from 'pg';
import { authUid } from 'drizzle-orm/neon';
import { bigint, boolean, pgTable, text, PgDialect } from 'drizzle-orm/pg-core';
const token = process.env.ALICE;
const pool = new pg.Pool();
const todos = pgTable('todos', {
  id: bigint('id', { mode: 'number' }).generatedAlwaysAsIdentity().primaryKey(),
  userId: text('user_id').notNull(),
  task: text('task').notNull(),
  done: boolean('done').notNull(),
});
// SNIPPET
assert.deepEqual(mine.map((todo) => todo.task), ['water the plants']);

const tasks = async (tx) => (await tx.select().from(todos)).map((todo) => todo.task);
assert.deepEqual(
  await Promise.all([asUser(process.env.ALICE, tasks), asUser(process.env.BOB, tasks)]),
  [['water the plants'], ['feed the cat']],
);
const refused = await asUser(process.env.REFUSED, tasks).catch((error) => error);
assert.equal(refused.cause.code, '28000');
await assert.rejects(asUser(token, async (tx) => {
  await tx.execute(sql`INSERT INTO todos (task) VALUES ('never')`);
  throw new Error('the work failed');
}), { message: 'the work failed' });
assert.deepEqual(await asUser(token, tasks), ['water the plants']);
assert.equal((await db.execute(sql`SELECT auth.user_id() AS id`)).rows[0].id, null);
// What the page says of authUid, and of the parameter.
const dialect = new PgDialect();
assert.equal(dialect.sqlToQuery(authUid(todos.userId)).sql, '(select auth.user_id() = "todos"."user_id")');
assert.equal(dialect.sqlToQuery(sql`SELECT auth.authenticate(${token})`).sql, 'SELECT auth.authenticate($1)');
await pool.end();
console.log('Drizzle: two users, a refused token, failed work, nobody');
