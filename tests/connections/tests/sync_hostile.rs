//! A service whose lists contradict themselves or are larger than requested: the run ends, takes
//! little memory, stores valid text, loses nobody and says what it lacks.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use neon_auth_connections::{Cluster, SYNC, World, peak};
use neon_auth_stack::{Endpoint, Fault};
use postgres::error::SqlState;
use serde_json::{Value, json};

type Answer = (u16, String);

/// What a test puts in the place of the REST API: it answers by the path and query.
struct Service {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Service {
    fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        // It serves for as long as the process of the test lives.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = respond(stream, &answer);
            }
        });
        Self {
            url: format!("http://{address}"),
            requests,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Leads the world's database here.
    #[track_caller]
    fn replace_in(&self, world: &World) {
        let keys = world.stack.keys_response().to_string();
        let keys = keys.replace(world.stack.base_url(), &self.url);
        world
            .superuser()
            .execute("SELECT neon_auth.configure($1::text::jsonb)", &[&keys])
            .expect("configure takes the console's answer");
    }

    fn world(&self) -> World {
        let world = World::new();
        self.replace_in(&world);
        world
    }
}

fn respond(mut stream: TcpStream, answer: &dyn Fn(&str) -> Answer) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = answer(path.trim_start_matches("/api/v1/"));
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn id(number: u64) -> String {
    format!("{number:08x}-0000-4000-8000-000000000000")
}

fn user(number: u64) -> Value {
    json!({ "id": id(number), "signed_up_at_millis": 1_700_000_000_000_u64 + number })
}

fn page(users: &[Value], next: Option<&str>) -> Answer {
    let page = json!({ "items": users, "pagination": { "next_cursor": next } });
    (200, page.to_string())
}

fn failure() -> Answer {
    (500, String::new())
}

fn nobody() -> Answer {
    (404, json!({ "code": "USER_NOT_FOUND" }).to_string())
}

/// The parameters of a request for a page of all users.
fn of_all_users(path: &str) -> Option<&str> {
    path.strip_prefix("users?")
        .filter(|query| !query.contains("team_id"))
}

fn cursor(query: &str) -> Option<&str> {
    query
        .split('&')
        .find_map(|parameter| parameter.strip_prefix("cursor="))
}

fn living(world: &World) -> Vec<String> {
    let living = "SELECT id FROM neon_auth.users_sync WHERE deleted_at IS NULL ORDER BY id";
    let ids = world.superuser().values(living, &[]);
    ids.into_iter().flatten().collect()
}

/// The run ends with the error for a list without an end, before it has sent 1,000 requests.
#[track_caller]
fn assert_ends(service: &Service) {
    let world = service.world();
    let mut session = world.superuser();
    session.run("SET statement_timeout = '60s'");
    let refusal = session.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::CONNECTION_FAILURE);
    let detail = refusal.detail().expect("it has one");
    assert!(detail.contains("does not end"), "{detail}");
    assert!(service.requests() < 1000, "{}", service.requests());
    let scanned = "SELECT (count(*) < 2000)::text FROM neon_auth_internal.sync_scan_users";
    let is_short = session.value(scanned, &[]);
    assert_eq!(is_short.as_deref(), Some("true"));
}

/// The last object of a page is gone from its place each time, and the one before it is not.
#[test]
fn cursors_that_contradict_each_other_end_the_run() {
    let service = Service::start(|path| match of_all_users(path).map(cursor) {
        Some(Some(at)) if at == id(2) => page(&[], None),
        Some(_) => page(&[user(1), user(2)], Some(&id(3))),
        None => page(&[], None),
    });
    assert_ends(&service);
}

/// The same, while the list grows without an end.
#[test]
fn contradicting_cursors_of_ever_new_users_end_the_run() {
    let next = AtomicU64::new(2);
    let service = Service::start(move |path| match of_all_users(path).map(cursor) {
        Some(at) => {
            let at = at.unwrap_or_default().split('-').next().unwrap_or_default();
            let at = u64::from_str_radix(at, 16).unwrap_or(1);
            if at % 2 == 0 {
                return page(&[], None);
            }
            // The one of the cursor, one with an even number, and two new ones.
            let new = next.fetch_add(4, Ordering::SeqCst);
            let users = [user(at), user(new + 1), user(new + 2)];
            page(&users, Some(&id(0xffff_ffff)))
        }
        None => page(&[], None),
    });
    assert_ends(&service);
}

/// The memory that it takes to read a page of so many users.
fn peak_of_a_page(cluster: &Cluster, users: u64) -> u64 {
    let service = Service::start(move |path| {
        if of_all_users(path).is_none() {
            return page(&[], None);
        }
        let named = |number| json!({ "id": format!("{number:0>250}"), "signed_up_at_millis": 1 });
        let users: Vec<Value> = (0..users).map(named).collect();
        page(&users, None)
    });
    let world = World::in_server(cluster.server());
    service.replace_in(&world);
    let mut session = world.superuser();
    session.run(SYNC);
    assert_eq!(living(&world).len() as u64, users);
    peak(&mut session)
}

