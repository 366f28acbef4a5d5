//! Which messages are sent about what, and how they are delivered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use neon_auth_stack::permissions::Grant;
use neon_auth_stack::teams::Membership;
use neon_auth_stack::webhooks::sign;
use neon_auth_stack::{NewTeam, NewUser, Options, Simulator};
use serde_json::{Value, json};

use crate::client::{id, start, steer};

/// The messages that `change` sends: their types and their data.
fn sent(stack: &Simulator, change: impl FnOnce()) -> Vec<(String, Value)> {
    let before = stack.messages().len();
    change();
    stack.messages()[before..]
        .iter()
        .map(|message| {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            assert_eq!(body["type"], message.event);
            (message.event.to_owned(), body["data"].clone())
        })
        .collect()
}

fn event(name: &str, data: Value) -> (String, Value) {
    (name.to_owned(), data)
}

#[test]
fn every_change_sends_what_the_service_sends() {
    let stack = start();
    let creator = stack.sign_up(NewUser::default());
    let user = stack.sign_up(NewUser::default());
    let created: Value = serde_json::from_str(&stack.messages()[1].body).unwrap();
    assert_eq!(created, json!({ "type": "user.created", "data": user }));

    let user_id = id(&user);
    let renamed = sent(&stack, || {
        stack.update_user(user_id, json!({ "display_name": "Alice Example" }));
    });
    assert_eq!(renamed[0].0, "user.updated");
    assert_eq!(renamed[0].1["display_name"], "Alice Example");

    let new = NewTeam {
        creator_user_id: Some(id(&creator)),
        ..NewTeam::named("Example Team")
    };
    let mut team = Value::Null;
    let events = sent(&stack, || team = stack.create_team(new));
    assert_eq!(events, [event("team.created", team.clone())]);

    let team_id = id(&team);
    let membership = Membership { team_id, user_id };
    let member = json!({ "team_id": team_id, "user_id": user_id });
    let default = json!({ "id": "team_member", "team_id": team_id, "user_id": user_id });
    let joined = [
        event("team_membership.created", member.clone()),
        event("team_permission.created", default),
    ];
    assert_eq!(sent(&stack, || stack.join_team(membership)), joined);
    assert_eq!(sent(&stack, || stack.join_team(membership)), []);

    let grant = Grant {
        team_id: Some(team_id),
        user_id,
        id: "$update_team".to_owned(),
    };
    let granted = json!({ "id": "$update_team", "team_id": team_id, "user_id": user_id });
    assert_eq!(
        sent(&stack, || stack.grant(grant.clone())),
        [event("team_permission.created", granted.clone())]
    );
    assert_eq!(
        sent(&stack, || stack.revoke(&grant)),
        [event("team_permission.deleted", granted)]
    );
    assert_eq!(
        sent(&stack, || stack.leave_team(membership)),
        [event("team_membership.deleted", member.clone())]
    );
    stack.join_team(membership);
    let deleted = json!({ "id": user_id, "teams": [{ "id": team_id }] });
    assert_eq!(
        sent(&stack, || stack.delete_user(user_id)),
        [
            event("team_membership.deleted", member),
            event("user.deleted", deleted)
        ]
    );
    assert_eq!(
        sent(&stack, || stack.delete_team(team_id)),
        [event("team.deleted", json!({ "id": team_id }))]
    );
}

/// A delivery as it arrived: its headers in lower case and its body.
type Arrived = (Vec<(String, String)>, String);

/// An endpoint that answers one status after the other, the last one for ever.
fn endpoint(statuses: &'static [u16]) -> (String, Receiver<Arrived>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                match line.trim_end().split_once(": ") {
                    Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
                    None if line.trim_end().is_empty() => break,
                    None => {}
                }
            }
            let length = value(&headers, "content-length").parse().unwrap();
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let status = statuses[number.min(statuses.len() - 1)];
            let answer = format!(
                "HTTP/1.1 {status} X\r\nlocation: /hook\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if sender
                .send((headers, String::from_utf8(body).unwrap()))
                .is_err()
            {
                return;
            }
        }
    });
    (url, receiver)
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let found = headers.iter().find(|(given, _)| given == name);
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

