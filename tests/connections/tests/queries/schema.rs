//! The tables that queries are made for, and the policies, views and functions that a case adds.

use crate::expressions::Maker;

/// What expressions know of a relation.
#[derive(Debug)]
pub struct Relation {
    pub name: &'static str,
    /// A number that tells rows apart, or nearly so.
    pub id: &'static str,
    pub texts: &'static [&'static str],
    pub ints: &'static [&'static str],
    /// Whether it has the columns `owner_uid`, `tags`, `data` and `at`.
    pub is_wide: bool,
}

pub const MEMBERS: Relation = Relation {
    name: "members",
    id: "org_id",
    texts: &["user_id", "role"],
    ints: &["org_id"],
    is_wide: false,
};
pub const NOTES: Relation = Relation {
    name: "notes",
    id: "id",
    texts: &["author"],
    ints: &["id", "org_id", "n"],
    is_wide: false,
};
pub const DOCS: Relation = Relation {
    name: "docs",
    id: "id",
    texts: &["owner", "team_id"],
    ints: &["id", "org_id", "n"],
    is_wide: true,
};
pub const PARTED: Relation = owned("parted");
pub const PARENT: Relation = owned("parent");
/// What a sub-query of `Maker::rows` returns.
pub const ROWS: Relation = Relation {
    name: "",
    id: "id",
    texts: &["who"],
    ints: &["id", "n"],
    is_wide: false,
};

const fn owned(name: &'static str) -> Relation {
    Relation {
        name,
        id: "id",
        texts: &["owner"],
        ints: &["id", "org_id", "n"],
        is_wide: false,
    }
}

/// In this order: the policies of a table ask only about tables before it.
pub const TABLES: [&Relation; 5] = [&MEMBERS, &PARTED, &PARENT, &NOTES, &DOCS];

/// What queries may select from besides tables. Policies do not: these ask tables with policies.
pub const DERIVED: [&Relation; 5] = [
    &owned("my_view"),
    &owned("barrier_view"),
    &owned("invoker_view"),
    &owned("my_docs()"),
    &owned("my_docs_plpgsql()"),
];

/// The tables and their rows; `:me` is the user's id.
pub const BASE: &str = "
CREATE TABLE members (org_id int, user_id text, role text, PRIMARY KEY (org_id, user_id));
INSERT INTO members VALUES (1, ':me', 'authenticated'), (1, 'bob', 'member'), (2, 'bob', 'authenticated'),
    (3, ':me', NULL), (4, 'carol', 'authenticated');
CREATE TABLE docs (id int PRIMARY KEY, org_id int, owner text, owner_uid uuid, team_id text, n int,
    tags text[], data jsonb, at timestamptz) WITH (parallel_workers = 2);
INSERT INTO docs SELECT i, nullif(i % 5, 0), (ARRAY[':me', 'bob', 'carol', NULL])[1 + i % 4],
    CASE i % 3 WHEN 0 THEN ':me'::uuid WHEN 1 THEN '00000000-0000-4000-8000-000000000000' END,
    (ARRAY['t1', 't2', 't3', NULL])[1 + i / 3 % 4], i % 7,
    CASE i % 3 WHEN 0 THEN ARRAY[':me', 'x'] WHEN 1 THEN ARRAY['bob'] END,
    jsonb_build_object('owner', CASE i % 2 WHEN 0 THEN ':me' END, 'n', i),
    timestamptz '2020-01-01' + i * interval '1 year' FROM generate_series(1, 40) AS i;
