//! Servers of every age, a server that is replaced meanwhile, and one that has lost the project.

use neon_auth_connections::{Session, World, grant, membership, parsed};
use neon_auth_stack::permissions::{Definition, Scope};
use neon_auth_stack::{Age, Endpoint, Fault, Gone, NewTeam, NewUser};
use postgres::error::SqlState;

const AGES: [Age; 4] = [
    Age::BeforeAnonymous,
    Age::BeforeRestricted,
    Age::Current,
    Age::Newer,
];

/// Signs up somebody of each sort; answers the ids.
fn sign_up_all_sorts(world: &World) -> [String; 3] {
    let sorts = [
        NewUser::named("Somebody", "somebody@example.com"),
        NewUser::anonymous(),
        NewUser {
            restricted_by_admin: true,
            ..NewUser::default()
        },
    ];
    sorts.map(|new| {
        let user = world.stack.sign_up(new);
        user["id"].as_str().expect("an id is a string").to_owned()
    })
}

fn team(world: &World, member: &str) -> String {
    let team = world.stack.create_team(NewTeam {
        creator_user_id: Some(parsed(member)),
        ..NewTeam::named("Team")
    });
    team["id"].as_str().expect("an id is a string").to_owned()
}

/// What is noted about the server, and that `status` says so.
#[track_caller]
fn limits(world: &World) -> Vec<String> {
    let query = "SELECT name FROM neon_auth_internal.service_limits ORDER BY name";
    let names: Vec<String> = world
        .superuser()
        .values(query, &[])
        .into_iter()
        .flatten()
        .collect();
    let (ok, detail) = world.status("synchronisation");
    assert!(ok, "{detail}");
    for name in ["include_anonymous", "include_restricted"] {
        let is_noted = names.iter().any(|noted| noted == name);
        let is_said = detail.contains(&format!("users are listed without {name}."));
        assert_eq!(is_noted, is_said, "{detail}");
    }
    names
}

/// The limits of a server of an age.
fn limits_of(age: Age) -> &'static [&'static str] {
    match age {
        Age::BeforeAnonymous => &["include_anonymous", "include_restricted"],
        Age::BeforeRestricted => &["include_restricted"],
        Age::Current | Age::Newer => &[],
    }
}

/// Everything that the extension asks for, at a server of each age, and at the next one after it
/// was replaced, in both directions.
#[test]
fn a_server_of_any_age_is_mirrored() {
    let upwards = AGES.into_iter();
    let world = World::new();
    for age in upwards.chain(AGES.into_iter().rev()) {
        world.stack.set_age(age);
        let users = sign_up_all_sorts(&world);
        let shared = team(&world, &users[0]);
        for user in &users[1..] {
            world.stack.join_team(membership(&shared, user));
        }
        world.sync();
        world.assert_mirrored();
        assert_eq!(limits(&world), limits_of(age), "{age:?}");
        // Users and teams who are not listed any more are asked for by their ids.
        world.stack.delete_user(parsed(&users[1]));
        world.stack.delete_team(parsed(&team(&world, &users[0])));
        world.stack.delete_team(parsed(&shared));
        world.sync();
        world.assert_mirrored();
        assert_eq!(world.last_run("skipped").as_deref(), Some("0"), "{age:?}");
    }
    assert_eq!(world.deleted("users_sync").len(), 2 * AGES.len());
}

/// How many requests for users had these parameters.
fn requests(world: &World, restricted: bool, anonymous: bool) -> usize {
    let received = world.stack.received("/api/v1/users");
    let has = |query: &Option<String>, name: &str| {
        query.as_deref().is_some_and(|query| query.contains(name))
    };
    received
        .iter()
        .filter(|request| {
            has(&request.query, "include_restricted") == restricted
                && has(&request.query, "include_anonymous") == anonymous
        })
        .count()
}

