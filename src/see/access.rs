//! A row of `neon_auth.access_report`.

/// What a user, or nobody, can do with the rows of a table. Counts are `None` if they are not known.
pub struct Access {
    pub table: String,
    pub user_id: Option<String>,
    pub selects: Option<i64>,
    /// A word; `None` for a view.
    pub inserts: Option<String>,
    pub updates: Option<i64>,
    pub deletes: Option<i64>,
    /// The policies that apply.
    pub policies: Vec<String>,
    pub note: Option<String>,
}

impl Access {
    /// From the columns of `neon_auth_internal.access_report`, as text.
    pub fn of(row: Vec<Option<String>>) -> Self {
        let [
            table,
            user_id,
            selects,
            inserts,
            updates,
            deletes,
            policies,
            note,
        ] = <[Option<String>; 8]>::try_from(row).expect("access_report has eight columns");
        let count = |text: Option<String>| text.map(|text| text.parse().expect("a bigint"));
        let names = policies.unwrap_or_else(|| "[]".to_owned());
        Self {
            table: table.expect("a relation has a name"),
            user_id,
            selects: count(selects),
            inserts,
            updates: count(updates),
            deletes: count(deletes),
            policies: serde_json::from_str(&names).expect("PostgreSQL writes valid JSON"),
            note,
        }
    }
}
