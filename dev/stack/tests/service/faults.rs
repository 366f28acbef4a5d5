//! Every fault as it looks from the client's end of the connection.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use neon_auth_stack::{Endpoint, Fault, NewUser, Simulator};
use serde_json::json;

use crate::client::{Answer, get_jwks, jwks_path, page, receive, request, send, server_get, start};

/// A server whose key server has a fault.
fn faulty(fault: Fault) -> Simulator {
    let stack = start();
    stack.set_fault(Endpoint::Jwks, fault);
    stack
}

fn ask(stack: &Simulator) -> TcpStream {
    send(stack.base_url(), "GET", &jwks_path(stack), &[], "")
}

/// What reading the answer of a faulty key server gives.
fn answer(fault: Fault) -> io::Result<Answer> {
    receive(ask(&faulty(fault)))
}

#[test]
fn a_hanging_server_sends_nothing() {
    let stack = faulty(Fault::Hang);
    let mut stream = ask(&stack);
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_hanging_server_stops_at_once() {
    let stack = faulty(Fault::Hang);
    let _stream = ask(&stack);
    let started = Instant::now();
    drop(stack);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_delayed_answer_is_right() {
    let started = Instant::now();
    let late = answer(Fault::Delay { millis: 200 }).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(late.status, 200);
}

#[test]
fn a_reset_is_a_reset() {
    let error = answer(Fault::Reset).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_closed_connection_just_ends() {
    let stack = faulty(Fault::Close);
    let mut stream = ask(&stack);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_truncated_body_is_shorter_than_promised() {
    let cut = answer(Fault::Truncate).unwrap();
    let promised: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert_eq!(cut.body.len(), promised / 2);
}

#[test]
fn a_trickling_body_comes_byte_by_byte_and_is_right() {
    let stack = faulty(Fault::Trickle { interval_millis: 1 });
    let started = Instant::now();
    let trickled = receive(ask(&stack)).unwrap();
    let bytes = trickled.body.len() as u64;
    assert!(started.elapsed() >= Duration::from_millis(bytes));
    assert_eq!(trickled.json(), stack.jwks());
}

#[test]
fn a_redirect_names_another_place() {
    let location = "http://127.0.0.1:9/elsewhere".to_owned();
    let redirect = answer(Fault::Redirect { location }).unwrap();
    assert_eq!(redirect.status, 307);
    assert_eq!(
        redirect.header("location"),
        Some("http://127.0.0.1:9/elsewhere")
    );
}

#[test]
fn a_status_comes_without_a_document() {
    for (status, retry_after) in [(404, None), (500, None), (429, Some(7))] {
        let refused = answer(Fault::Status {
            status,
            retry_after,
        })
        .unwrap();
        assert_eq!(refused.status, status);
        let seconds = retry_after.map(|seconds: u64| seconds.to_string());
        assert_eq!(refused.header("retry-after"), seconds.as_deref());
        assert!(serde_json::from_slice::<serde_json::Value>(&refused.body).is_err());
    }
}

#[test]
fn busy_tells_until_when_by_a_date() {
    let date = |seconds| {
        let refused = answer(Fault::BusyUntil { seconds }).unwrap();
        assert_eq!(refused.status, 503);
        let date = |name| httpdate::parse_http_date(refused.header(name).unwrap()).unwrap();
        date("retry-after").duration_since(date("date")).unwrap()
    };
    assert!((59..=61).contains(&date(60).as_secs()));
}

#[test]
fn documents_are_not_what_was_asked_for() {
    let html = answer(Fault::Html).unwrap();
    assert_eq!(html.status, 200);
    assert!(
        html.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );

    let own = answer(Fault::Body {
        content_type: "text/plain".to_owned(),
        body: "[]".to_owned(),
    })
    .unwrap();
    assert_eq!(own.header("content-type"), Some("text/plain"));
    assert_eq!(own.text(), "[]");

    assert_eq!(
        answer(Fault::EmptySet).unwrap().json(),
        json!({ "keys": [] })
    );

    let malformed = answer(Fault::Malformed).unwrap();
    let length = malformed.body.len().to_string();
    assert_eq!(malformed.header("content-length"), Some(length.as_str()));
    assert!(malformed.text().starts_with('{'));
    assert!(!malformed.text().ends_with('}'));
}

#[test]
fn a_private_key_belongs_to_the_signing_key() {
    let stack = faulty(Fault::PrivateKey);
    let mut key = receive(ask(&stack)).unwrap().json()["keys"][0].clone();
    assert!(key.as_object_mut().unwrap().remove("d").is_some());
    assert_eq!(key, stack.jwks()["keys"][0]);
}

#[test]
fn many_keys_have_as_many_ids() {
    let set = answer(Fault::ManyKeys { count: 10_000 }).unwrap().json();
    let mut kids: Vec<_> = set["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), 10_001);
}

#[test]
fn a_huge_body_is_a_key_set_of_exactly_that_length() {
    let stack = faulty(Fault::Huge { bytes: 1_000_000 });
    let huge = receive(ask(&stack)).unwrap();
    assert_eq!(huge.body.len(), 1_000_000);
    assert_eq!(huge.json()["keys"][0], stack.jwks()["keys"][0]);
}

#[test]
fn a_gigabyte_is_sent_as_far_as_it_is_read() {
    let stack = faulty(Fault::Huge { bytes: 1 << 30 });
    let mut stream = ask(&stack);
    stream.read_exact(&mut vec![0; 4 << 20]).unwrap();
    drop(stream);
    stack.clear_fault(Endpoint::Jwks);
    assert_eq!(get_jwks(&stack).status, 200);
}

#[test]
fn headers_of_a_right_answer_change_or_vanish() {
    let header = |name: &str, value: Option<&str>| {
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        let changed = answer(Fault::Header { name, value }).unwrap();
        assert_eq!(changed.json()["keys"].as_array().unwrap().len(), 6);
        changed
    };
    let typed = header("content-type", Some("text/plain"));
    assert_eq!(typed.header("content-type"), Some("text/plain"));
    let cached = header("cache-control", Some("no-store"));
    assert_eq!(cached.header("cache-control"), Some("no-store"));
    assert_eq!(header("cache-control", None).header("cache-control"), None);
}

#[test]
fn a_fault_that_http_cannot_express_is_answered_501() {
    let status = Fault::Status {
        status: 1,
        retry_after: None,
    };
    let header = Fault::Header {
        name: "a b".to_owned(),
        value: None,
    };
    for fault in [status, header] {
        assert_eq!(answer(fault).unwrap().status, 501);
    }
}

#[test]
fn a_fault_stays_with_its_endpoint_and_its_number_of_requests() {
    let stack = start();
    stack.set_fault_times(Endpoint::Teams, Fault::Reset, 2);
    let teams = || {
        let stream = send(stack.base_url(), "GET", "/api/v1/teams", &[], "");
        receive(stream).map(|answer| answer.status)
    };
    assert_eq!(get_jwks(&stack).status, 200);
    assert!(teams().is_err());
    assert!(teams().is_err());
    assert_eq!(teams().unwrap(), 400);
    assert_eq!(server_get(&stack, "/api/v1/teams").status, 200);
    assert_eq!(stack.requests("/api/v1/teams"), 4);
}

/// A server with so many users.
fn with_users(users: usize) -> Simulator {
    let stack = start();
    for _ in 0..users {
        stack.sign_up(NewUser::default());
    }
    stack
}

#[test]
fn a_fault_begins_after_some_requests_and_ends_after_others() {
    let stack = with_users(1);
    let failing = Fault::Status {
        status: 500,
        retry_after: Some(1),
    };
    stack.set_fault_after(Endpoint::Users, 2, failing, Some(2));
    let statuses = [(); 6].map(|()| server_get(&stack, "/api/v1/users?limit=1").status);
    assert_eq!(statuses, [200, 200, 500, 500, 200, 200]);
}

#[test]
fn a_repeated_page_is_the_one_before() {
    let stack = with_users(6);
    stack.set_fault_after(Endpoint::Users, 1, Fault::Repeat, Some(2));
    let first = page(&stack, 2, None);
    assert_eq!(page(&stack, 2, first.1.as_deref()), first);
    assert_eq!(page(&stack, 2, first.1.as_deref()), first);
    let second = page(&stack, 2, first.1.as_deref());
    assert_ne!(second, first);
    stack.set_fault(Endpoint::Users, Fault::Repeat);
    assert_eq!(page(&stack, 2, None), second);
}

#[test]
fn an_answer_is_repeated_with_its_status_and_headers() {
    let stack = start();
    let refusal = request(stack.base_url(), "GET", "/api/v1/teams", &[], "");
    assert_eq!(refusal.status, 400);
    stack.set_fault(Endpoint::Teams, Fault::Repeat);
    let repeated = server_get(&stack, "/api/v1/teams");
    assert_eq!(repeated.status, 400);
    assert_eq!(
        repeated.header("x-stack-known-error"),
        Some("ACCESS_TYPE_REQUIRED")
    );
    assert_eq!(repeated.body, refusal.body);
}

#[test]
fn without_an_answer_there_is_nothing_to_repeat() {
    let stack = with_users(1);
    stack.set_fault(Endpoint::Users, Fault::Repeat);
    assert_eq!(server_get(&stack, "/api/v1/users").status, 501);
}

#[test]
fn a_short_page_loses_nobody() {
    let stack = with_users(10);
    let whole = page(&stack, 10, None).0;
    stack.set_fault(Endpoint::Users, Fault::ShortPage);
    let (mut users, mut lengths, mut cursor) = (Vec::new(), Vec::new(), None);
    loop {
        let (ids, next) = page(&stack, 6, cursor.as_deref());
        lengths.push(ids.len());
        users.extend(ids);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(lengths, [3, 3, 3, 1]);
    assert_eq!(users, whole);
    stack.set_fault(Endpoint::Teams, Fault::ShortPage);
    assert_eq!(server_get(&stack, "/api/v1/teams").status, 501);
}

#[test]
fn cursors_are_given_in_turn() {
    let stack = with_users(4);
    let cursors = page(&stack, 4, None).0;
    let cursors = [&cursors[2], &cursors[0]].map(ToString::to_string);
    let fault = Fault::Cursors {
        cursors: cursors.to_vec(),
    };
    stack.set_fault(Endpoint::Users, fault.clone());
    for cursor in [&cursors[0], &cursors[1], &cursors[0]] {
        let (users, next) = page(&stack, 2, None);
        assert_eq!(users.len(), 2);
        assert_eq!(next.as_ref(), Some(cursor));
    }
    stack.set_fault(Endpoint::Teams, fault);
    let teams = server_get(&stack, "/api/v1/teams").json();
    assert_eq!(teams["pagination"]["next_cursor"], cursors[0]);
    stack.set_fault(Endpoint::Teams, Fault::Cursors { cursors: vec![] });
    assert_eq!(server_get(&stack, "/api/v1/teams").status, 501);
}

#[test]
fn lists_meet_the_faults_that_keys_meet() {
    let stack = with_users(4);
    let path = "/api/v1/users?limit=4";
    let right = server_get(&stack, path);
    let ask = || {
        let credentials = stack.credentials();
        let headers = [
            ("x-stack-access-type", "server"),
            ("x-stack-project-id", &credentials.project_id),
            ("x-stack-secret-server-key", &credentials.secret_server_key),
        ];
        send(stack.base_url(), "GET", path, &headers, "")
    };

    stack.set_fault(Endpoint::Users, Fault::Truncate);
    let cut = receive(ask()).unwrap();
    assert_eq!(cut.body, right.body[..right.body.len() / 2]);
    let promised = right.body.len().to_string();
    assert_eq!(cut.header("content-length"), Some(promised.as_str()));

    stack.set_fault(Endpoint::Users, Fault::Delay { millis: 200 });
    let started = Instant::now();
    assert_eq!(receive(ask()).unwrap().body, right.body);
    assert!(started.elapsed() >= Duration::from_millis(200));

    stack.set_fault(
        Endpoint::Users,
        Fault::Status {
            status: 429,
            retry_after: Some(3),
        },
    );
    let refused = receive(ask()).unwrap();
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("3"))
    );

    stack.set_fault(Endpoint::Users, Fault::Hang);
    let mut stream = ask();
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}
