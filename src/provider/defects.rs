//! Defects of a row of `neon_auth.providers`, for two callers: the trigger that refuses to write
//! the row, and the session that reads the row after a load with triggers disabled.

/// Why a row is invalid.
#[derive(Clone)]
pub struct Defect {
    /// The invalid column.
    pub column: &'static str,
    /// Why, in a sentence or two.
    pub detail: String,
    /// What to do about it.
    pub hint: String,
}

/// The first defect found in a row.
#[derive(Default)]
pub struct Defects(Option<Defect>);

impl Defects {
    pub fn add(
        &mut self,
        column: &'static str,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.get_or_insert(Defect {
            column,
            detail: detail.into(),
            hint: hint.into(),
        });
    }

    /// A required value.
    pub fn value<T: Default>(&mut self, column: &'static str, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            let hint = match column {
                "name" => "Name it: name => 'my_idp'.".to_owned(),
                "issuers" => {
                    "Copy the claim iss of a token: issuers => '{https://idp.example.com}'."
                        .to_owned()
                }
                _ => format!("Leave {column} out for its default, or give it a value."),
            };
            self.add(column, format!("The column {column} is NULL."), hint);
            T::default()
        })
    }

    /// Texts, none of which may be NULL.
    pub fn texts(
        &mut self,
        column: &'static str,
        texts: Option<Vec<Option<String>>>,
    ) -> Vec<String> {
        let texts = self.value(column, texts);
        if texts.contains(&None) {
            self.add(
                column,
                format!("The column {column} contains NULL."),
                format!("Pass only texts: {column} => '{{first,second}}'."),
            );
        }
        texts.into_iter().flatten().collect()
    }

    pub fn first(self) -> Option<Defect> {
        self.0
    }
}