#[test]
fn an_old_server_is_asked_for_all_pages_without_what_it_refuses() {
    let world = World::new();
    world.stack.populate(3500, false);
    for (age, restricted, anonymous) in [
        (Age::BeforeAnonymous, false, false),
        (Age::BeforeRestricted, false, true),
        (Age::Current, true, true),
    ] {
        world.stack.set_age(age);
        world.stack.forget_requests();
        world.sync();
        world.assert_mirrored();
        // Four pages; an old server first refuses the list, and then two short ones.
        let probes = usize::from(age < Age::Current);
        assert_eq!(
            requests(&world, restricted, anonymous),
            4 + probes,
            "{age:?}"
        );
        assert!(world.listed("users") <= 4 + 1 + 3, "{age:?}");
    }
}

/// The server is replaced between two pages. Whom the rest of the list leaves out is not deleted,
/// and the list is read again, as a newer server has it.
#[test]
fn a_server_may_be_replaced_between_two_pages() {
    for age in [Age::BeforeAnonymous, Age::BeforeRestricted] {
        let world = World::new();
        world.stack.populate(1500, false);
        let [_, known, _] = sign_up_all_sorts(&world);
        world.sync();
        sign_up_all_sorts(&world);
        world.stack.set_age(age);
        // The page that is refused, the probes, and the first page.
        let first = 1 + if age == Age::BeforeAnonymous { 3 } else { 2 } + 1;
        world.stack.hold(Endpoint::Users, first);
        let (outcome, ()) = world.while_syncing(|_| {
            world.stack.wait_until_held(Endpoint::Users);
            world.stack.set_age(Age::Newer);
            world.stack.release(Endpoint::Users);
        });
        assert_eq!(outcome, Ok(()), "{age:?}");
        assert_eq!(world.deleted("users_sync"), Vec::<String>::new(), "{age:?}");
        let user = "SELECT count(*)::text FROM neon_auth.users_sync WHERE id = $1";
        let count = world.superuser().value(user, &[&known]);
        assert_eq!(count.as_deref(), Some("1"));
        // If somebody who was not listed is there, all are listed again, with both parameters.
        world.assert_mirrored();
        world.sync();
        assert!(limits(&world).is_empty());
    }
}

/// The other way round: a server that has accepted the parameters is not asked without them.
#[test]
fn a_server_that_forgets_a_parameter_hides_nobody() {
    let world = World::new();
    world.stack.populate(1500, false);
    world.sync();
    sign_up_all_sorts(&world);
    world.stack.hold(Endpoint::Users, 1);
    let (outcome, ()) = world.while_syncing(|_| {
        world.stack.wait_until_held(Endpoint::Users);
        world.stack.set_age(Age::BeforeRestricted);
        world.stack.release(Endpoint::Users);
    });
    assert_eq!(outcome, Err(Some(SqlState::PROTOCOL_VIOLATION)));
    assert_eq!(requests(&world, false, true), 0);
    world.sync();
    world.assert_mirrored();
    assert_eq!(limits(&world), ["include_restricted"]);
}

/// A refusal that has nothing to do with the parameters ends the run: the list would lack users.
#[test]
fn a_refusal_of_another_cause_hides_nobody() {
    let world = World::new();
    let users = sign_up_all_sorts(&world);
    world.sync();
    for code in ["SCHEMA_ERROR", "SOMETHING_ELSE"] {
        for times in 1..=4 {
            let fault = Fault::refusal(400, code);
            world.stack.set_fault_times(Endpoint::Users, fault, times);
            let refusal = world.sync_refused();
            assert_eq!(
                refusal.code(),
                &SqlState::PROTOCOL_VIOLATION,
                "{code} {times}"
            );
            assert!(refusal.detail().is_some_and(|detail| detail.contains(code)));
            world.stack.clear_fault(Endpoint::Users);
            let limits = "SELECT count(*)::text FROM neon_auth_internal.service_limits";
            let count = world.superuser().value(limits, &[]);
            assert_eq!(count.as_deref(), Some("0"), "{code} {times}");
        }
    }
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.mirrored(), users.len());
}

