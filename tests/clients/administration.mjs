// What administrators do with the plugin admin: bans, impersonation, roles, deletion.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';

export default (app) => {
    let admin;
    before(async () => {
        admin = await app.signUp('Administrator');
        await app.sql(`UPDATE {user} SET role = 'admin' WHERE id::text = $1`, [admin.id]);
    });

    test('a ban counts at once for sessions and JWTs, and its end too', async () => {
        const alice = await app.signUp('Alice');
        const { bare } = alice.session();
        const jwt = await alice.jwt();
        for (const credential of [bare, jwt]) await app.accepts(credential, alice.id);
        await admin.post('/admin/ban-user', { userId: alice.id, banReason: 'spam' });
        for (const credential of [bare, jwt]) await app.refuses(credential);
        await app.browser().signIn(alice.email, { status: 403 });
        await admin.post('/admin/unban-user', { userId: alice.id });
        await app.accepts(jwt, alice.id);
        await app.accepts((await app.browser().signIn(alice.email)).session().bare, alice.id);
    });

    test('a ban by SQL counts for sessions that are still there, and ends by its time', async () => {
        const alice = await app.signUp('Alice');
        const credentials = [alice.session().bare, await alice.jwt()];
        for (const credential of credentials) await app.accepts(credential, alice.id);
        const ban = (expires) => app.sql(
            'UPDATE {user} SET banned = true, {user.banExpires} = now() + $2::interval WHERE id::text = $1', [alice.id, expires]);
        for (const expires of [null, '1 hour']) {
            await ban(expires);
            for (const credential of credentials) await app.refuses(credential);
        }
        await ban('-1 second');
        for (const credential of credentials) await app.accepts(credential, alice.id);
    });

    test('an impersonated session is the user, and tells who acts', async () => {
        const alice = await app.signUp('Alice');
        await app.request(alice.session().bare, (_, client) => client.query(`INSERT INTO public.todos (task) VALUES ('mine')`));
        const browser = await app.browser().signIn(admin.email);
        const own = browser.session().bare;
        await browser.post('/admin/impersonate-user', { userId: alice.id });
        const { bare } = browser.session();
        assert.notEqual(bare, own);
        await app.accepts(bare, alice.id);
        const [user, actor, rows] = await app.request(bare, async (value) => [
            await value('auth.user_id()'), await value('auth.actor()'), await value('count(*) FROM public.todos')]);
        assert.deepEqual([user, rows], [alice.id, 1]);
        assert.deepEqual([actor.user_id, actor.impersonator, actor.provider], [alice.id, admin.id, 'better_auth']);
        await browser.post('/admin/stop-impersonating');
        await app.refuses(bare);
        assert.equal(await app.read(browser.session().bare, `auth.actor() ->> 'impersonator'`), null);
    });

    test("a user's role gives permissions in the project, from the next request on", async () => {
        const alice = await app.signUp('Alice');
        const { bare } = alice.session();
        const may = (permission) => app.read(bare, 'auth.has_permission($1)', [permission]);
        assert.equal(await may('user:ban'), false);
        await admin.post('/admin/set-role', { userId: alice.id, role: 'admin' });
        assert.deepEqual([await may('user:ban'), await may('session:revoke'), await may('admin')], [true, true, true]);
        await admin.post('/admin/set-role', { userId: alice.id, role: 'user' });
        assert.equal(await may('user:ban'), false);
    });

    test('a role of Better Auth is no role of PostgreSQL', async () => {
        const { bare } = admin.session();
        assert.deepEqual(await app.request(bare, async (value) => [await value('auth.role()'), await value('current_user')]),
            ['admin', 'authenticated']);
    });

    test('an administrator revokes the sessions of a user, and removes the user', async () => {
        const alice = await app.signUp('Alice');
        const { bare } = alice.session();
        const jwt = await alice.jwt();
        await app.accepts(bare, alice.id);
        await admin.post('/admin/revoke-user-sessions', { userId: alice.id });
        await app.refuses(bare);
        await app.accepts(jwt, alice.id);
        await admin.post('/admin/remove-user', { userId: alice.id });
        await app.refuses(jwt);
        assert.ok((await app.user(alice.id)).deleted_at);
    });
};
