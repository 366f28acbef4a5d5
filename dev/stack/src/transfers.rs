//! Links by which somebody claims the project.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::now_millis;
use crate::control::Input;
use crate::derive;
use crate::error::KnownError;
use crate::state::Shared;

/// How long a link is valid.
const LIFETIME_MILLIS: i64 = 3_600_000;

/// The codes of all links.
pub struct Transfers {
    seed: String,
    links: BTreeMap<String, Link>,
}

struct Link {
    expires_at_millis: i64,
    is_used: bool,
}

impl Transfers {
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            links: BTreeMap::new(),
        }
    }

    /// The code of a new link.
    pub fn begin(&mut self) -> String {
        let number = self.links.len().to_string();
        let code = derive::text(&["transfer", &self.seed, &number], 32);
        let link = Link {
            expires_at_millis: now_millis() + LIFETIME_MILLIS,
            is_used: false,
        };
        self.links.insert(code.clone(), link);
        code
    }

    /// Lets all links so far become an hour older.
    pub fn expire(&mut self) {
        for link in self.links.values_mut() {
            link.expires_at_millis -= LIFETIME_MILLIS;
        }
    }

    fn confirm(&mut self, code: &str) -> Result<(), KnownError> {
        let link = self.links.get_mut(code);
        let link = link.ok_or_else(KnownError::code_not_found)?;
        if link.is_used {
            return Err(KnownError::code_already_used());
        }
        if link.expires_at_millis <= now_millis() {
            return Err(KnownError::code_expired());
        }
        link.is_used = true;
        Ok(())
    }
}

/// What the page of a link sends for the person who is signed in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    code: String,
}

/// `POST /api/v1/integrations/neon/projects/transfer/confirm`
pub async fn confirm(
    State(shared): State<Shared>,
    Input(given): Input<Confirmation>,
) -> Result<Json<Value>, KnownError> {
    let mut state = shared.lock();
    state.transfers.confirm(&given.code)?;
    Ok(Json(json!({ "project_id": state.options.project_id })))
}