#[test]
fn headers_of_both_names_are_sent() {
    let world = World::new();
    let team = team(&world, &world.sign_up("user"));
    world.sync();
    world.stack.delete_team(parsed(&team));
    world.sync();
    let credentials = world.stack.credentials();
    let received = world.stack.received("/api/v1/");
    let received = received
        .iter()
        .filter(|request| !request.path.contains(".well-known"));
    let mut number = 0;
    for request in received {
        number += 1;
        for prefix in ["x-stack", "x-hexclave"] {
            for (name, value) in [
                ("access-type", "server"),
                ("project-id", credentials.project_id.as_str()),
                ("secret-server-key", &credentials.secret_server_key),
            ] {
                let header = request.headers.get(&format!("{prefix}-{name}"));
                assert_eq!(
                    header.map(String::as_str),
                    Some(value),
                    "{prefix} {}",
                    request.path
                );
            }
        }
    }
    assert!(number > 8);
}

#[test]
fn codes_are_read_under_both_names() {
    for name in ["x-stack-known-error", "x-hexclave-known-error"] {
        let world = World::new();
        let user = world.sign_up("user");
        world.sync();
        world.stack.delete_user(parsed(&user));
        let fault = Fault::Refuse {
            status: 404,
            header: name.to_owned(),
            code: "USER_NOT_FOUND".to_owned(),
        };
        world.stack.set_fault(Endpoint::User, fault);
        world.sync();
        assert_eq!(world.deleted("users_sync"), [user], "{name}");
    }
}

/// A world with something to ask for in every phase.
fn with_everything() -> World {
    let world = World::new();
    world.stack.define_permission(Definition {
        scope: Scope::Project,
        id: "beta".to_owned(),
        contained_permission_ids: Vec::new(),
    });
    let user = world.sign_up("user");
    team(&world, &user);
    world.stack.grant(grant(None, &user, "beta"));
    world.sync();
    let another = world.sign_up("another");
    let teams = [team(&world, &another), team(&world, &another)];
    world.sync();
    // They are asked for by their ids.
    world.stack.delete_user(parsed(&another));
    world.stack.delete_team(parsed(&teams[0]));
    world
}

/// One entry of each kind of the queue.
fn queue_everything(session: &mut Session) {
    session.run(
        "INSERT INTO neon_auth.sync_queue (kind, user_id, team_id, reason)
         SELECT k.kind, k.user_id, k.team_id, 'test'
           FROM (SELECT min(user_id) AS user_id, min(team_id) AS team_id FROM neon_auth.team_members_sync) AS m,
                LATERAL (VALUES ('user', m.user_id, ''), ('team', '', m.team_id),
                                ('team_member', m.user_id, m.team_id),
                                ('project_permissions', m.user_id, '')) AS k(kind, user_id, team_id)",
    );
}

const CONTENT: &str = "
SELECT concat_ws(' ', 'user', id, deleted_at, updated_at) FROM neon_auth.users_sync
UNION ALL
SELECT concat_ws(' ', 'team', id, deleted_at, updated_at) FROM neon_auth.teams_sync
UNION ALL SELECT m::text FROM neon_auth.team_members_sync m
UNION ALL SELECT p::text FROM neon_auth.team_permissions_sync p
UNION ALL SELECT p::text FROM neon_auth.project_permissions_sync p
UNION ALL SELECT q::text FROM neon_auth.sync_queue q
 ORDER BY 1";

const GONE: [(Gone, &str); 2] = [
    (Gone::Project, "CURRENT_PROJECT_NOT_FOUND"),
    (Gone::Branch, "BRANCH_DOES_NOT_EXIST"),
];

#[track_caller]
fn assert_gone(world: &World, refusal: &postgres::error::DbError, code: &str) {
    assert_eq!(
        refusal.code(),
        &SqlState::SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION
    );
    assert_eq!(
        refusal.message(),
        "the auth service does not have the project"
    );
    let detail = refusal.detail().unwrap_or_default();
    assert!(detail.contains(code) && detail.contains(&world.stack.project_id()));
    let hint = refusal.hint().unwrap_or_default();
    assert!(hint.contains("SELECT neon_auth.configure("), "{hint}");
    let (ok, said) = world.status("synchronisation");
    assert!(!ok && said.starts_with(refusal.message()), "{said}");
}

