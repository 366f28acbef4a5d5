//! Random transactions of applications on Better Auth's tables.

use crate::random::Random;

/// A statement on a few rows, so that transactions meet.
fn statement(random: &mut Random) -> String {
    const ROLES: [&str; 6] = [
        "owner",
        "admin",
        "member",
        "editor",
        "member, editor",
        "admin,,member ",
    ];
    let mut one = |of: &[&str]| of[random.below(of.len())].to_owned();
    let user = one(&["a", "b", "c", "d", "e"]);
    let other = one(&["a", "b", "c", "d", "e"]);
    let organization = one(&["o1", "o2", "o3"]);
    let team = one(&["t1", "t2"]);
    let member = one(&["m1", "m2", "m3", "m4", "m5", "m6"]);
    let role = one(&ROLES);
    let action = one(&["read", "write"]);
    let name = one(&["x", "y", "z"]);
    let new_user = format!(
        r#"INSERT INTO ba."user" (id, name, email, "emailVerified", role)
           VALUES ('{user}', '{name}', '{user}@example.com', true, '{role}')"#
    );
    match random.below(22) {
        0 | 1 => format!("{new_user} ON CONFLICT DO NOTHING"),
        2 => format!("{new_user} ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = NULL"),
        3 => format!(
            r#"UPDATE ba."user" SET name = '{name}', role = '{role}' WHERE id IN ('{user}', '{other}')"#
        ),
        4 => format!(r#"DELETE FROM ba."user" WHERE id = '{user}'"#),
        5 => format!(
            r#"UPDATE ba."user" SET id = '{other}' WHERE id = '{user}'
               AND NOT EXISTS (SELECT FROM ba."user" WHERE id = '{other}')
               AND NOT EXISTS (SELECT FROM ba.member WHERE "userId" = '{user}')
               AND NOT EXISTS (SELECT FROM ba."teamMember" WHERE "userId" = '{user}')"#
        ),
        6 | 7 => format!(
            "INSERT INTO ba.organization VALUES ('{organization}', '{name}') ON CONFLICT (id) DO UPDATE SET name = '{name}'"
        ),
        8 => format!("DELETE FROM ba.organization WHERE id = '{organization}'"),
        9..=12 => format!(
            r#"INSERT INTO ba.member SELECT '{member}', o.id, u.id, '{role}' FROM ba."user" u, ba.organization o
                WHERE u.id = '{user}' AND o.id = '{organization}'
               ON CONFLICT (id) DO UPDATE SET role = excluded.role, "userId" = excluded."userId""#
        ),
        13 => format!("UPDATE ba.member SET role = '{role}' WHERE id = '{member}'"),
        14 => format!("DELETE FROM ba.member WHERE id = '{member}' OR \"userId\" = '{user}'"),
        15 => format!(
            r#"INSERT INTO ba."organizationRole" SELECT '{organization}{role}', o.id, 'editor', '{{"page": ["{action}"]}}'
                 FROM ba.organization o WHERE o.id = '{organization}'
               ON CONFLICT (id) DO UPDATE SET permission = excluded.permission"#
        ),
        16 => format!(
            r#"DELETE FROM ba."organizationRole" WHERE "organizationId" = '{organization}'"#
        ),
        17 => format!(
            r#"INSERT INTO ba.team SELECT '{team}', '{name}', o.id FROM ba.organization o WHERE o.id = '{organization}'
               ON CONFLICT (id) DO UPDATE SET name = '{name}'"#
        ),
        18 => format!("DELETE FROM ba.team WHERE id = '{team}'"),
        19 => format!(
            r#"INSERT INTO ba."teamMember" SELECT '{member}', t.id, u.id FROM ba.team t, ba."user" u
                WHERE t.id = '{team}' AND u.id = '{user}' ON CONFLICT (id) DO NOTHING"#
        ),
        20 => format!(r#"DELETE FROM ba."teamMember" WHERE id = '{member}'"#),
        _ => format!(
            r#"WITH gone AS (DELETE FROM ba.member WHERE id = '{member}' RETURNING "userId")
               UPDATE ba."user" SET name = '{name}' WHERE id IN (SELECT "userId" FROM gone)"#
        ),
    }
}

/// A transaction of some statements, with savepoints that may be rolled back to.
pub fn better_auth_transaction(random: &mut Random) -> Vec<String> {
    let mut statements = vec!["BEGIN".to_owned()];
    for _ in 0..1 + random.below(4) {
        match random.below(4) {
            0 => {
                statements.push("SAVEPOINT s".to_owned());
                statements.push(statement(random));
                let end = ["ROLLBACK TO s", "RELEASE s"][random.below(2)];
                statements.push(end.to_owned());
            }
            _ => statements.push(statement(random)),
        }
    }
    statements.push(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"][random.below(4)].to_owned());
    statements
}
