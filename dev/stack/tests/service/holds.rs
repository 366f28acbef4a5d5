//! What happens between two requests of one scan.

use std::thread;

use neon_auth_stack::{Endpoint, NewUser, Simulator};
use uuid::Uuid;

use crate::client::{id, page, start};

fn sign_up(stack: &Simulator) -> Uuid {
    id(&stack.sign_up(NewUser::default()))
}

/// All users that pages of two show.
fn scan(stack: &Simulator) -> Vec<Uuid> {
    let (mut users, mut cursor) = page(stack, 2, None);
    while let Some(at) = cursor {
        let (more, next) = page(stack, 2, Some(&at));
        users.extend(more);
        cursor = next;
    }
    users
}

/// The cursor of the last request for a page.
fn cursor(stack: &Simulator) -> Uuid {
    let requests = stack.received("/api/v1/users");
    let query = requests.last().unwrap().query.as_deref().unwrap();
    query.rsplit_once("cursor=").unwrap().1.parse().unwrap()
}

#[test]
fn a_user_is_deleted_while_a_cursor_points_to_them() {
    let stack = start();
    let users = [(); 6].map(|()| sign_up(&stack));
    stack.hold(Endpoint::Users, 1);
    assert!(!stack.is_held(Endpoint::Users));
    let seen = thread::scope(|scope| {
        let scan = scope.spawn(|| scan(&stack));
        stack.wait_until_held(Endpoint::Users);
        assert!(stack.is_held(Endpoint::Users));
        assert_eq!(stack.requests("/api/v1/users"), 2);
        stack.delete_user(cursor(&stack));
        stack.release(Endpoint::Users);
        scan.join().unwrap()
    });
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|user| users.contains(user)));
    assert_eq!(scan(&stack).len(), 5);
}

#[test]
fn users_sign_up_between_any_two_pages() {
    let stack = start();
    let mut users: Vec<_> = (0..4).map(|_| sign_up(&stack)).collect();
    stack.hold(Endpoint::Users, 0);
    let mut seen = thread::scope(|scope| {
        let scan = scope.spawn(|| scan(&stack));
        for _ in 0..2 {
            stack.wait_until_held(Endpoint::Users);
            users.push(sign_up(&stack));
            // Lets the request go on that is held, and holds the next one.
            stack.hold(Endpoint::Users, 0);
        }
        stack.wait_until_held(Endpoint::Users);
        stack.release(Endpoint::Users);
        scan.join().unwrap()
    });
    seen.sort_unstable();
    users.sort_unstable();
    assert_eq!(seen, users);
}

#[test]
fn a_hold_concerns_its_endpoint_alone() {
    let stack = start();
    stack.hold(Endpoint::User, 0);
    assert!(scan(&stack).is_empty());
}
