// Teams, roles that are kept in a table, and anonymous users.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { found, join, member } from './organizations.mjs';

export default (app) => {
    /** The id of a team in the mirror: of integers, an organization and a team could have the same. */
    const mirrored = (team) => (app.ids === 'serial' ? `team:${team}` : String(team));

    test('the members of a team see its rows, other members of the organization do not', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const [bob, carol] = [await join(app, alice, organization, 'member'), await join(app, alice, organization, 'member', 'Carol')];
        const { id: team } = await alice.post('/organization/create-team', { name: 'Research', organizationId: organization });
        await app.database.superuser.query(`INSERT INTO public.documents (team_id, title) VALUES ($1, 'secret plan')`, [mirrored(team)]);
        const add = (userId) => alice.post('/organization/add-team-member', { teamId: team, userId });
        const sees = (user) => app.read(user.session().bare, 'array_agg(title ORDER BY title) FROM public.documents');
        await add(bob.id);
        assert.deepEqual([await sees(bob), await sees(carol)], [['plan', 'secret plan'], ['plan']]);
        assert.deepEqual(await app.request(bob.session().bare, async (value) => [
            (await value('auth.team_ids()')).includes(mirrored(team)), await value('auth.organization_ids()')]), [true, [organization]]);
        await alice.post('/organization/remove-team-member', { teamId: team, userId: bob.id });
        assert.deepEqual(await sees(bob), ['plan']);
        await add(bob.id);
        assert.deepEqual(await sees(bob), ['plan', 'secret plan']);
        await alice.post('/organization/remove-member', { memberIdOrEmail: bob.email, organizationId: organization });
        assert.equal(await sees(bob), null);
    });

    test('a team that is removed is marked as deleted', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const { id: team } = await alice.post('/organization/create-team', { name: 'Research', organizationId: organization });
        const row = () => app.database.row('SELECT name, deleted_at FROM neon_auth.teams_sync WHERE id = $1', [mirrored(team)]);
        assert.deepEqual(await row(), { name: 'Research', deleted_at: null });
        await alice.post('/organization/remove-team', { teamId: team, organizationId: organization });
        assert.ok((await row()).deleted_at);
    });

    test('a role that the organization made gives what its row says, as of now', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const bob = await join(app, alice, organization, 'member');
        const may = (permission) => app.read(bob.session().bare, 'auth.has_permission($1, $2)', [permission, organization]);
        await alice.post('/organization/create-role', { role: 'recruiter', permission: { invitation: ['create'] }, organizationId: organization });
        assert.equal(await may('invitation:create'), false);
        await alice.post('/organization/update-member-role', {
            memberId: await member(app, bob, organization), role: ['member', 'recruiter'], organizationId: organization });
        assert.deepEqual([await may('recruiter'), await may('invitation:create'), await may('invitation:cancel')], [true, true, false]);
        await alice.post('/organization/update-role', {
            roleName: 'recruiter', data: { permission: { invitation: ['cancel'] } }, organizationId: organization });
        assert.deepEqual([await may('invitation:create'), await may('invitation:cancel')], [false, true]);
        // The same role of another organization gives nothing here.
        const other = await found(app, alice);
        assert.equal(await app.read(bob.session().bare, 'auth.has_permission($1, $2)', ['invitation:cancel', other]), false);
    });

    test('anonymous users are refused unless the provider allows them', async () => {
        const browser = app.browser();
        const { user } = await browser.post('/sign-in/anonymous');
        const credentials = [browser.session().bare, await browser.jwt()];
        for (const credential of credentials) await app.refuses(credential);
        const allow = (yes) => app.database.superuser.query(
            `UPDATE neon_auth.providers SET allow_anonymous = $1 WHERE name = 'better_auth'`, [yes]);
        await allow(true);
        try {
            for (const credential of credentials) {
                assert.deepEqual(await app.request(credential, async (value) => [await value('auth.user_id()'), await value('auth.is_anonymous()')]),
                    [String(user.id), true]);
            }
        } finally {
            await allow(false);
        }
        assert.equal((await app.user(String(user.id))).id, String(user.id));
    });
};
