// Organizations: what members of which role see, from the transaction on that changed it.
import assert from 'node:assert/strict';
import { test } from 'node:test';

let made = 0;

/** An organization of this user, with a document in it. */
export async function found(app, owner) {
    made += 1;
    const { id } = await owner.post('/organization/create', { name: `Company ${made}`, slug: `company-${made}` });
    await app.database.superuser.query(`INSERT INTO public.documents (team_id, title) VALUES ($1, 'plan')`, [String(id)]);
    return String(id);
}

/** A new user with a verified address, which servers with guessable invitations require. */
async function verified(app, name) {
    const user = await app.signUp(name);
    await app.sql('UPDATE {user} SET {user.emailVerified} = true WHERE id::text = $1', [user.id]);
    return user;
}

/** Invites a new user, who accepts. */
export async function join(app, owner, organizationId, role, name = 'Bob') {
    const user = await verified(app, name);
    const { id: invitationId } = await owner.post('/organization/invite-member', { email: user.email, role, organizationId });
    await user.post('/organization/accept-invitation', { invitationId });
    return user;
}

export const member = async (app, user, organizationId) => String((await app.sql(
    `SELECT id FROM {member} WHERE {member.organizationId}::text = $1 AND {member.userId}::text = $2`, [organizationId, user.id]))[0].id);

const sees = (app, user) => app.read(user.session().bare, 'count(*) FROM public.documents');
const may = (app, user, permission, organization) => app.read(
    user.session().bare, 'auth.has_permission($1, $2)', [permission, organization]);
const deletes = (app, user) => app.request(user.session().bare, async (_, client) => {
    await client.query('SAVEPOINT before');
    const { rowCount } = await client.query('DELETE FROM public.documents');
    await client.query('ROLLBACK TO before');
    return rowCount;
});

export default (app) => {
    test('who creates an organization owns it, and others see nothing of it', async () => {
        const [alice, eve] = [await app.signUp('Alice'), await app.signUp('Eve')];
        const organization = await found(app, alice);
        assert.deepEqual([await sees(app, alice), await deletes(app, alice), await sees(app, eve), await deletes(app, eve)], [1, 1, 0, 0]);
        assert.deepEqual(await app.read(alice.session().bare, 'auth.organization_ids()'), [organization]);
        assert.equal(await may(app, alice, 'organization:delete', organization), true);
        assert.equal(await may(app, eve, 'organization:delete', organization), false);
        assert.equal(await app.database.value('SELECT name FROM neon_auth.teams_sync WHERE id = $1', [organization]), `Company ${made}`);
    });

    test('an invitation that is accepted lets its user see, not change', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const invited = await verified(app, 'Bob');
        const invitation = await alice.post('/organization/invite-member', { email: invited.email, role: 'member', organizationId: organization });
        assert.equal(await sees(app, invited), 0);
        await invited.post('/organization/accept-invitation', { invitationId: invitation.id });
        assert.deepEqual([await sees(app, invited), await deletes(app, invited)], [1, 0]);
        assert.deepEqual([await may(app, invited, 'ac:read', organization), await may(app, invited, 'member:create', organization)], [true, false]);
    });

    test('a changed role counts at the next request, also with an old JWT', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const bob = await join(app, alice, organization, 'member');
        const jwt = await bob.jwt();
        const update = (role) => member(app, bob, organization).then((memberId) =>
            alice.post('/organization/update-member-role', { memberId, role, organizationId: organization }));
        const rights = async () => [await deletes(app, bob), await may(app, bob, 'member:create', organization),
            await app.read(jwt, `auth.has_permission('member:create', $1)`, [organization]),
            await may(app, bob, 'organization:delete', organization)];
        assert.deepEqual(await rights(), [0, false, false, false]);
        await update('admin');
        assert.deepEqual(await rights(), [1, true, true, false]);
        await update(['member', 'owner']);
        assert.deepEqual(await rights(), [1, true, true, true]);
        await update('member');
        assert.deepEqual(await rights(), [0, false, false, false]);
    });

    test('the active organization counts only while its user is a member', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const bob = await join(app, alice, organization, 'admin');
        const active = () => app.read(bob.session().bare, 'auth.organization()');
        assert.deepEqual(await active(), { id: organization, slug: `company-${made}`, role: 'admin', name: `Company ${made}` });
        await alice.post('/organization/remove-member', { memberIdOrEmail: bob.email, organizationId: organization });
        const [{ named }] = await app.sql(
            'SELECT {session.activeOrganizationId} AS named FROM {session} WHERE {session.token} = $1', [bob.session().bare]);
        assert.equal(String(named), organization);
        assert.equal(await active(), null);
    });

    test('a member who is removed, or leaves, sees nothing more', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const [bob, carol] = [await join(app, alice, organization, 'member'), await join(app, alice, organization, 'admin', 'Carol')];
        const jwt = await carol.jwt();
        assert.deepEqual([await sees(app, bob), await sees(app, carol)], [1, 1]);
        await alice.post('/organization/remove-member', { memberIdOrEmail: bob.email, organizationId: organization });
        await carol.post('/organization/leave', { organizationId: organization });
        assert.deepEqual([await sees(app, bob), await sees(app, carol), await app.read(jwt, 'count(*) FROM public.documents')], [0, 0, 0]);
        assert.equal(await may(app, carol, 'ac:read', organization), false);
        assert.equal(await sees(app, alice), 1);
    });

    test('two rows for one membership: it ends with the second', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const bob = await join(app, alice, organization, 'member');
        const [{ id }] = await app.sql(
            `INSERT INTO {member} (${app.ids === 'text' ? 'id, ' : ''}{member.organizationId}, {member.userId}, {member.role}, {member.createdAt})
             SELECT ${app.ids === 'text' ? "'second' || id, " : ''}{member.organizationId}, {member.userId}, 'admin', now() FROM {member} WHERE id::text = $1
             RETURNING id`, [await member(app, bob, organization)]);
        assert.deepEqual([await sees(app, bob), await may(app, bob, 'member:create', organization)], [1, true]);
        await app.sql('DELETE FROM {member} WHERE id = $1', [id]);
        assert.deepEqual([await sees(app, bob), await may(app, bob, 'member:create', organization)], [1, false]);
        await app.sql('DELETE FROM {member} WHERE id::text = $1', [await member(app, bob, organization)]);
        assert.equal(await sees(app, bob), 0);
    });

    test('an organization that is deleted is marked as deleted, and nobody sees its rows', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        const bob = await join(app, alice, organization, 'member');
        await alice.post('/organization/delete', { organizationId: organization });
        assert.deepEqual([await sees(app, alice), await sees(app, bob)], [0, 0]);
        assert.ok(await app.database.value('SELECT deleted_at FROM neon_auth.teams_sync WHERE id = $1', [organization]));
    });

    test('a change of the organization is in teams_sync', async () => {
        const alice = await app.signUp('Alice');
        const organization = await found(app, alice);
        await alice.post('/organization/update', { organizationId: organization, data: { name: 'Renamed' } });
        assert.equal(await app.database.value('SELECT name FROM neon_auth.teams_sync WHERE id = $1', [organization]), 'Renamed');
    });
};
