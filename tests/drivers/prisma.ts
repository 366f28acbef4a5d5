import assert from 'node:assert/strict';
const { ALICE, BOB, REFUSED, PGHOST, PGPORT } = process.env as Record<string, string>;
const token = ALICE;
const connectionString = `postgresql://app@localhost:${PGPORT}/postgres?host=${PGHOST}`;
// SNIPPET
assert.deepEqual(mine.map((todo) => todo.task), ['water the plants']);

const tasks = async (tx: Prisma.TransactionClient) => (await tx.todos.findMany()).map((todo) => todo.task);
assert.deepEqual(
  await Promise.all([asUser(ALICE, tasks), asUser(BOB, tasks)]),
  [['water the plants'], ['feed the cat']],
);
const refused = await asUser(REFUSED, tasks).catch((error) => error);
assert(refused instanceof Prisma.PrismaClientKnownRequestError);
assert.equal(refused.code, 'P2010');
const { cause } = refused.meta!.driverAdapterError as { cause: { originalCode: string } };
assert.equal(cause.originalCode, '28000');
await assert.rejects(asUser(token, async (tx) => {
  await tx.todos.create({ data: { task: 'never' } });
  throw new Error('the work failed');
}), { message: 'the work failed' });
const made = await asUser(token, async (tx) => {
  const todo = await tx.todos.create({ data: { task: 'mow the lawn' } });
  await tx.todos.delete({ where: { id: todo.id } });
  return todo;
});
assert.equal(made.user_id, 'alice');
assert.deepEqual(await asUser(token, tasks), ['water the plants']);
assert.deepEqual(await prisma.$queryRaw`SELECT auth.user_id() AS id`, [{ id: null }]);
await prisma.$disconnect();
console.log('Prisma: two users, a refused token, failed work, nobody');
