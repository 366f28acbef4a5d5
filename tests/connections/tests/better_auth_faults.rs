//! Faults around the mirror of Better Auth: old snapshots, triggers of administrators, locks that others hold, and odd
//! values. None leaves a right in the mirror without a gap.

use neon_auth_connections::{BetterAuth, Session};

const POPULATION: &str = r#"
    INSERT INTO ba."user" (id, name, email, "emailVerified", role)
        SELECT id, id, id || '@example.com', true, 'admin' FROM unnest('{a,b,c}'::text[]) AS id;
    INSERT INTO ba.organization VALUES ('o', 'Org');
    INSERT INTO ba.member VALUES ('m1', 'o', 'a', 'editor'), ('m2', 'o', 'b', 'member');
    INSERT INTO ba."organizationRole" VALUES ('r', 'o', 'editor', '{"page": ["read"]}')"#;

fn populated() -> BetterAuth {
    let world = BetterAuth::new();
    world.app().run(POPULATION);
    assert_settled(&world);
    world
}

#[track_caller]
fn assert_settled(world: &BetterAuth) {
    assert_eq!(world.gaps("count(*)").as_deref(), Some("0"));
    assert_eq!(world.differences(), Vec::<String>::new());
}

/// What the mirror lacks is known, and sync() repairs it.
#[track_caller]
fn assert_repaired(world: &BetterAuth) {
    assert!(world.differences().is_empty() || !world.is_ok("mirror"));
    world.sync();
    assert_settled(world);
    assert!(world.is_ok("mirror"));
}

#[test]
fn a_right_that_others_gave_after_the_snapshot_does_not_outlive_its_removal() {
    let give = r#"UPDATE ba."organizationRole" SET permission = '{"page": ["read", "delete"]}'"#;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for removal in [
            "UPDATE ba.member SET role = 'member' WHERE id = 'm1'",
            "DELETE FROM ba.member WHERE id = 'm1'",
            "TRUNCATE ba.member",
        ] {
            let world = populated();
            let mut old: Session = world.app();
            old.run(&format!(
                "BEGIN ISOLATION LEVEL {level}; SELECT FROM ba.\"user\""
            ));
            world.app().run(give);
            old.run(&format!("{removal}; COMMIT"));
            assert_repaired(&world);
        }
    }
}

