// API keys of the plugin apiKey: what signs their owner in, what they grant, and what ends them.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { KEY_OWNER } from './names.mjs';
import { found } from './organizations.mjs';
import { LINE } from './server.mjs';

export default (app) => {
    let api;

    /** A key with what only a server may set. */
    const create = (user, options = {}) => api.createApiKey({ body: { userId: user.id, ...options } });
    const update = (id, change) => app.sql(`UPDATE {apikey} SET ${change} WHERE id::text = $1`, [String(id)]);
    const grants = (key, permission, organization) => app.read(key, 'auth.has_permission($1, $2)', [permission, organization]);

    before(() => { ({ api } = app.server.build()); });

    if (app.ids === 'serial') {
        test('where ids are numbers, keys are refused until an administrator says that users own them', async () => {
            const alice = await app.signUp('Alice');
            const { key } = await create(alice);
            await app.refuses(key, /its owner is not known to be a user/);
            const names = app.names.told(['user', 'session', 'jwks', 'organization', 'member', 'team', 'teamMember', 'organizationRole', 'apikey']);
            const { [KEY_OWNER]: holder, ...others } = names.apikey;
            await app.database.superuser.query('SELECT neon_auth.add_better_auth($1, names => $2)',
                [app.server.origin, { ...names, apikey: { ...others, userId: holder } }]);
            await app.accepts(key, alice.id);
        });
    }

    test('a key that its user made signs in, and nothing shows it', async () => {
        const alice = await app.signUp('Alice');
        const { id, key, expiresAt } = await alice.post('/api-key/create', { name: 'laptop', prefix: 'shop_', expiresIn: 7 * 86400 });
        assert.match(key, /^shop_[A-Za-z]{64}$/);
        const before = await app.sql('SELECT * FROM {apikey} WHERE id::text = $1', [String(id)]);
        const read = await app.request(key, async (value) => ({
            user: await value('auth.user_id()'), email: await value('auth.email()'), provider: await value('auth.provider()'),
            session: await value('auth.session_id()'), expires: await value('auth.expires_at()'),
            key: await value(`auth.actor() ->> 'api_key_id'`),
            all: JSON.stringify([await value('auth.jwt()'), await value('auth.actor()')]),
        }));
        assert.deepEqual([read.user, read.email, read.provider, read.session, read.key], [alice.id, alice.email, 'better_auth', null, String(id)]);
        const left = new Date(expiresAt) - read.expires;
        assert.ok(left >= 0 && left < 1000, left);
        assert.ok(!read.all.includes(key) && !read.all.includes(before[0][app.names.column('apikey', 'key').slice(1, -1)]));
        // Nothing was counted.
        assert.deepEqual(await app.sql('SELECT * FROM {apikey} WHERE id::text = $1', [String(id)]), before);
    });

    test('a text that is not a key is refused, and so is the hash of one', async () => {
        const alice = await app.signUp('Alice');
        const { id, key } = await create(alice);
        const [{ hash }] = await app.sql('SELECT {apikey.key} AS hash FROM {apikey} WHERE id::text = $1', [String(id)]);
        await app.accepts(key, alice.id);
        for (const odd of [hash, key.slice(1), `${key}a`, key.toUpperCase(), 'x'.repeat(64), `%${key.slice(1)}`]) await app.refuses(odd);
    });

    test('a key ends when it is disabled, expires or is deleted, and with its owner', async () => {
        const alice = await app.signUp('Alice');
        const keys = await Promise.all(Array.from({ length: 4 }, () => create(alice)));
        for (const { key } of keys) await app.accepts(key, alice.id);
        const [disabled, expired, deleted, last] = keys;
        await alice.post('/api-key/update', { keyId: disabled.id, enabled: false });
        await app.refuses(disabled.key, /the key is disabled/);
        await alice.post('/api-key/update', { keyId: disabled.id, enabled: true });
        await app.accepts(disabled.key, alice.id);
        await update(expired.id, `{apikey.expiresAt} = now()`);
        await app.refuses(expired.key, /the key has expired/);
        await alice.post('/api-key/delete', { keyId: deleted.id });
        await app.refuses(deleted.key);
        await app.sql('UPDATE {user} SET banned = true WHERE id::text = $1', [alice.id]);
        await app.refuses(last.key, /the user is banned/);
        await app.sql('UPDATE {user} SET banned = false WHERE id::text = $1', [alice.id]);
        await app.accepts(last.key, alice.id);
        await alice.post('/delete-user', { password: 'a-made-up-password' });
        await app.refuses(last.key);
    });

    test('a key that Better Auth has used up is refused', async () => {
        const alice = await app.signUp('Alice');
        const { key } = await create(alice, { remaining: 1 });
        for (let n = 0; n < 3; n += 1) await app.accepts(key, alice.id);
        assert.equal((await api.verifyApiKey({ body: { key } })).valid, true);
        await app.refuses(key, /no uses left/);
        assert.equal((await api.verifyApiKey({ body: { key } })).valid, false);
    });

    test('a key grants what Better Auth says that it grants, and never more than its owner has', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const asked = [['organization', 'update'], ['organization', 'delete'], ['member', 'create'], ['team', 'create']];
        for (const permissions of [undefined, {}, { organization: ['update'] }, { member: ['create'], organization: ['delete', 'update'] }, { organization: [] }]) {
            const { key } = await create(alice, permissions && { permissions });
            for (const [resource, action] of asked) {
                const { valid } = await api.verifyApiKey({ body: { key, permissions: { [resource]: [action] } } });
                assert.equal(await grants(key, `${resource}:${action}`, organization), valid, JSON.stringify([permissions, resource, action]));
            }
        }
        assert.equal(await app.read(alice.session().bare, `auth.has_permission('team:create', $1)`, [organization]), true);
        const other = await app.signUp('Bob');
        const { key } = await create(other, { permissions: { organization: ['update'] } });
        assert.equal(await grants(key, 'organization:update', organization), false);
        assert.deepEqual(await app.read(key, 'auth.organization_ids()'), []);
    });

    test('an identity for the whole connection ends with the key', async () => {
        const alice = await app.signUp('Alice');
        const { id, key } = await create(alice);
        const client = await app.database.client.connect();
        try {
            const user = async () => (await client.query('SELECT auth.user_id()')).rows[0].user_id;
            await client.query('SELECT auth.authenticate($1, is_local => false)', [key]);
            assert.equal(await user(), alice.id);
            await alice.post('/api-key/update', { keyId: id, enabled: false });
            await assert.rejects(user(), { code: '28000' });
            await alice.post('/api-key/update', { keyId: id, enabled: true });
            await client.query('SELECT auth.authenticate($1, is_local => false)', [key]);
            await alice.post('/api-key/delete', { keyId: id });
            await assert.rejects(user(), { code: '28000' });
        } finally {
            client.release(true);
        }
    });

    test('the header x-api-key signs in by pre_request, as it does in Better Auth', async () => {
        const alice = await app.signUp('Alice');
        const { key } = await create(alice);
        const { user } = await app.browser().get('/get-session', { headers: { 'x-api-key': key } });
        assert.equal(String(user.id), alice.id);
        const as = (headers) => app.request(null, async (read, client) => {
            await client.query(`SELECT set_config('request.headers', $1, true)`, [JSON.stringify(headers)]);
            await client.query('SELECT auth.pre_request()');
            return read('auth.user_id()');
        });
        assert.equal(await as({ 'x-api-key': key }), alice.id);
        for (const other of [alice.session().bare, await alice.jwt(), 'unknown']) {
            await assert.rejects(as({ 'x-api-key': other }), { code: '28000' });
        }
    });

    if (LINE !== '1.4' && app.ids !== 'serial') {
        test('a key of an organization signs nobody in', async () => {
            const alice = await app.signUp('Alice');
            const organizationId = await found(app, alice);
            const { key } = await alice.post('/api-key/create', { configId: 'organizations', organizationId });
            assert.equal((await api.verifyApiKey({ body: { configId: 'organizations', key } })).valid, true);
            await app.refuses(key, /belongs to an organization/);
            await alice.post('/organization/delete', { organizationId });
            await app.refuses(key, /the user does not exist/);
        });
    }
};
