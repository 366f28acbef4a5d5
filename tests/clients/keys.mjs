// The keys of JWTs, in the table jwks: many, of every algorithm, rotated, deleted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProtectedHeader } from 'jose';
import { transaction } from './database.mjs';

const kid = (jwt) => decodeProtectedHeader(jwt).kid;
const ALGORITHMS = [{ alg: 'EdDSA', crv: 'Ed25519' }, { alg: 'ES256' }, { alg: 'ES512' }, { alg: 'RS256' }, { alg: 'PS256' }];

async function until(what, holds) {
    for (let n = 0; n < 1000; n += 1) {
        if (await holds()) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail(`${what} did not happen within 20 seconds`);
}

export default (app) => {
    test('30 first tokens at once: 30 keys, and all tokens are valid', async () => {
        const alice = await app.signUp('Alice');
        await app.sql('DELETE FROM {jwks}');
        // Every request finds no key, and then waits to write its own.
        const jwks = `${app.schema}.${app.names.table('jwks')}`;
        let requests;
        await transaction(app.database.superuser, async (client) => {
            await client.query(`LOCK TABLE ${jwks} IN SHARE MODE`);
            requests = Array.from({ length: 30 }, () => alice.jwt());
            await until('30 inserts that wait', async () => await app.database.value(
                'SELECT count(*) FROM pg_locks WHERE relation = $1::regclass AND NOT granted', [jwks]) === 30);
        });
        const tokens = await Promise.all(requests);
        assert.equal(new Set(tokens.map(kid)).size, 30);
        for (const token of tokens) await app.accepts(token, alice.id);
    });

    test('a rotated key: old and new tokens are valid, until the old key is too old', async () => {
        const alice = await app.signUp('Alice');
        const old = await alice.jwt();
        const expires = (since) => app.sql('UPDATE {jwks} SET {jwks.expiresAt} = now() - $2::interval WHERE id::text = $1', [kid(old), since]);
        // As if the rotation interval had passed, for all keys
        await app.sql(`UPDATE {jwks} SET {jwks.expiresAt} = now() - interval '1 minute'`);
        const fresh = await alice.jwt();
        assert.notEqual(kid(fresh), kid(old));
        for (const token of [old, fresh]) await app.accepts(token, alice.id);
        await expires('29 days 23 hours');
        await app.accepts(old, alice.id);
        await expires('30 days 1 minute');
        await app.refuses(old);
        await app.accepts(fresh, alice.id);
    });

    test('a deleted key counts at once, also in a session that has verified its tokens', async () => {
        const alice = await app.signUp('Alice');
        const jwt = await alice.jwt();
        const client = await app.database.client.connect();
        try {
            const authenticate = () => client.query('SELECT auth.authenticate($1)', [jwt]);
            await authenticate();
            await authenticate();
            await app.sql('DELETE FROM {jwks} WHERE id::text = $1', [kid(jwt)]);
            await assert.rejects(authenticate(), { code: '28000' });
        } finally {
            client.release(true);
        }
        await app.accepts(await alice.jwt(), alice.id);
    });

    for (const algorithm of ALGORITHMS) {
        test(`keys of ${algorithm.alg}`, async () => {
            const alice = await app.signUp('Alice');
            // A live key of another algorithm would be used.
            await app.sql('DELETE FROM {jwks}');
            const browser = await app.browser({}, { jwks: { keyPairConfig: algorithm } }).signIn(alice.email);
            const jwt = await browser.jwt();
            assert.equal(decodeProtectedHeader(jwt).alg, algorithm.alg);
            await app.accepts(jwt, alice.id);
            // The server's own algorithm again
            await app.sql('DELETE FROM {jwks}');
        });
    }

    test('a key that is broken breaks no other', async () => {
        const alice = await app.signUp('Alice');
        const jwt = await alice.jwt();
        const broken = await app.browser().signIn(alice.email);
        await app.sql(`UPDATE {jwks} SET {jwks.expiresAt} = now() - interval '1 minute'`);
        const other = await broken.jwt();
        await app.accepts(other, alice.id);
        await app.sql(`UPDATE {jwks} SET {jwks.publicKey} = '{"kty":"OKP"' WHERE id::text = $1`, [kid(other)]);
        await app.refuses(other);
        await app.accepts(jwt, alice.id);
        await app.sql('DELETE FROM {jwks} WHERE id::text = $1', [kid(other)]);
    });
};
