-- With nobody signed in every reader is NULL, for everybody, and none fails.
\pset null '-'
\c - stranger
\x on
SELECT auth.user_id(), auth.uid(), auth.jwt(), auth.session(), auth.claim('sub'), auth.role(), auth.email(),
       auth.email_verified(), auth.is_anonymous(), auth.selected_team_id(), auth.provider(), auth.expires_at(),
       auth.organization(), auth.organization_id(), auth.profile(), auth.session_id(), auth.actor(), auth.organization_ids(),
       auth.team_ids(), auth.is_team_member('t'), auth.has_permission('p');
\x off
-- So a comparison with it is no match, not an error and not everything.
SELECT count(*) FROM (VALUES ('u1'), (''), (NULL)) AS v(id) WHERE id = auth.user_id();
-- Every reader is in the list above: 21.
SELECT count(*) FROM pg_proc WHERE pronamespace = 'auth'::regnamespace AND provolatile = 's' AND NOT proretset;
-- In a transaction that only reads, and in one that has failed and gone back.
BEGIN READ ONLY;
SELECT auth.user_id();
SAVEPOINT s;
SELECT 1 / 0;
ROLLBACK TO s;
SELECT auth.user_id();
COMMIT;