#[test]
fn a_page_takes_as_much_memory_however_many_users_are_on_it() {
    // Buffers that several sessions share would count for each.
    let cluster = Cluster::start("shared_buffers = 2MB");
    let few = peak_of_a_page(&cluster, 2_000);
    let many = peak_of_a_page(&cluster, 60_000);
    assert!(many < few + 12 * 1024, "{few} kB, {many} kB");
}

/// For example after an update of the server, whose cursors have another form since.
#[test]
fn a_resumed_run_whose_cursor_is_refused_begins_anew() {
    let world = World::new();
    world.stack.populate(20, true);
    world.stack.set_fault(Endpoint::Users, Fault::status(401));
    world.sync_refused();
    world.stack.clear_fault(Endpoint::Users);
    let place = r#"{"ascending": [{"cursor": "old", "first": null}], "descent": null}"#;
    let resume = "UPDATE neon_auth.sync_runs SET phase = 'users', cursor = $1";
    let resumed = world.superuser().execute(resume, &[&place]);
    assert_eq!(resumed.expect("there is a run"), 1);
    world.sync();
    world.assert_mirrored();
}

#[test]
fn an_empty_page_at_an_opaque_cursor_ends_the_list() {
    let service = Service::start(|path| match of_all_users(path).map(cursor) {
        Some(None) => page(&[user(1), user(2)], Some("opaque")),
        _ => page(&[], None),
    });
    let world = service.world();
    world.sync();
    assert_eq!(living(&world), [id(1), id(2)]);
}

/// The page is empty because the user of its cursor was deleted.
#[test]
fn an_empty_page_at_an_opaque_cursor_hides_nobody() {
    let is_deleted = AtomicBool::new(false);
    let service = Service::start(move |path| match of_all_users(path).map(cursor) {
        Some(None) if is_deleted.load(Ordering::SeqCst) => page(&[user(1), user(2), user(4)], None),
        Some(None) => page(&[user(1), user(2)], Some("of-user-3")),
        Some(Some(_)) => {
            is_deleted.store(true, Ordering::SeqCst);
            page(&[], None)
        }
        None if path.starts_with("users/") => nobody(),
        None => page(&[], None),
    });
    let world = service.world();
    world.sync();
    assert_eq!(living(&world), [id(1), id(2), id(4)]);
}

/// An id or an error code that PostgreSQL cannot store is in no stored message.
#[test]
fn stored_messages_contain_no_nul() {
    let code = json!({ "code": "A\0B" }).to_string();
    let queued = format!("users/{}", id(7));
    let service = Service::start(move |path| match of_all_users(path) {
        Some(query) if query.contains("cursor=") || query.contains("desc=") => failure(),
        Some(_) => {
            let bad = json!({ "id": "a\0b", "signed_up_at_millis": 3 });
            page(&[user(1), bad], Some(&id(3)))
        }
        None if path == queued => (400, code.clone()),
        None if path.starts_with("users/") => nobody(),
        None => page(&[], None),
    });
    let world = service.world();
    world.queue("user", "", &id(7));
    world.sync();
    let reason = world.last_run("last_skip_reason").expect("there is a gap");
    assert!(reason.contains("gap"), "{reason}");
    assert!(!reason.contains('\0'), "{reason:?}");
    let error = "SELECT last_error FROM neon_auth.sync_queue WHERE user_id = $1";
    let error = world.superuser().value(error, &[&id(7)]).expect("it waits");
    assert!(error.contains("status 400"), "{error}");
    assert!(!error.contains('\0'), "{error:?}");
}

