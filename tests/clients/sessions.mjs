// Session tokens: in which forms they sign a user in, and what ends them.
import assert from 'node:assert/strict';
import { test } from 'node:test';

const STRATEGIES = ['compact', 'jwt', 'jwe'];

export default (app) => {
    test('a session token signs its user in: bare, signed, and as the cookie has it', async () => {
        const alice = await app.signUp('Alice');
        const { bare, signed, encoded } = (await app.browser().signIn(alice.email)).session();
        assert.equal(new Set([bare, signed, encoded]).size, 3);
        for (const credential of [bare, signed, encoded]) await app.accepts(credential, alice.id);
    });

    test('the readers know the session and its user', async () => {
        const alice = await app.signUp('Alice');
        const { bare } = alice.session();
        const [row] = await app.sql(
            'SELECT id::text, {session.expiresAt} AS expires_at FROM {session} WHERE {session.token} = $1', [bare]);
        const read = await app.request(bare, async (value) => ({
            session: await value('auth.session_id()'),
            expires: await value('auth.expires_at()'),
            email: await value('auth.email()'),
            provider: await value('auth.provider()'),
            actor: await value('auth.actor()'),
            claims: JSON.stringify(await value('auth.session()')),
            profile: await value('(auth.profile()).name'),
        }));
        assert.equal(read.session, row.id);
        // Claims have whole seconds; a session must not last longer than its row says.
        assert.ok(row.expires_at - read.expires >= 0 && row.expires_at - read.expires < 1000);
        assert.deepEqual([read.email, read.provider, read.profile], [alice.email, 'better_auth', 'Alice']);
        assert.deepEqual([read.actor.user_id, read.actor.session_id, read.actor.impersonator], [alice.id, row.id, undefined]);
        assert.ok(!read.claims.includes(bare), 'the claims contain the token');
    });

    test('a wrong signature is refused where the secret is known, and ignored where it is not', async () => {
        const alice = await app.signUp('Alice');
        const { bare, signed } = alice.session();
        const other = await app.signUp('Bob');
        await app.accepts(signed, alice.id);
        const forged = bare + other.session().signed.slice(other.session().bare.length);
        assert.notEqual(forged, signed);
        if (app.secret) await app.refuses(forged);
        else await app.accepts(forged, alice.id);
    });

    test('a session ends with the sign-out', async () => {
        const alice = await app.signUp('Alice');
        const elsewhere = await app.browser().signIn(alice.email);
        const { bare, encoded } = alice.session();
        await app.accepts(bare, alice.id);
        await alice.post('/sign-out');
        for (const credential of [bare, encoded]) await app.refuses(credential);
        await app.accepts(elsewhere.session().bare, alice.id);
    });

    test('sessions end when the user revokes all of them', async () => {
        const alice = await app.signUp('Alice');
        const elsewhere = await app.browser().signIn(alice.email);
        const tokens = [alice, elsewhere].map((browser) => browser.session().bare);
        for (const token of tokens) await app.accepts(token, alice.id);
        await alice.post('/revoke-sessions');
        for (const token of tokens) await app.refuses(token);
    });

    test('a session that is expired is refused', async () => {
        const alice = await app.signUp('Alice');
        const { bare } = alice.session();
        await app.accepts(bare, alice.id);
        await app.sql(`UPDATE {session} SET {session.expiresAt} = now() - interval '1 second' WHERE {session.token} = $1`, [bare]);
        await app.refuses(bare);
    });

    test('an identity for the whole connection ends with the session', async () => {
        const alice = await app.signUp('Alice');
        const client = await app.database.client.connect();
        try {
            const user = async () => (await client.query('SELECT auth.user_id()')).rows[0].user_id;
            await client.query('SELECT auth.authenticate($1, is_local => false)', [alice.session().bare]);
            assert.equal(await user(), alice.id);
            await alice.post('/sign-out');
            assert.notEqual(await user().catch(({ code }) => `refused: ${code}`), alice.id);
        } finally {
            client.release(true);
        }
    });

    test('the cookie that the server sets signs in by pre_request', async () => {
        const alice = await app.signUp('Alice');
        const { name, value } = alice.cookie('session_token');
        const as = (settings) => app.request(null, async (read, client) => {
            for (const [setting, content] of Object.entries(settings)) {
                await client.query('SELECT set_config($1, $2, true)', [setting, JSON.stringify(content)]);
            }
            await client.query('SELECT auth.pre_request()');
            return read('auth.user_id()');
        });
        assert.equal(await as({ 'request.headers': {}, 'request.cookies': { [name]: value } }), alice.id);
        assert.equal(await as({ 'request.headers': { authorization: `Bearer ${alice.session().signed}` } }), alice.id);
        assert.equal(await as({ 'request.headers': {}, 'request.cookies': { theme: 'dark' } }), null);
        await alice.post('/sign-out');
        await assert.rejects(as({ 'request.cookies': { [name]: value } }), { code: '28000' });
    });

    test('what is not a session token is refused', async () => {
        const alice = await app.signUp('Alice');
        const { bare, signed } = alice.session();
        const swapped = bare.replace(/[A-Za-z]/g, (c) => (c < 'a' ? c.toLowerCase() : c.toUpperCase()));
        for (const odd of [bare.slice(0, -1), `${bare}a`, swapped, `${bare}' OR true --`, `${bare}%00`, ` ${bare}`, '', '.',
            '%', bare.repeat(32768)]) await app.refuses(odd);
        await app.accepts(signed, alice.id);
    });

    for (const strategy of STRATEGIES) {
        test(`the cache of the session in a cookie (${strategy}) is refused`, async () => {
            const alice = await app.signUp('Alice');
            const browser = await app.browser({ session: { cookieCache: { enabled: true, strategy } } }).signIn(alice.email);
            const { value } = browser.cookie('session_data');
            assert.ok(value.length > 100);
            await app.accepts(browser.session().bare, alice.id);
            for (const credential of [value, decodeURIComponent(value)]) await app.refuses(credential);
        });
    }
};
