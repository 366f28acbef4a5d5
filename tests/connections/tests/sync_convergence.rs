//! Whatever happens at the service, whichever of its events are lost or come twice under two ids,
//! and in whatever order the rest arrives: once it is quiet, one synchronisation makes the mirror
//! equal.

use neon_auth_connections::{Activity, Random, SYNC, Session, World, begin_activity};

/// Delivers what was sent since, in any order, and some of it twice under one id; what is late comes
/// another time.
struct Post {
    seen: usize,
    late: Vec<String>,
}

impl Post {
    fn deliver(&mut self, world: &World, session: &mut Session, random: &mut Random) {
        let messages = world.stack.messages();
        let mut ids: Vec<String> = std::mem::take(&mut self.late);
        for message in &messages[self.seen..] {
            match random.below(5) {
                0 => self.late.push(message.id.clone()),
                1 => ids.extend([message.id.clone(), message.id.clone()]),
                _ => ids.push(message.id.clone()),
            }
        }
        self.seen = messages.len();
        random.shuffle(&mut ids);
        for id in ids {
            session.deliver(&world.stack.delivery(&id));
        }
    }
}

#[test]
fn one_sync_after_all_has_happened_leaves_the_truth() {
    for seed in 0..6 {
        let world = World::with_webhooks();
        begin_activity(&world.stack, seed);
        let mut random = Random::seeded(seed);
        let mut session = world.superuser();
        let mut post = Post {
            seen: 0,
            late: Vec::new(),
        };
        for _ in 0..5 {
            for _ in 0..40 {
                Activity::default().act(&world.stack, &mut random);
            }
            post.deliver(&world, &mut session, &mut random);
            if random.below(2) == 0 {
                session.run(SYNC);
            }
        }
        session.run(SYNC);
        world.assert_mirrored();
        assert_eq!(
            world.last_run("skipped").as_deref(),
            Some("0"),
            "seed {seed}"
        );
        // Late ones tell of nothing new, but some of them cannot be told from what is new.
        while !post.late.is_empty() {
            post.deliver(&world, &mut session, &mut random);
        }
        session.run(SYNC);
        world.assert_mirrored();
    }
}

#[test]
fn what_happens_during_a_sync_is_there_after_the_next() {
    for seed in 10..14 {
        let world = World::with_webhooks();
        begin_activity(&world.stack, seed);
        let mut random = Random::seeded(seed);
        let mut session = world.superuser();
        let mut post = Post {
            seen: 0,
            late: Vec::new(),
        };
        for _ in 0..3 {
            let (outcome, ()) = world.while_syncing(|_| {
                for _ in 0..6 {
                    for _ in 0..10 {
                        Activity::default().act(&world.stack, &mut random);
                    }
                    post.deliver(&world, &mut session, &mut random);
                }
            });
            assert_eq!(outcome, Ok(()));
        }
        session.run(SYNC);
        world.assert_mirrored();
    }
}
