//! Users and teams in great numbers, each made from its number.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::derive;
use crate::teams::NewTeam;
use crate::users::{NewUser, User};

/// The most people that there can be.
pub const MAX_PEOPLE: u32 = 10_000_000;

/// When the first one signed up, and how long after each other they did.
const FIRST_SIGN_UP_MILLIS: i64 = 1_700_000_000_000;
const INTERVAL_MILLIS: i64 = 1_000;

const GIVEN_NAMES: [&str; 16] = [
    "Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Mallory",
    "Olivia", "Peggy", "Trent", "Victor", "Zoë",
];
const FAMILY_NAMES: [&str; 4] = ["Example", "Sample", "Specimen", "Müster"];
const COUNTRIES: [&str; 4] = ["DE", "IN", "JP", "US"];

/// What a population is to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub users: u64,
    /// Whether each gets a team of its own.
    #[serde(default)]
    pub with_teams: bool,
    /// For each number a team of the first so many of them.
    #[serde(default)]
    pub shared_teams: Vec<u64>,
}

/// One of a population; the id is derived from the seed and the number.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    pub number: u32,
    pub has_team: bool,
}

impl Person {
    pub fn signed_up_at_millis(self) -> i64 {
        FIRST_SIGN_UP_MILLIS + i64::from(self.number) * INTERVAL_MILLIS
    }

    /// The user object; some have what others lack.
    pub fn user(self, id: Uuid) -> User {
        let number = self.number;
        let every = |nth: u32| number.is_multiple_of(nth);
        let email = self.email();
        let mut other = Map::new();
        let mut set = |key: &str, value: Value| {
            other.insert(key.to_owned(), value);
        };
        set("signed_up_at_millis", json!(self.signed_up_at_millis()));
        let active = self.signed_up_at_millis() + i64::from(number % 90) * 86_400_000;
        set("last_active_at_millis", json!(active));
        if self.has_team {
            set("selected_team_id", json!(team_id(id)));
        }
        if every(2) {
            set("country_code", json!(pick(&COUNTRIES, number / 2)));
            set("has_password", json!(true));
        }
        if every(3) {
            let url = format!("https://images.example.com/{id}.png");
            set("profile_image_url", json!(url));
        }
        if every(4) {
            let theme = if every(8) { "dark" } else { "light" };
            set(
                "client_metadata",
                json!({ "theme": theme, "onboarded": true }),
            );
        }
        if every(5) {
            let provider =
                json!({ "id": "github", "account_id": number.to_string(), "email": email });
            set("oauth_providers", json!([provider]));
        }
        if every(10) {
            let customer = format!("cus_{number:08}");
            set(
                "server_metadata",
                json!({ "plan": "pro", "customer": customer }),
            );
            set("client_read_only_metadata", json!({ "seats": number % 7 }));
        }
        let new = NewUser {
            other,
            ..NewUser::named(&self.name(), &email)
        };
        User::sign_up(new, id, self.signed_up_at_millis(), false)
    }

    /// The team that belongs to a user of this number.
    pub fn team(self) -> NewTeam {
        NewTeam {
            other: Map::from_iter([(
                "created_at_millis".to_owned(),
                json!(self.signed_up_at_millis()),
            )]),
            ..NewTeam::named(&format!("{}'s Team", self.name()))
        }
    }

    fn given_name(self) -> &'static str {
        pick(&GIVEN_NAMES, self.number)
    }

    fn name(self) -> String {
        let family_name = pick(&FAMILY_NAMES, self.number / GIVEN_NAMES.len() as u32);
        format!("{} {family_name}", self.given_name())
    }

    fn email(self) -> String {
        // No letter of an address is anything but ASCII.
        let name = self.given_name().to_lowercase().replace('ë', "e");
        format!("{name}.{}@example.com", self.number)
    }
}

/// The id of the team that belongs to one of a population.
pub fn team_id(user_id: Uuid) -> Uuid {
    // In the order of their owners' ids, so that one sorting serves both.
    let (high, low) = user_id.as_u64_pair();
    random_uuid(high, !low)
}

/// People, by id, with the numbers from `first` to before `last`.
pub fn people(seed: &str, first: u32, last: u32, has_team: bool) -> Vec<(Uuid, Person)> {
    let seed = derive::uuid(&["people", seed]).as_u64_pair();
    let mut people: Vec<_> = (first..last)
        .map(|number| {
            let id = random_uuid(mix(seed.0, number), mix(seed.1, number));
            (id, Person { number, has_team })
        })
        .collect();
    people.sort_unstable_by_key(|(id, _)| *id);
    people
}

fn random_uuid(high: u64, low: u64) -> Uuid {
    let bytes = Uuid::from_u64_pair(high, low).into_bytes();
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// The pseudorandom number of SplitMix64 that follows so many others: hashing
/// a million ids would take longer than all the rest.
fn mix(seed: u64, number: u32) -> u64 {
    let steps = u64::from(number) + 1;
    let mut mixed = seed.wrapping_add(steps.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn pick(values: &[&'static str], number: u32) -> &'static str {
    values[number as usize % values.len()]
}