fn arrive(receiver: &Receiver<Arrived>) -> Arrived {
    receiver.recv_timeout(Duration::from_secs(5)).unwrap()
}

/// Waits until the first message has had as many attempts as this.
fn wait_for_attempts(stack: &Simulator, attempts: usize) -> Vec<Option<u16>> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let made = stack.messages()[0].attempts.clone();
        if made.len() >= attempts {
            return made.iter().map(|attempt| attempt.status).collect();
        }
        assert!(Instant::now() < deadline, "{made:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_delivery_is_signed() {
    let (url, arrivals) = endpoint(&[200]);
    let stack = Simulator::start(Options {
        webhook_url: Some(url),
        ..Options::default()
    })
    .unwrap();
    stack.sign_up(NewUser::default());
    let (headers, body) = arrive(&arrivals);
    let message = &stack.messages()[0];
    assert_eq!(body, message.body);
    assert_eq!(value(&headers, "content-type"), "application/json");
    assert_eq!(value(&headers, "svix-id"), message.id);
    let timestamp = value(&headers, "svix-timestamp").parse().unwrap();
    let secret = stack.credentials().webhook_secret;
    let signature = sign(&secret, &message.id, timestamp, &body).unwrap();
    assert_eq!(value(&headers, "svix-signature"), signature);
}

#[test]
fn a_failed_delivery_is_repeated_under_the_same_id_until_it_succeeds() {
    let (url, arrivals) = endpoint(&[500, 302, 204]);
    let stack = Simulator::start(Options {
        webhook_url: Some(url),
        webhook_retries: vec![Duration::from_millis(5); 7],
        ..Options::default()
    })
    .unwrap();
    stack.sign_up(NewUser::default());
    assert_eq!(
        wait_for_attempts(&stack, 3),
        [Some(500), Some(302), Some(204)]
    );
    let ids = [(); 3].map(|()| value(&arrive(&arrivals).0, "svix-id").to_owned());
    assert_eq!(ids, [(); 3].map(|()| stack.messages()[0].id.clone()));
    thread::sleep(Duration::from_millis(50));
    assert_eq!(wait_for_attempts(&stack, 3).len(), 3);
}

#[test]
fn an_endpoint_that_is_down_is_tried_as_often_as_the_schedule_says() {
    let stack = Simulator::start(Options {
        webhook_url: Some("http://127.0.0.1:9/".to_owned()),
        webhook_retries: vec![Duration::from_millis(5); 2],
        ..Options::default()
    })
    .unwrap();
    stack.sign_up(NewUser::default());
    wait_for_attempts(&stack, 3);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(wait_for_attempts(&stack, 3), [None; 3]);
}

#[test]
fn messages_go_to_the_endpoint_that_is_set_over_http() {
    let (url, arrivals) = endpoint(&[200]);
    let stack = start();
    stack.sign_up(NewUser::default());
    assert!(stack.messages()[0].attempts.is_empty());
    let body = json!({ "url": url });
    let answer = steer(&stack, "POST", "/dev/webhook-endpoint", body);
    assert_eq!(answer.status, 200);
    stack.sign_up(NewUser::default());
    let message = &stack.messages()[1].id;
    assert_eq!(value(&arrive(&arrivals).0, "svix-id"), message);
}

#[test]
fn another_run_uses_other_message_ids() {
    let [first, second] = [(); 2].map(|()| {
        let stack = start();
        stack.sign_up(NewUser::default());
        stack.messages()[0].id.clone()
    });
    assert_ne!(first, second);
}

#[test]
fn the_command_line_signs_deliveries() {
    let output = Command::new(env!("CARGO_BIN_EXE_stack"))
        .args([
            "webhook",
            "--type",
            "team.deleted",
            "--data",
            r#"{"id":"x"}"#,
        ])
        .args(["--id", "msg_1", "--now", "1700000000"])
        .output()
        .unwrap();
    let delivery: Value = serde_json::from_slice(&output.stdout).unwrap();
    let body = delivery["body"].as_str().unwrap();
    let secret = start().credentials().webhook_secret;
    assert_eq!(
        delivery["headers"]["svix-signature"],
        sign(&secret, "msg_1", 1_700_000_000, body).unwrap()
    );
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body,
        json!({ "type": "team.deleted", "data": { "id": "x" } })
    );
}
