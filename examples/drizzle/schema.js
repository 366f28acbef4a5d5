// A table with policies as Neon's guide for Drizzle writes them: own rows only.
import { sql } from 'drizzle-orm';
import { authenticatedRole, authUid, crudPolicy, usersSync } from 'drizzle-orm/neon';
import { bigint, index, pgTable, text } from 'drizzle-orm/pg-core';

export const notes = pgTable('notes', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  userId: text('user_id').notNull().default(sql`auth.user_id()`).references(() => usersSync.id),
  text: text('text').notNull(),
}, (table) => [
  index('notes_user_id_index').on(table.userId),
  crudPolicy({ role: authenticatedRole, read: authUid(table.userId), modify: authUid(table.userId) }),
]);
