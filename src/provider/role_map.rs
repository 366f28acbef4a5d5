//! `role_map`: the Postgres roles for the values of a claim, such as the groups of an issuer.

use std::collections::HashMap;

use neon_auth_token::Value;

use crate::error::quoted;

/// A provider's `role_map`.
pub struct RoleMap(HashMap<String, String>);

impl RoleMap {
    /// Parses `{"staff": "app_staff", …}`. An error is a sentence that says why the map is invalid.
    pub fn parse(json: &Value, allowed_roles: &[String]) -> Result<Self, String> {
        let Value::Object(members) = json else {
            return Err("The role_map is not an object.".to_owned());
        };
        if members.is_empty() {
            return Err("The role_map has no members.".to_owned());
        }
        let entry = |(value, role): (&String, &Value)| match role.as_str() {
            Some(role) if allowed_roles.iter().any(|allowed| allowed == role) => {
                Ok((value.clone(), role.to_owned()))
            }
            Some(role) => Err(format!(
                "The member {} names the role {}, which is not in allowed_roles.",
                quoted(value),
                quoted(role)
            )),
            None => Err(format!("The member {} is not a string.", quoted(value))),
        };
        members
            .iter()
            .map(entry)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The role for a value, which is compared exactly.
    pub fn role(&self, value: &str) -> Option<&str> {
        self.0.get(value).map(String::as_str)
    }
}
