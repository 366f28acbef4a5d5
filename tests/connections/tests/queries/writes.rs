//! Makes statements that write.

use crate::expressions::{Maker, Named};
use crate::schema::{DOCS, MEMBERS, NOTES, PARENT, PARTED, ROWS, Relation};

impl Maker {
    /// A statement that writes, with what it returns.
    pub fn write(&mut self) -> String {
        let shapes = match self.major {
            14 => 11,
            _ => 13,
        };
        match self.choices.below(shapes) {
            0 => {
                let (table, scope) = self.target();
                let (text, condition) = (self.text(&scope), self.condition(&scope));
                let column = text_of(table);
                let set = match self.choices.below(3) {
                    0 if table.name != "members" => "n = 7".to_owned(),
                    _ if table.name == "members" => format!("role = {text}"),
                    _ => format!("{column} = {text}"),
                };
                let returning = self.returning(&scope);
                format!(
                    "UPDATE {} AS w SET {set} WHERE {condition}{returning}",
                    table.name
                )
            }
            1 => {
                let (table, scope) = self.target();
                let condition = self.condition(&scope);
                let returning = self.returning(&scope);
                format!(
                    "DELETE FROM {} AS w WHERE {condition}{returning}",
                    table.name
                )
            }
            2 => {
                let rows = self.rows(&[]);
                let scope = [named(&DOCS, "w"), named(&ROWS, "s")];
                let condition = self.condition(&scope);
                let returning = self.returning(&scope);
                format!(
                    "UPDATE docs AS w SET n = 7 FROM (SELECT DISTINCT ON (id) * FROM ({rows}) AS r ORDER BY id, who, n) AS s WHERE s.id = w.id AND {condition}{returning}"
                )
            }
            3 => {
                let (item, other) = self.item();
                let (table, mut scope) = self.target();
                scope.push(other.clone());
                let condition = self.condition(&scope);
                format!(
                    "DELETE FROM {} AS w USING {item} WHERE w.{} = {}.{} AND {condition}",
                    table.name, table.id, other.alias, other.relation.id
                )
            }
            4 => {
                let values = self.choices.pick(&[
                    "(1001, 1, ME)",
                    "(1001, 1, ME), (1002, 3, ME)",
                    "(1001, 2, ME), (1002, 1, 'bob')",
                ]);
                let values = values.replace("ME", &self.text_reader());
                let returning = self.returning(&[named(&DOCS, "w")]);
                format!("INSERT INTO docs AS w (id, org_id, owner) VALUES {values}{returning}")
            }
            5 => {
                let rows = self.rows(&[]);
                let returning = self.returning(&[named(&NOTES, "w")]);
                format!(
                    "INSERT INTO notes AS w (id, author, org_id) SELECT id + 1000, who, n % 5 FROM ({rows}) AS r{returning}"
                )
            }
            6 => {
                let rows = self.rows(&[]);
                format!(
                    "INSERT INTO parted (id, owner, org_id) SELECT id + 1000, who, n % 5 FROM ({rows}) AS r"
                )
            }
            7 | 8 => {
                let (text, action) = (
                    self.text(&[named(&DOCS, "w")]),
                    self.condition(&[named(&DOCS, "w")]),
                );
                let action = match self.choices.below(3) {
                    0 => format!("DO UPDATE SET n = 8 WHERE {action}"),
                    1 => format!("DO UPDATE SET owner = {text}, n = excluded.n WHERE {action}"),
                    _ => "DO NOTHING".to_owned(),
                };
                let returning = self.returning(&[named(&DOCS, "w")]);
                format!(
                    "INSERT INTO docs AS w (id, org_id, owner, n) SELECT i, i % 4, {}, 9 FROM generate_series(30, 45) AS i ON CONFLICT (id) {action}{returning}",
                    self.text_reader()
                )
            }
            9 => {
                let (table, scope) = self.target();
                let (condition, rows) = (self.condition(&scope), self.rows(&[]));
                let scope = [named(&ROWS, "r"), named(table, "c")];
                let last = self.condition(&scope);
                format!(
                    "WITH c AS (DELETE FROM {} AS w WHERE {condition} RETURNING *) SELECT r.id, r.who, c.{} FROM ({rows}) AS r JOIN c ON c.{} = r.id WHERE {last}",
                    table.name,
                    text_of(table),
                    table.id
                )
            }
            10 => {
                let view = self
                    .choices
                    .pick(&["my_view", "barrier_view", "invoker_view"]);
                let scope = [named(&PARENT, "w")];
                let (condition, text) = (self.condition(&scope), self.text(&scope));
                match self.choices.below(3) {
                    0 => format!("UPDATE {view} AS w SET n = 3 WHERE {condition}"),
                    1 => format!("UPDATE {view} AS w SET owner = {text} WHERE {condition}"),
                    _ => format!("DELETE FROM {view} AS w WHERE {condition}"),
                }
            }
            _ => self.merge(),
        }
    }

    fn merge(&mut self) -> String {
        let rows = self.rows(&[]);
        let (target, source) = (named(&DOCS, "w"), named(&ROWS, "s"));
        let both = [target, source.clone()];
        let (delete, update) = (self.condition(&both), self.condition(&both));
        let (text, insert) = (self.text(&both), self.condition(&[source]));
        let on = match self.choices.below(3) {
            0 => format!(" AND {}", self.simple(&both)),
            _ => String::new(),
        };
        let source = format!(
            "(SELECT DISTINCT ON (id) id + 20 AS id, who, n FROM ({rows}) AS r ORDER BY id, who, n)"
        );
        let clauses = format!(
            "WHEN MATCHED AND {delete} THEN DELETE WHEN MATCHED AND {update} THEN UPDATE SET owner = {text} WHEN NOT MATCHED AND {insert} THEN INSERT (id, owner, n) VALUES (s.id + 1000, s.who, s.n)"
        );
        let returning = if self.major >= 17 {
            self.returning(&both)
        } else {
            String::new()
        };
        format!("MERGE INTO docs AS w USING {source} AS s ON w.id = s.id{on} {clauses}{returning}")
    }

    fn target(&mut self) -> (&'static Relation, Vec<Named>) {
        let table = self
            .choices
            .pick(&[&DOCS, &NOTES, &PARTED, &PARENT, &MEMBERS]);
        (table, vec![named(table, "w")])
    }

    fn returning(&mut self, scope: &[Named]) -> String {
        if self.choices.happens(50) {
            let text = self.text(scope);
            format!(
                " RETURNING {text} AS who, {} AS flag",
                self.condition(scope)
            )
        } else {
            String::new()
        }
    }
}

fn named(relation: &'static Relation, alias: &str) -> Named {
    Named {
        relation,
        alias: alias.to_owned(),
    }
}

fn text_of(table: &Relation) -> &'static str {
    table.texts[0]
}