/// The list lacks known users whom the service cannot return: a few are tried, nobody is deleted,
/// and what is queued meanwhile is confirmed.
#[test]
fn many_bad_users_cost_few_requests() {
    const PEOPLE: u64 = 300;
    let (is_bad, asked) = (AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    let service = Service::start(move |path| {
        if let Some(query) = of_all_users(path) {
            if query.contains("limit=1&") {
                return page(&[user(0)], None);
            }
            // The second run finds nobody.
            let users: Vec<Value> = match is_bad.swap(true, Ordering::SeqCst) {
                true => vec![user(0)],
                false => (0..PEOPLE).map(user).collect(),
            };
            return page(&users, None);
        }
        match path.strip_prefix("users/") {
            Some(known) if known.ends_with("-0000-4000-8000-000000000000") => {
                counted.fetch_add(1, Ordering::SeqCst);
                failure()
            }
            Some(_) => nobody(),
            None => page(&[], None),
        }
    });
    let world = service.world();
    world.sync();
    assert_eq!(living(&world).len() as u64, PEOPLE);
    world.sync();
    assert_eq!(living(&world).len() as u64, PEOPLE);
    // Five attempts for the first, and two for each of the others.
    assert_eq!(asked.load(Ordering::SeqCst), 5 + 19 * 2);
    let outcome = world.last_run("concat_ws(' ', phase, skipped, gaps)");
    assert_eq!(outcome.as_deref(), Some("done 21 1"));
    let (ok, detail) = world.status("synchronisation");
    assert!(!ok && detail.contains(&id(21)), "{detail}");
}

/// What a list lacks because it has a gap is not requested without a limit.
#[test]
fn a_large_gap_costs_a_limited_number_of_requests() {
    const PEOPLE: u64 = 5100;
    let (is_read, asked) = (AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    let service = Service::start(move |path| {
        if of_all_users(path).is_some() {
            return match is_read.swap(true, Ordering::SeqCst) {
                true => (403, String::new()),
                false => page(&(0..PEOPLE).map(user).collect::<Vec<_>>(), None),
            };
        }
        if path.starts_with("users/") {
            counted.fetch_add(1, Ordering::SeqCst);
            return nobody();
        }
        page(&[], None)
    });
    let world = service.world();
    world.sync();
    world.sync_refused();
    // The run as it is after a list with a gap.
    world.superuser().run(
        "UPDATE neon_auth.sync_runs SET phase = 'deleted_users' WHERE finished_at IS NULL;
         INSERT INTO neon_auth_internal.sync_scan (kind, team_id) VALUES ('gap', 'user')",
    );
    // A second run follows, which begins with the list.
    world.sync_refused();
    assert_eq!(asked.load(Ordering::SeqCst), 5000);
    assert_eq!(living(&world).len(), 100);
    let gaps = "SELECT gaps::text FROM neon_auth.sync_runs ORDER BY id DESC OFFSET 1 LIMIT 1";
    assert_eq!(world.superuser().value(gaps, &[]).as_deref(), Some("1"));
    let (ok, _) = world.status("synchronisation");
    assert!(!ok);
}

/// Many users are deleted at the service: the queue does not wait until each is confirmed.
#[test]
fn the_queue_is_confirmed_while_missing_users_are_requested() {
    const PEOPLE: u64 = 150;
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&order);
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let is_gone = AtomicBool::new(false);
    let service = Service::start(move |path| {
        if of_all_users(path).is_some() {
            let users: Vec<Value> = match is_gone.swap(true, Ordering::SeqCst) {
                true => Vec::new(),
                false => (0..PEOPLE).map(user).collect(),
            };
            return page(&users, None);
        }
        let Some(single) = path.strip_prefix("users/") else {
            return page(&[], None);
        };
        noted.lock().expect("no panic").push(single.to_owned());
        if single == id(10) {
            hold.send(()).expect("the test waits");
            may_go_on
                .lock()
                .expect("no panic")
                .recv()
                .expect("it goes on");
        }
        nobody()
    });
    let world = service.world();
    world.sync();
    let (outcome, ()) = world.while_syncing(|_| {
        held.recv().expect("the user is requested");
        world.queue("user", "", "queued");
        go_on.send(()).expect("the service waits");
    });
    assert_eq!(outcome, Ok(()));
    assert!(living(&world).is_empty());
    let order = order.lock().expect("no panic");
    let place = order.iter().position(|single| single == "queued");
    assert_eq!(place, Some(100));
}

/// A gap is not in order until a later run has none; an object that is malformed is.
#[test]
fn the_status_is_not_ok_while_lists_have_gaps() {
    let world = World::new();
    world.stack.populate(3, true);
    let permissions = Endpoint::ProjectPermissions;
    world.stack.set_fault(permissions, Fault::status(500));
    world.sync();
    let (ok, detail) = world.status("synchronisation");
    assert!(
        !ok && detail.contains("Gaps in the lists of the last complete run: 1"),
        "{detail}"
    );
    world.stack.clear_fault(permissions);
    // Another run has begun, and is not complete.
    let begin = "INSERT INTO neon_auth.sync_runs (kind, source) SELECT kind, source FROM neon_auth.sync_runs";
    world.superuser().run(begin);
    assert!(!world.status("synchronisation").0);
    world.sync();
    world.assert_mirrored();
    let (ok, detail) = world.status("synchronisation");
    assert!(ok && !detail.contains("Gaps"), "{detail}");

    let service = Service::start(|path| match of_all_users(path) {
        Some(_) => page(&[user(1), json!({ "id": 2 })], None),
        None => page(&[], None),
    });
    let world = service.world();
    world.sync();
    let outcome = world.last_run("concat_ws(' ', skipped, gaps)");
    assert_eq!(outcome.as_deref(), Some("1 0"));
    assert!(world.status("synchronisation").0);
}