CREATE INDEX ON docs (owner);
CREATE TABLE notes (id int, author text, org_id int, n int) WITH (parallel_workers = 2);
INSERT INTO notes SELECT i, (ARRAY[':me', 'bob', NULL])[1 + i % 3], i % 4, i % 5 FROM generate_series(1, 60) AS i;
CREATE INDEX ON notes (author);
CREATE TABLE parted (id int, owner text, org_id int, n int) PARTITION BY LIST (owner);
CREATE TABLE parted_mine PARTITION OF parted FOR VALUES IN (':me');
CREATE TABLE parted_bob PARTITION OF parted FOR VALUES IN ('bob');
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT i, (ARRAY[':me', 'bob', 'carol'])[1 + i % 3], i % 4, i % 5 FROM generate_series(1, 30) AS i;
CREATE TABLE parent (id int, owner text, org_id int, n int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT i, (ARRAY[':me', 'bob'])[1 + i % 2], i % 4, i FROM generate_series(1, 10) AS i;
INSERT INTO child SELECT i, (ARRAY[':me', 'bob'])[1 + i % 2], i % 4, i FROM generate_series(11, 20) AS i;
ANALYZE members, docs, notes, parted, parent, child;
GRANT ALL ON members, docs, notes, parted, parent TO app";

impl Maker {
    /// Statements that make policies, functions and views.
    pub fn setup(&mut self) -> Vec<String> {
        let mut statements = vec![
            "CREATE FUNCTION me() RETURNS text LANGUAGE sql STABLE AS $$SELECT ⟦auth.user_id()⟧$$".to_owned(),
            "CREATE FUNCTION me_plpgsql() RETURNS text LANGUAGE plpgsql STABLE AS $$BEGIN RETURN ⟦auth.user_id()⟧; END$$".to_owned(),
            "CREATE FUNCTION is_me(who text) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT who = ⟦auth.user_id()⟧$$".to_owned(),
            "CREATE FUNCTION or_me(who text DEFAULT ⟦auth.user_id()⟧) RETURNS text LANGUAGE sql STABLE AS $$SELECT coalesce(who, 'x')$$".to_owned(),
            "CREATE FUNCTION is_admin(org int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$BEGIN RETURN EXISTS (SELECT FROM members WHERE org_id = org AND user_id = ⟦auth.user_id()⟧); END$$".to_owned(),
        ];
        for (rank, table) in TABLES.iter().enumerate() {
            self.below_rank(rank);
            for number in 0..self.choices.below(3) {
                statements.push(self.policy(table, number));
            }
        }
        self.below_rank(TABLES.len());
        let columns = "id, owner, org_id, n";
        let condition = self.condition_on(&DOCS, "d");
        statements.push(format!(
            "CREATE VIEW my_view AS SELECT {columns} FROM docs d WHERE {condition}"
        ));
        let condition = self.condition_on(&PARTED, "d");
        statements.push(format!("CREATE VIEW barrier_view WITH (security_barrier) AS SELECT {columns} FROM parted d WHERE {condition}"));
        let condition = self.condition_on(&DOCS, "d");
        let invoker = if self.major >= 15 {
            "WITH (security_invoker)"
        } else {
            ""
        };
        statements.push(format!(
            "CREATE VIEW invoker_view {invoker} AS SELECT {columns} FROM docs d WHERE {condition}"
        ));
        let condition = self.condition_on(&DOCS, "d");
        let returns = "RETURNS TABLE (id int, owner text, org_id int, n int)";
        statements.push(format!("CREATE FUNCTION my_docs() {returns} LANGUAGE sql STABLE AS $$SELECT d.id, d.owner, d.org_id, d.n FROM docs d WHERE {condition}$$"));
        statements.push(format!("CREATE FUNCTION my_docs_plpgsql() {returns} LANGUAGE plpgsql STABLE AS $$BEGIN RETURN QUERY SELECT d.id, d.owner, d.org_id, d.n FROM docs d WHERE {condition}; END$$"));
        statements.push(
            "GRANT SELECT, UPDATE, DELETE ON my_view, barrier_view, invoker_view TO app".to_owned(),
        );
        statements
    }

    fn policy(&mut self, table: &'static Relation, number: usize) -> String {
        let name = table.name;
        let using = self.condition_on(table, name);
        let (command, clauses) = match self.choices.below(5) {
            0 => ("ALL", format!("USING ({using})")),
            1 => ("SELECT", format!("USING ({using})")),
            2 => {
                let check = self.condition_on(table, name);
                ("ALL", format!("USING ({using}) WITH CHECK ({check})"))
            }
            3 => ("INSERT", format!("WITH CHECK ({using})")),
            _ => ("UPDATE", format!("USING ({using})")),
        };
        let kind = if number > 0 && self.choices.happens(30) {
            "RESTRICTIVE"
        } else {
            "PERMISSIVE"
        };
        format!(
            "ALTER TABLE {name} ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY p{number} ON {name} AS {kind} FOR {command} {clauses}"
        )
    }
}
