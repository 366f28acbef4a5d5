import assert from 'node:assert/strict';
const token = process.env.ALICE;
// SNIPPET
assert.deepEqual(rows, [{ task: 'water the plants' }]);

const tasks = async (client) => (await client.query('SELECT task FROM todos')).rows.map((row) => row.task);
assert.deepEqual(
  await Promise.all([asUser(process.env.ALICE, tasks), asUser(process.env.BOB, tasks)]),
  [['water the plants'], ['feed the cat']],
);
await assert.rejects(asUser(process.env.REFUSED, tasks), { code: '28000' });
await assert.rejects(asUser(token, async (client) => {
  await client.query("INSERT INTO todos (task) VALUES ('never')");
  throw new Error('the work failed');
}), { message: 'the work failed' });
assert.deepEqual(await asUser(token, tasks), ['water the plants']);
// Nobody is signed in on any connection that went back, and app itself may not read.
assert.equal(pool.idleCount, pool.totalCount);
for (let n = pool.totalCount; n > 0; n--) {
  assert.equal((await pool.query('SELECT auth.user_id() AS id')).rows[0].id, null);
  await assert.rejects(pool.query('SELECT task FROM todos'), { code: '42501' });
}
await pool.end();
console.log('node-postgres: two users, a refused token, failed work, nobody');
