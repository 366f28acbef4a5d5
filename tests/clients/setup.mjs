// What add_better_auth did, and that the owner of Better Auth's tables got no right by it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { models } from './server.mjs';

export default (app) => {
    test('add_better_auth finds every table that Better Auth made', () => {
        const expected = models(app).map((model) => `${app.schema}.${app.names.table(model).replaceAll('"', '')}`).sort();
        assert.deepEqual(app.added.map(({ relation }) => relation.replaceAll('"', '').replace(/^(?!.*\.)/, 'public.')).sort(), expected);
        assert.deepEqual(app.added.map(({ table }) => table).sort(), models(app).sort());
    });

    test('a user from before is in the mirror', async () => {
        assert.equal((await app.user(app.early.id)).email, app.early.email);
    });

    test('adding twice changes nothing', async () => {
        const rows = () => app.database.row(`SELECT count(*), max(updated_at), max(xmin::text) FROM neon_auth.users_sync`);
        const before = await rows();
        assert.ok(before.count > 0);
        const again = await app.database.superuser.query(
            'SELECT * FROM neon_auth.add_better_auth($1, names => $2)', [app.server.origin, app.names.told(models(app))]);
        assert.deepEqual(again.rows.map(({ relation }) => relation), app.added.map(({ relation }) => relation));
        assert.deepEqual(await rows(), before);
    });

    test('Better Auth finds nothing to migrate afterwards', async () => {
        const { toBeCreated, toBeAdded } = await app.server.migrations();
        assert.deepEqual([toBeCreated, toBeAdded], [[], []]);
    });

    test('the application may read neither the mirror nor secrets, nor configure anything', async () => {
        for (const statement of [
            'SELECT FROM neon_auth.users_sync', 'DELETE FROM neon_auth.users_sync', 'SELECT FROM neon_auth.providers',
            'SELECT FROM neon_auth_internal.secrets', "SELECT neon_auth.add_better_auth('https://elsewhere.example')",
            "SELECT auth.impersonate('somebody')",
        ]) await assert.rejects(app.sql(statement), { code: '42501' }, statement);
    });

    test('status reports nothing', async () => {
        const { rows } = await app.database.superuser.query('SELECT component, detail FROM neon_auth.status WHERE NOT ok');
        assert.deepEqual(rows, []);
    });
};
