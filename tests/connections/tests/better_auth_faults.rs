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