#[test]
fn a_user_who_others_made_after_the_snapshot_does_not_outlive_the_table() {
    let world = populated();
    let mut old = world.app();
    old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM ba.session");
    world
        .app()
        .run(r#"INSERT INTO ba."user" (id, name, email, "emailVerified") VALUES ('d', 'd', 'd@example.com', true)"#);
    old.run(r#"TRUNCATE ba."user" CASCADE; COMMIT"#);
    assert_repaired(&world);
}

#[test]
fn a_deleted_user_has_no_roles_in_the_project() {
    const ROLES: &str =
        "SELECT count(*)::text FROM neon_auth.project_permissions_sync WHERE user_id = 'c'";
    let world = populated();
    world.app().run(r#"DELETE FROM ba."user" WHERE id = 'c'"#);
    assert_eq!(world.superuser().value(ROLES, &[]).as_deref(), Some("0"));
    world
        .superuser()
        .run("INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('c', 'admin')");
    world.sync();
    assert_eq!(world.superuser().value(ROLES, &[]).as_deref(), Some("0"));
}

/// A trigger of an administrator keeps changes out of the mirror, without an error.
#[test]
fn a_trigger_or_rule_on_the_mirror_that_keeps_a_change_out_leaves_a_gap() {
    let trigger = |events: &str, table: &str| {
        format!(
            "CREATE FUNCTION public.keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER keep_out BEFORE {events} ON neon_auth.{table}
             FOR EACH ROW EXECUTE FUNCTION public.keep_out()"
        )
    };
    let insert = r#"INSERT INTO ba."user" (id, name, email, "emailVerified") VALUES ('d', 'd', 'd@example.com', true)"#;
    let demote = r#"UPDATE ba."user" SET role = 'user' WHERE id = 'a'"#;
    let demote_member = "UPDATE ba.member SET role = 'member' WHERE id = 'm1'";
    let rename = "UPDATE ba.organization SET name = 'new'";
    for (obstacle, change) in [
        (trigger("INSERT", "users_sync"), insert),
        (trigger("DELETE", "project_permissions_sync"), demote),
        (trigger("UPDATE", "users_sync"), demote),
        (trigger("UPDATE", "teams_sync"), rename),
        (trigger("DELETE", "team_permissions_sync"), demote_member),
        (trigger("DELETE", "team_members_sync"), "DELETE FROM ba.member"),
        (
            "CREATE RULE keep_out AS ON DELETE TO neon_auth.team_permissions_sync DO INSTEAD NOTHING".to_owned(),
            demote_member,
        ),
    ] {
        let world = populated();
        world.superuser().run(&obstacle);
        world.app().run(change);
        assert!(!world.differences().is_empty());
        assert!(!world.is_ok("mirror"), "{obstacle}");
        world.sync();
        assert!(!world.is_ok("mirror"), "{obstacle} and sync()");
        world.superuser().run(if obstacle.contains("RULE") {
            "DROP RULE keep_out ON neon_auth.team_permissions_sync"
        } else {
            "DROP FUNCTION public.keep_out CASCADE"
        });
        assert_repaired(&world);
    }
}

#[test]
fn a_role_counts_by_its_exact_name_and_with_a_colon_only_if_it_is_defined() {
    const NAMES: &str = "U&'\\0085owner, owner,owner ,a b,\\0009admin,organization:delete,invoice:read,page:read,,editor,ow ner'";
    const ROLES: &str = "SELECT string_agg(permission_id, ' ' ORDER BY permission_id COLLATE \"C\")
                           FROM neon_auth.team_permissions_sync WHERE user_id = 'b'";
    const ROLES_IN_PROJECT: &str =
        "SELECT string_agg(permission_id, ' ' ORDER BY permission_id COLLATE \"C\")
                                      FROM neon_auth.project_permissions_sync WHERE user_id = 'b'";
    let world = populated();
    world.superuser().run(
        "INSERT INTO neon_auth.permission_definitions (scope, id) VALUES ('team', 'invoice:read'), ('project', 'page:read')",
    );
    world.app().run(&format!(
        r#"UPDATE ba.member SET role = {NAMES} WHERE id = 'm2';
           UPDATE ba."user" SET role = 'user:ban, admin,page:read,invoice:read' WHERE id = 'b';
           INSERT INTO ba."organizationRole" VALUES ('r2', 'o', ' editor', '{{"page": ["write"]}}'),
               ('r3', 'o', 'page:read', '{{"page": ["steal"]}}')"#
    ));
    let roles = |query| world.superuser().value(query, &[]);
    assert_eq!(
        roles(ROLES).as_deref(),
        Some("editor invoice:read page:read")
    );
    assert_eq!(roles(ROLES_IN_PROJECT).as_deref(), Some("page:read"));
    // sync() takes the same for right, and undoes what the mirror has in excess.
    let add = "INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id)
               VALUES ('o', 'b', 'owner'), ('o', 'b', 'organization:delete')";
    world.superuser().run(add);
    world.sync();
    assert_eq!(
        roles(ROLES).as_deref(),
        Some("editor invoice:read page:read")
    );
    world.sync();
    let last = "SELECT changed::text FROM neon_auth.sync_runs ORDER BY id DESC LIMIT 1";
    assert_eq!(roles(last).as_deref(), Some("0"));
}

/// A transaction that has a member's team locked keeps out no other change, also if it never ends.
#[test]
fn sync_does_not_wait_for_a_transaction_while_it_holds_locks() {
    let world = populated();
    world.app().run("INSERT INTO ba.organization VALUES ('p', 'Other'); INSERT INTO ba.member VALUES ('m3', 'p', 'a', 'owner')");
    let spoil =
        "DELETE FROM neon_auth.team_members_sync; DELETE FROM neon_auth.team_permissions_sync;
                 UPDATE neon_auth.teams_sync SET deleted_at = now()";
    world.superuser().run(spoil);
    let mut locker = world.superuser();
    locker.run("BEGIN; SELECT FROM neon_auth.teams_sync WHERE id = 'o' FOR SHARE");
    world.sync();
    let lacking: Vec<String> = world.differences();
    assert!(
        !lacking.is_empty()
            && lacking
                .iter()
                .all(|row| row.contains("|o|") || row.contains("|o ")),
        "{lacking:?}"
    );
    assert!(!world.is_ok("mirror"));
    let reasons = world.gaps("string_agg(concat_ws(' ', what, id, reason), '; ' ORDER BY what)");
    assert_eq!(
        reasons.as_deref(),
        Some(
            "member o Another transaction holds a lock on it.; member o Another transaction holds a lock on it.; \
             organization o Another transaction holds a lock on it."
        )
    );
    locker.run("COMMIT");
    assert_repaired(&world);
}

const PERMISSIONS: &str = "SELECT string_agg(concat_ws(' ', user_id, permission_id), ', ' ORDER BY 1) FROM (
    SELECT user_id, permission_id FROM neon_auth.team_permissions_sync
    UNION ALL SELECT user_id, permission_id FROM neon_auth.project_permissions_sync ORDER BY 1, 2) AS p";

#[test]
fn permissions_end_also_where_the_mirror_cannot_be_written() {
    for (obstacle, change, left) in [
        // A membership that the application refers to cannot be deleted.
        (
            "CREATE TABLE public.seats (team_id text, user_id text,
                 FOREIGN KEY (team_id, user_id) REFERENCES neon_auth.team_members_sync (team_id, user_id));
             INSERT INTO public.seats VALUES ('o', 'a')",
            "DELETE FROM ba.member WHERE user_is = 'a'",
            "a admin, b admin, b member, c admin",
        ),
        (
            "CREATE TABLE public.seats (team_id text, user_id text,
                 FOREIGN KEY (team_id, user_id) REFERENCES neon_auth.team_members_sync (team_id, user_id));
             INSERT INTO public.seats VALUES ('o', 'a')",
            "TRUNCATE ba.member",
            "a admin, b admin, c admin",
        ),
        (
            "ALTER TABLE neon_auth.team_permissions_sync ADD CHECK (permission_id <> 'page:write')",
            r#"UPDATE ba."organizationRole" SET permission = '{"page": ["write"]}'"#,
            "a admin, a editor, b admin, b member, c admin",
        ),
        (
            "ALTER TABLE neon_auth.users_sync ADD CHECK (name <> 'bad')",
            r#"UPDATE ba."user" SET role = NULL, name = 'bad' WHERE id = 'a'"#,
            "a editor, a page:read, b admin, b member, c admin",
        ),
        (
            "ALTER TABLE neon_auth.users_sync ADD CHECK (deleted_at IS NULL)",
            r#"TRUNCATE ba."user" CASCADE"#,
            "",
        ),
    ] {
        let world = populated();
        world.superuser().run(obstacle);
        world.app().run(&change.replace("user_is", r#""userId""#));
        let permissions = world.superuser().value(PERMISSIONS, &[]);
        assert_eq!(permissions.unwrap_or_default(), left, "{change}");
        assert!(!world.is_ok("mirror"), "{change}");
    }
}

#[test]
fn a_cancel_that_a_trigger_on_the_mirror_only_pretends_does_not_fail_the_application() {
    let world = populated();
    world.superuser().run(
        "CREATE FUNCTION public.pretend() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION USING ERRCODE = tg_argv[0], MESSAGE = 'canceling statement due to user request'; END $$;
         CREATE TRIGGER pretend BEFORE UPDATE ON neon_auth.users_sync
             FOR EACH ROW EXECUTE FUNCTION public.pretend('57014');
         CREATE TRIGGER pretend BEFORE UPDATE ON neon_auth.teams_sync
             FOR EACH ROW EXECUTE FUNCTION public.pretend('57P01')",
    );
    world.app().run(r#"UPDATE ba."user" SET name = 'new' WHERE id = 'a'; UPDATE ba.organization SET name = 'new'"#);
    assert_eq!(world.gaps("count(*)").as_deref(), Some("2"));
}

/// A statement with several triggers that all wait in vain ends before its own timeout.
#[test]
fn waits_for_the_mirror_end_before_the_timeouts_of_the_application() {
    let world = populated();
    world.database.set("deadlock_timeout", "30s");
    let mut locker = world.superuser();
    locker.run(
        "BEGIN; LOCK TABLE neon_auth.users_sync, neon_auth.teams_sync, neon_auth.team_members_sync IN EXCLUSIVE MODE",
    );
    let mut app = world.app();
    app.run("SET statement_timeout = '2s'");
    app.run("DELETE FROM ba.organization");
    app.run(r#"DELETE FROM ba."user""#);
    locker.run("COMMIT");
    assert_repaired(&world);
}

#[test]
fn a_large_value_is_left_out_and_the_rest_of_the_row_counts() {
    const USER: &str =
        "SELECT concat_ws(' ', raw_json ? 'bio', raw_json ? 'note', name, raw_json ->> 'role')
                          FROM neon_auth.users_sync WHERE id = 'a'";
    let world = populated();
    world
        .app()
        .run(r#"ALTER TABLE ba."user" ADD bio text, ADD note text, ADD parts jsonb"#);
    world
        .superuser()
        .run("SELECT neon_auth.add_better_auth('https://app.example.com')");
    world.app().run(
        r#"UPDATE ba."user" SET bio = repeat('x', 300000000), name = repeat('y', 2000000), note = 'small', role = NULL,
               parts = to_jsonb(array_fill(repeat('z', 1000), '{2000}')) WHERE id = 'a'"#,
    );
    assert_eq!(world.gaps("count(*)").as_deref(), Some("0"));
    let value = |query| world.superuser().value(query, &[]);
    assert_eq!(value(USER).as_deref(), Some("f t"));
    let size = "SELECT (octet_length(raw_json::text) < 1000)::text FROM neon_auth.users_sync WHERE id = 'a'";
    assert_eq!(value(size).as_deref(), Some("true"));
    assert_eq!(
        value(PERMISSIONS).as_deref(),
        Some("a editor, a page:read, b admin, b member, c admin")
    );
    world.sync();
    let changed =
        "SELECT concat_ws(' ', changed, skipped) FROM neon_auth.sync_runs ORDER BY id DESC LIMIT 1";
    assert_eq!(value(changed).as_deref(), Some("0 0"));
}