/// The project is gone when each phase of a run begins.
#[test]
fn a_project_that_is_gone_stops_each_phase() {
    for (endpoint, after) in [
        (Endpoint::Users, 0),
        (Endpoint::User, 0),
        (Endpoint::Teams, 0),
        (Endpoint::Team, 0),
        (Endpoint::TeamMemberProfiles, 0),
        (Endpoint::TeamPermissions, 0),
        (Endpoint::TeamPermissions, 1),
        (Endpoint::ProjectPermissions, 0),
        (Endpoint::ProjectPermissions, 1),
    ] {
        for (gone, code) in GONE {
            let world = with_everything();
            world.stack.forget_requests();
            world.stack.hold(endpoint, after);
            let (outcome, before) = world.beside_sync(|_| {
                world.stack.wait_until_held(endpoint);
                world.stack.set_gone(Some(gone));
                queue_everything(&mut world.superuser());
                let before = world.superuser().values(CONTENT, &[]);
                world.stack.release(endpoint);
                before
            });
            let error = outcome.expect_err("it stops");
            let refusal = error.as_db_error().expect("an ERROR of the server");
            assert_gone(&world, refusal, code);
            assert_eq!(
                world.superuser().values(CONTENT, &[]),
                before,
                "{endpoint:?}"
            );
            assert_eq!(
                world.last_run("skipped").as_deref(),
                Some("0"),
                "{endpoint:?}"
            );
            // A retry would be refused too.
            let asked = world.asked("");
            world.sync_refused();
            assert_eq!(world.asked(""), asked + 1, "{endpoint:?}");
            world.stack.set_gone(None);
            world.sync();
            world.assert_mirrored();
        }
    }
}

/// The first request for each kind of entry.
#[test]
fn a_project_that_is_gone_leaves_the_queue_alone() {
    for (gone, code) in GONE {
        let world = with_everything();
        world.sync();
        queue_everything(&mut world.superuser());
        for kind in ["user", "team", "team_member", "project_permissions"] {
            // The oldest entry is confirmed first.
            let mut session = world.superuser();
            session.run(&format!(
                "UPDATE neon_auth.sync_queue SET queued_at = now() - interval '1 hour' * (kind = '{kind}')::integer"
            ));
            let before = session.values(CONTENT, &[]);
            world.stack.set_gone(Some(gone));
            let refusal = world.sync_refused();
            assert_gone(&world, &refusal, code);
            assert_eq!(session.values(CONTENT, &[]), before, "{kind}");
        }
        world.stack.set_gone(None);
        world.sync();
        world.assert_mirrored();
    }
}

/// What `configure` does about it, as the HINT says.
#[test]
fn another_project_takes_the_place_of_one_that_is_gone() {
    let mut world = with_everything();
    world.sync();
    world.stack.set_gone(Some(Gone::Project));
    world.sync_refused();
    world.enter_another_project();
    world.configure(&mut world.superuser());
    world.sign_up("somebody");
    let refusal = world.sync_refused();
    assert_eq!(
        refusal.message(),
        "the mirror contains the users of another project"
    );
    world.superuser().run("DELETE FROM neon_auth.sync_source");
    world.sync();
    world.assert_mirrored();
}

/// A project id that never existed is the same.
#[test]
fn a_misspelt_project_is_not_found() {
    let world = World::new();
    let keys = world.stack.keys_response().to_string();
    let misspelt = keys.replace(
        &world.stack.project_id(),
        "11111111-2222-4333-8444-555555555555",
    );
    let configure = "SELECT neon_auth.configure($1::text::jsonb)::text";
    world.superuser().value(configure, &[&misspelt]);
    let refusal = world.sync_refused();
    let detail = refusal.detail().unwrap_or_default();
    assert!(
        detail.contains("11111111-2222-4333-8444-555555555555"),
        "{detail}"
    );
    assert!(detail.contains("CURRENT_PROJECT_NOT_FOUND"), "{detail}");
    assert_eq!(world.mirrored(), 0);
}
