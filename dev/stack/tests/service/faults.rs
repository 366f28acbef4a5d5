//! Every fault as it looks from the client's end of the connection.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use neon_auth_stack::{Endpoint, Fault, Simulator};
use serde_json::json;

use crate::client::{Answer, get_jwks, jwks_path, receive, send, server_get, start};

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
fn a_trickle_is_a_byte_a_second_unless_told_otherwise() {
    let fault: Fault = serde_json::from_value(json!({ "kind": "trickle" })).unwrap();
    let stack = faulty(fault);
    let mut stream = ask(&stack);
    let mut received = Vec::new();
    stream
        .set_read_timeout(Some(Duration::from_millis(1500)))
        .unwrap();
    while !received.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        received.extend(byte);
    }
    let started = Instant::now();
    stream.read_exact(&mut [0; 2]).unwrap();
    let elapsed = started.elapsed();
    assert!(elapsed > Duration::from_millis(1500), "{elapsed:?}");
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
