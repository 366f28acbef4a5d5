// JWTs of the plugin jwt: what signs a user in, and what else the same keys sign.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { symmetricDecrypt } from 'better-auth/crypto';
import { decodeProtectedHeader, importJWK, SignJWT } from 'jose';
import { LINE, SECRET } from './server.mjs';

/** Signs with the server's newest key, as its other plugins do. */
async function signed(app, payload, header = {}) {
    const [row] = await app.sql(
        'SELECT id::text, {jwks.privateKey} AS private FROM {jwks} ORDER BY {jwks.createdAt} DESC LIMIT 1');
    const key = JSON.parse(await symmetricDecrypt({ key: SECRET, data: JSON.parse(row.private) }));
    const now = Math.floor(Date.now() / 1000);
    return await new SignJWT({ iss: app.server.origin, aud: app.server.origin, iat: now, exp: now + 600, ...payload })
        .setProtectedHeader({ alg: 'EdDSA', kid: row.id, ...header })
        .sign(await importJWK(key, 'EdDSA'));
}

export default (app) => {
    test('a JWT signs its user in', async () => {
        const alice = await app.signUp('Alice');
        const jwt = await alice.jwt();
        assert.equal(decodeProtectedHeader(jwt).typ, undefined);
        assert.deepEqual(await app.request(jwt, async (value) => [
            await value('auth.user_id()'), await value('auth.email()'), await value('auth.email_verified()'),
            await value('auth.provider()'), await value('(auth.profile()).email'),
        ]), [alice.id, alice.email, false, 'better_auth', alice.email]);
        assert.equal(app.ids === 'uuid' ? await app.read(jwt, 'auth.uid()') : alice.id, alice.id);
    });

    test('the JWT in the header set-auth-jwt signs in as well', async () => {
        const alice = await app.signUp('Alice');
        await alice.get('/get-session');
        await app.accepts(alice.headers.get('set-auth-jwt'), alice.id);
    });

    test('what the plugin bearer gives out signs in', async () => {
        const browser = await app.browser().signUp('Alice');
        await app.accepts(browser.headers.get('set-auth-token'), browser.id);
    });

    test('a JWT with a changed payload, or of another server, is refused', async () => {
        const alice = await app.signUp('Alice');
        const [header, payload, signature] = (await alice.jwt()).split('.');
        const claims = JSON.parse(Buffer.from(payload, 'base64url'));
        await app.accepts([header, payload, signature].join('.'), alice.id);
        const changed = Buffer.from(JSON.stringify({ ...claims, sub: app.early.id })).toString('base64url');
        await app.refuses([header, changed, signature].join('.'));
        await app.refuses(await signed(app, { sub: alice.id, iss: 'https://elsewhere.example', aud: 'https://elsewhere.example' }));
    });

    test('other tokens under the same keys are refused', async () => {
        const { id: sub } = await app.signUp('Alice');
        const { origin } = app.server;
        const base = `${origin}/api/auth`;
        await app.accepts(await signed(app, { sub }), sub);
        await app.accepts(await signed(app, { sub }, { typ: 'JWT' }), sub);
        for (const [payload, header] of [
            // An OAuth access token for a resource, and one for this server's own user info
            [{ sub, iss: base, aud: 'https://resource.example', azp: 'client', scope: 'openid' }, { typ: 'at+jwt' }],
            [{ sub, aud: [origin, `${base}/oauth2/userinfo`], client_id: 'client' }, { typ: 'at+jwt' }],
            // An ID token: its audience is a client
            [{ sub, iss: base, aud: 'https://client.example' }],
            [{ sub, aud: 'client' }],
            [{ sub, aud: undefined }],
            [{ sub, events: {} }, { typ: 'logout+jwt' }],
            [{ sub, aud: 'better-auth:session-cache' }, { typ: 'better-auth.session-cache+jwt' }],
            [{ sub, exp: Math.floor(Date.now() / 1000) - 3600, iat: Math.floor(Date.now() / 1000) - 7200 }],
        ]) await app.refuses(await signed(app, payload, header));
    });

    test('a JWT of a user who is not there is refused', async () => {
        const alice = await app.signUp('Alice');
        const jwt = await alice.jwt();
        for (const sub of ['nobody', '00000000-0000-4000-8000-000000000000', '2147483647', '', "' OR true --"]) {
            await app.refuses(await signed(app, { sub }));
        }
        await app.accepts(jwt, alice.id);
        await alice.post('/delete-user', { password: 'a-made-up-password' });
        await app.refuses(jwt);
    });

    test('a JWT outlives the sign-out, as at Better Auth', async () => {
        const alice = await app.signUp('Alice');
        const jwt = await alice.jwt();
        await alice.post('/sign-out');
        await app.accepts(jwt, alice.id);
    });

    if (LINE !== '1.4') {
        test('the cache of the session in a cookie, signed with these keys, is refused', async () => {
            const alice = await app.signUp('Alice');
            const browser = await app.browser({ session: { cookieCache: { enabled: true, strategy: 'jwt' } } }, { sessionCookieCache: true })
                .signIn(alice.email);
            await app.accepts(browser.session().bare, alice.id);
            const { value } = browser.cookie('session_data');
            const keys = await app.sql('SELECT id::text FROM {jwks}');
            assert.ok(keys.some(({ id }) => id === decodeProtectedHeader(value).kid));
            await app.refuses(value);
        });
    }
};
