// Users: their rows in users_sync, in the transaction that wrote Better Auth's row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APIError } from 'better-auth/api';
import { transaction } from './database.mjs';

export default (app) => {
    test('a user who signs up is in users_sync', async () => {
        const alice = await app.signUp('Alice');
        const [row] = await app.sql('SELECT {user.createdAt} AS created_at FROM {user} WHERE id = $1', [alice.id]);
        const { raw_json, ...mirrored } = await app.user(alice.id);
        assert.deepEqual([mirrored.id, mirrored.name, mirrored.email, mirrored.deleted_at], [alice.id, 'Alice', alice.email, null]);
        assert.equal(mirrored.created_at.getTime(), row.created_at.getTime());
        assert.equal(raw_json.primary_email_verified, false);
    });

    test('the row commits with the sign-up, not before it and not after it', async () => {
        let pause;
        const inserted = new Promise((resolve) => {
            pause = () => new Promise((go) => resolve(go));
        });
        app.server.gate.signUp = () => pause();
        const signingUp = app.signUp('Carol');
        const go = await inserted;
        app.server.gate.signUp = undefined;
        const seen = () => app.database.value(`SELECT count(*) FROM neon_auth.users_sync WHERE name = 'Carol'`);
        assert.equal(await seen(), 0);
        go();
        const carol = await signingUp;
        assert.equal(await seen(), 1);
        const times = await app.database.row(
            `SELECT pg_xact_commit_timestamp(u.xmin)::text AS there, pg_xact_commit_timestamp(s.xmin)::text AS here
             FROM ${app.schema}.${app.names.table('user')} u JOIN neon_auth.users_sync s ON s.id = u.id::text
             WHERE s.id = $1`, [carol.id]);
        assert.equal(times.here, times.there);
    });

    test('a sign-up that is rolled back leaves no row', async () => {
        let inserted;
        app.server.gate.signUp = async () => {
            inserted = true;
            throw new APIError('BAD_REQUEST');
        };
        try {
            await app.browser().signUp('Dave', { status: 400 });
        } finally {
            app.server.gate.signUp = undefined;
        }
        assert.ok(inserted);
        assert.equal(await app.database.value(`SELECT count(*) FROM neon_auth.users_sync WHERE name = 'Dave'`), 0);
        assert.deepEqual(await app.sql(`SELECT FROM {user} WHERE {user.name} = 'Dave'`), []);
    });

    test('a change of the profile is in users_sync', async () => {
        const alice = await app.signUp('Alice');
        await alice.post('/update-user', { name: 'Alice Example', image: 'https://example.com/alice.png' });
        const { name, raw_json } = await app.user(alice.id);
        assert.deepEqual([name, raw_json.profile_image_url], ['Alice Example', 'https://example.com/alice.png']);
    });

    test('an address that is verified is verified at the next request', async () => {
        const alice = await app.signUp('Alice');
        const { bare } = alice.session();
        assert.equal(await app.read(bare, 'auth.email_verified()'), false);
        await app.sql('UPDATE {user} SET {user.emailVerified} = true WHERE id = $1', [alice.id]);
        assert.equal(await app.read(bare, 'auth.email_verified()'), true);
        assert.equal((await app.user(alice.id)).raw_json.primary_email_verified, true);
    });

    test('a user who is deleted is marked as deleted, and rows that refer to the user stay', async () => {
        const alice = await app.signUp('Alice');
        const { bare } = alice.session();
        const own = await app.request(bare, async (value, client) => {
            await client.query(`INSERT INTO public.todos (task) VALUES ('water the plants')`);
            return value('count(*) FROM public.todos');
        });
        assert.equal(own, 1);
        await app.accepts(bare, alice.id);
        await alice.post('/delete-user', { password: 'a-made-up-password' });
        assert.deepEqual(await app.sql('SELECT FROM {user} WHERE id = $1', [alice.id]), []);
        assert.ok((await app.user(alice.id)).deleted_at);
        assert.equal(await app.database.value('SELECT task FROM public.todos WHERE user_id = $1', [alice.id]), 'water the plants');
        await app.refuses(bare);
    });

    test('a deletion that is rolled back deletes nobody', async () => {
        const alice = await app.signUp('Alice');
        await assert.rejects(transaction(app.database.owner, async (client) => {
            await client.query(app.names.in('DELETE FROM {user} WHERE id = $1'), [alice.id]);
            throw new Error('changed my mind');
        }), /changed my mind/);
        assert.equal((await app.user(alice.id)).deleted_at, null);
        await app.accepts(alice.session().bare, alice.id);
    });

    test('each user sees only own rows', async () => {
        const [alice, bob] = [await app.signUp('Alice'), await app.signUp('Bob')];
        for (const user of [alice, bob]) {
            await app.request(user.session().signed, (_, client) => client.query(
                'INSERT INTO public.todos (task) VALUES ($1)', [`of ${user.name}`]));
        }
        for (const user of [alice, bob]) {
            assert.deepEqual(await app.read(user.session().signed, 'array_agg(task) FROM public.todos'), [`of ${user.name}`]);
        }
    });

    test('a sign-up succeeds while the mirror is locked, and sync() repairs the mirror', async () => {
        const alice = await transaction(app.database.superuser, async (client) => {
            await client.query('LOCK TABLE neon_auth.users_sync IN ACCESS EXCLUSIVE MODE');
            return await app.signUp('Alice');
        });
        await app.accepts(alice.session().bare, alice.id);
        const unwell = `SELECT count(*) FROM neon_auth.status WHERE NOT ok`;
        assert.equal(await app.user(alice.id), undefined);
        assert.notEqual(await app.database.value(unwell), 0);
        await app.database.superuser.query('CALL neon_auth.sync()');
        assert.equal((await app.user(alice.id)).email, alice.email);
        assert.equal(await app.database.value(unwell), 0);
    });
};
