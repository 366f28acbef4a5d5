// Creates Better Auth's tables.
import { getMigrations } from 'better-auth/db/migration';
import { auth, database } from './auth.js';

const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
await database.end();
