//! Makes expressions that ask readers. A reader stands between ⟦ and ⟧: the twin has the value that
//! it returns there instead.

use crate::choices::Choices;
use crate::schema::{DERIVED, PARENT, PARTED, ROWS, Relation, TABLES};

/// A relation and what it is called in a query.
#[derive(Clone)]
pub struct Named {
    pub relation: &'static Relation,
    pub alias: String,
}

/// Makes the parts of a case.
pub struct Maker {
    pub choices: Choices,
    pub major: u32,
    /// How much more may be nested.
    fuel: usize,
    aliases: usize,
    /// The first so many tables may be asked, and the others not.
    rank: usize,
    /// Whether views and functions of a set-up may be asked.
    asks_derived: bool,
}

impl Maker {
    pub fn new(choices: Choices, major: u32) -> Self {
        Self {
            choices,
            major,
            fuel: 3,
            aliases: 0,
            rank: TABLES.len(),
            asks_derived: true,
        }
    }

    /// From here on only tables before this rank are asked, and nothing derived from any.
    pub fn below_rank(&mut self, rank: usize) {
        self.rank = rank;
        self.asks_derived = false;
    }

    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// Something one level deeper, or the fallback where it is deep enough.
    fn nested(
        &mut self,
        fallback: fn(&mut Self, &[Named]) -> String,
        scope: &[Named],
        make: impl FnOnce(&mut Self) -> String,
    ) -> String {
        if self.fuel == 0 {
            return fallback(self, scope);
        }
        self.fuel -= 1;
        let made = make(self);
        self.fuel += 1;
        made
    }

    /// A reader of text.
    pub fn text_reader(&mut self) -> String {
        let reader = self.choices.pick(&[
            "⟦auth.user_id()⟧",
            "⟦auth.user_id()⟧",
            "⟦auth.user_id()⟧",
            "⟦auth.user_id()⟧",
            "⟦auth.user_id()⟧",
            "⟦auth.user_id()⟧",
            "⟦auth.claim('sub')⟧",
            "⟦auth.email()⟧",
            "⟦auth.role()⟧",
            "⟦auth.selected_team_id()⟧",
            "⟦auth.provider()⟧",
            "⟦auth.session_id()⟧",
            "(⟦auth.actor()⟧ ->> 'user_id')",
            "(⟦auth.organization_ids()⟧)[1]",
            "⟦auth.claim('o', 'slug')⟧",
            "⟦auth.claim(lower('SUB'))⟧",
            "⟦auth.claim('nothing')⟧",
            "⟦auth.claim(auth.claim('path'))⟧",
            "(⟦auth.jwt()⟧ ->> 'sub')",
            "(⟦auth.session()⟧ ->> 'email')",
            "(SELECT ⟦auth.user_id()⟧)",
            "(SELECT ⟦auth.user_id()⟧ || '')",
            "⟦(auth.profile()).id⟧",
            "⟦auth.uid()⟧::text",
            "coalesce(⟦auth.claim('nothing')⟧, ⟦auth.user_id()⟧)",
            "(⟦auth.team_ids()⟧)[1]",
            "coalesce(⟦auth.user_id()⟧, '')",
            "coalesce((SELECT ⟦auth.email()⟧), ⟦auth.user_id()⟧ || '')",
            "nullif(⟦auth.user_id()⟧, 'bob')",
            "CASE WHEN ⟦auth.user_id()⟧ IS NULL THEN 'bob' ELSE ⟦auth.user_id()⟧ END",
            "CASE ⟦auth.role()⟧ WHEN 'authenticated' THEN ⟦auth.user_id()⟧ ELSE 'bob' END",
            "lower((SELECT ⟦auth.jwt()⟧) #>> '{o,slug}')",
            "(SELECT ⟦auth.jwt()⟧ ->> 'sub')",
            "greatest(⟦auth.user_id()⟧, ⟦auth.claim('nothing')⟧)",
            "⟦auth.user_id()⟧::uuid::text",
            "⟦auth.claim('limit')⟧::int::text",
            "(⟦auth.organization_ids()⟧::text[] || ⟦auth.role()⟧)[1]",
            "me()",
            "me_plpgsql()",
            "or_me()",
            "or_me(⟦auth.claim('nothing')⟧)",
        ]);
        reader.to_owned()
    }

    /// A boolean that is the same for all rows.
    fn flag(&mut self) -> String {
        let reader = self.choices.pick(&[
            "⟦auth.email_verified()⟧",
            "⟦auth.is_anonymous()⟧",
            "⟦auth.is_team_member('t1')⟧",
            "⟦auth.is_team_member(auth.selected_team_id())⟧",
            "⟦auth.has_permission('read', 't1')⟧",
            "⟦auth.has_permission('read')⟧",
            "⟦auth.has_permission(permission_id => 'read', team_id => 't2')⟧",
            "⟦auth.organization_id()⟧ IS NOT NULL",
            "⟦auth.expires_at()⟧ > '2020-01-01'",
            "⟦auth.jwt()⟧ ? 'email'",
            "⟦auth.actor()⟧ ? 'impersonator'",
            "⟦auth.organization()⟧ ->> 'slug' = 'acme'",
            "⟦auth.user_id()⟧ IS NULL",
            "(⟦auth.role()⟧ = 'authenticated' AND ⟦auth.user_id()⟧ IS NOT NULL)",
            "(⟦auth.user_id()⟧ IN ('alice', 'bob') OR NOT ⟦auth.is_anonymous()⟧)",
            "'t1' = ANY (⟦auth.team_ids()⟧)",
            "(⟦auth.jwt()⟧ ->> 'is_anonymous')::boolean",
            "(SELECT ⟦auth.role()⟧ IS DISTINCT FROM 'authenticated')",
        ]);
        reader.to_owned()
    }

    /// A column of text of something in scope.
    pub fn text_column(&mut self, scope: &[Named]) -> String {
        let named = &scope[self.choices.below(scope.len())];
        let column = self.choices.pick(named.relation.texts);
        format!("{}.{column}", named.alias)
    }

    pub fn int_column(&mut self, scope: &[Named]) -> String {
        let named = &scope[self.choices.below(scope.len())];
        let column = self.choices.pick(named.relation.ints);
        format!("{}.{column}", named.alias)
    }

    /// An expression of text.
    pub fn text(&mut self, scope: &[Named]) -> String {
        let column = self.text_column(scope);
        match self.choices.below(9) {
            0 | 1 => self.text_reader(),
            2 => column,
            3 => format!("{column} || {}", self.text_reader()),
            4 => format!("upper({})", self.text_reader()),
            5 => {
                let condition = self.simple(scope);
                format!(
                    "CASE WHEN {condition} THEN {} ELSE {column} END",
                    self.text_reader()
                )
            }
            6 => format!("coalesce({column}, {})", self.text_reader()),
            7 => format!("(SELECT coalesce({column}, {}))", self.text_reader()),
            _ => self.nested(Self::text_column, scope, |maker| {
                let (query, inner) = maker.one_item(scope);
                let condition = maker.condition(&inner);
                format!(
                    "(SELECT max({}) {query} WHERE {condition})",
                    maker.text_column(&inner[..1])
                )
            }),
        }
    }

    /// A condition without anything nested.
    pub fn simple(&mut self, scope: &[Named]) -> String {
        let column = self.text_column(scope);
        match self.choices.below(19) {
            0..=2 => format!("{column} = {}", self.text_reader()),
            3 => format!("{} = {column}", self.text_reader()),
            4 => format!("{column} IN ({}, 'bob')", self.text_reader()),
            5 => format!("{column} IS DISTINCT FROM {}", self.text_reader()),
            6 => self.flag(),
            7 => format!("is_me({column})"),
            8 => format!("⟦auth.is_team_member⟧({column})"),
            9 => format!("⟦auth.has_permission⟧('read', {column})"),
            10 => format!("{column} = ANY (⟦auth.team_ids()⟧)"),
            11 => format!("(SELECT ⟦auth.user_id()⟧ = {column})"),
            12 => format!("{column} LIKE {} || '%'", self.text_reader()),
            13 => {
                let number = self.int_column(scope);
                format!("({column}, {number}) = ({}, {number})", self.text_reader())
            }
            14 => {
                let number = self.int_column(scope);
                format!(
                    "{number} < ⟦auth.claim('limit')⟧::int + {}",
                    self.choices.below(20)
                )
            }
            15 => {
                let reader = self.text_reader();
                format!("(SELECT {reader} = {column} AND {})", self.flag())
            }
            16 => {
                let (first, second) = (self.text_reader(), self.text_reader());
                format!("(SELECT (SELECT {first} = {column}) IS NOT FALSE OR {second} = {column})")
            }
            17 => {
                let (flag, reader) = (self.flag(), self.text_reader());
                let condition = format!("{column} = {reader}");
                match self.choices.below(2) {
                    0 => format!("CASE WHEN {flag} THEN false ELSE {condition} END"),
                    _ => format!("CASE WHEN {flag} THEN {condition} ELSE false END"),
                }
            }
            _ => self
                .wide(scope)
                .unwrap_or_else(|| format!("{column} IS NOT NULL")),
        }
    }

    /// A condition on columns that one table has.
    fn wide(&mut self, scope: &[Named]) -> Option<String> {
        let alias = &scope.iter().find(|named| named.relation.is_wide)?.alias;
        Some(match self.choices.below(7) {
            0 => format!("{alias}.owner_uid = ⟦auth.uid()⟧"),
            1 => format!("{} = ANY ({alias}.tags)", self.text_reader()),
            2 => format!(
                "{alias}.data @> jsonb_build_object('owner', {})",
                self.text_reader()
            ),
            3 => format!("{alias}.at < ⟦auth.expires_at()⟧"),
            4 => format!("{alias}.data ->> ⟦auth.claim('path')⟧ IS NULL"),
            5 => format!(
                "EXISTS (SELECT FROM unnest({alias}.tags) AS u WHERE u = {})",
                self.text_reader()
            ),
            _ => format!("is_admin({alias}.org_id)"),
        })
    }

    /// A condition.
    pub fn condition(&mut self, scope: &[Named]) -> String {
        match self.choices.below(19) {
            0..=3 => self.simple(scope),
            4 | 5 => self.nested(Self::simple, scope, |maker| {
                format!("EXISTS ({})", maker.linked(scope))
            }),
            6 => self.nested(Self::simple, scope, |maker| {
                format!("NOT EXISTS ({})", maker.linked(scope))
            }),
            7 | 8 => self.nested(Self::simple, scope, |maker| {
                let left = maker.condition(scope);
                format!("({left} OR {})", maker.condition(scope))
            }),
            9 => self.nested(Self::simple, scope, |maker| {
                let left = maker.condition(scope);
                format!("({left} AND {})", maker.condition(scope))
            }),
            10 => self.nested(Self::simple, scope, |maker| {
                format!("NOT coalesce({}, false)", maker.condition(scope))
            }),
            11 => self.nested(Self::simple, scope, |maker| {
                let when = maker.condition(scope);
                let then = maker.condition(scope);
                format!(
                    "CASE WHEN {when} THEN {then} ELSE {} END",
                    maker.simple(scope)
                )
            }),
            12 | 13 => self.nested(Self::simple, scope, |maker| {
                let column = maker.int_column(scope);
                let not = maker.choices.pick(&["", "NOT "]);
                format!("{column} {not}IN ({})", maker.ints(scope))
            }),
            14 => self.nested(Self::simple, scope, |maker| {
                let column = maker.int_column(scope);
                let operator = maker.choices.pick(&["= ANY", "<> ALL", "> ANY"]);
                let ints = maker.ints(scope);
                match maker.choices.below(2) {
                    0 => format!("{column} {operator} (ARRAY({ints}))"),
                    _ => format!("{column} {operator} ({ints})"),
                }
            }),
            15 => self.nested(Self::simple, scope, |maker| {
                let column = maker.int_column(scope);
                let (query, inner) = maker.one_item(scope);
                format!(
                    "{column} >= (SELECT count(*) {query} WHERE {})",
                    maker.condition(&inner)
                )
            }),
            17 => self.nested(Self::simple, scope, |maker| {
                format!("(SELECT {})", maker.condition(scope))
            }),
            16 => {
                let column = self.text_column(scope);
                format!("{column} IN (VALUES ({}), ('bob'))", self.text_reader())
            }
            _ => self.nested(Self::simple, scope, |maker| {
                let column = maker.text_column(scope);
                let (query, inner) = maker.one_item(scope);
                let text = maker.text(&inner);
                format!(
                    "{column} IN (SELECT {text} {query} WHERE {})",
                    maker.condition(&inner)
                )
            }),
        }
    }

    /// A condition on a row of one relation.
    pub fn condition_on(&mut self, relation: &'static Relation, alias: &str) -> String {
        self.condition(&[Named {
            relation,
            alias: alias.to_owned(),
        }])
    }

    /// `FROM` one relation, and the scope with it in front.
    fn one_item(&mut self, scope: &[Named]) -> (String, Vec<Named>) {
        let (item, named) = self.item();
        let mut inner = vec![named];
        inner.extend_from_slice(scope);
        (format!("FROM {item}"), inner)
    }

    /// A sub-query linked to what is around it, most of the time.
    fn linked(&mut self, scope: &[Named]) -> String {
        let (from, inner) = self.one_item(scope);
        let condition = self.condition(&inner);
        let link = match self.choices.below(5) {
            0 => String::new(),
            1 => {
                let left = self.text_column(&inner[..1]);
                format!(
                    "{left} = {} || right({}, 0) AND ",
                    self.text_column(scope),
                    self.text_reader()
                )
            }
            _ => {
                let left = self.int_column(&inner[..1]);
                format!("{left} = {} AND ", self.int_column(scope))
            }
        };
        let end = match self.choices.below(12) {
            0 => " LIMIT 1".to_owned(),
            1 => " LIMIT length(⟦auth.user_id()⟧)".to_owned(),
            2 => {
                let column = self.int_column(&inner[..1]);
                format!(
                    " GROUP BY {column} HAVING count(*) > 0 AND bool_or({})",
                    self.simple(&inner[..1])
                )
            }
            3 => format!(" OFFSET 0 * length({})", "coalesce(⟦auth.role()⟧, '')"),
            _ => String::new(),
        };
        format!("SELECT 1 {from} WHERE {link}{condition}{end}")
    }

    /// A sub-query of integers.
    fn ints(&mut self, scope: &[Named]) -> String {
        let (from, inner) = self.one_item(scope);
        let column = self.int_column(&inner[..1]);
        let condition = self.condition(&inner);
        let not_null = format!("{column} IS NOT NULL");
        match self.choices.below(4) {
            0 => format!("SELECT {column} {from} WHERE {not_null} AND {condition}"),
            1 => format!("SELECT {column} {from} WHERE {condition}"),
            2 => {
                let (other, others) = self.one_item(scope);
                let second = self.int_column(&others[..1]);
                let other_condition = self.simple(&others);
                let operation = self
                    .choices
                    .pick(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
                format!(
                    "SELECT {column} {from} WHERE {condition} {operation} SELECT {second} {other} WHERE {other_condition}"
                )
            }
            _ => format!(
                "SELECT max({column}) {from} WHERE {condition} GROUP BY {}",
                self.text_column(&inner[..1])
            ),
        }
    }

    /// An item of a FROM clause that depends on nothing.
    pub fn item(&mut self) -> (String, Named) {
        let alias = self.alias();
        let derived = if self.asks_derived { DERIVED.len() } else { 0 };
        // The tables of highest rank, which have the most policies, come first.
        let number = self.choices.below(self.rank + derived + 1);
        let (text, relation) = match number {
            0 => (
                "(VALUES (1, ⟦auth.user_id()⟧, 1), (2, 'bob', 2))".to_owned(),
                &ROWS,
            ),
            _ if number <= self.rank => {
                let table = TABLES[self.rank - number];
                let is_parent = std::ptr::eq(table, &PARENT) || std::ptr::eq(table, &PARTED);
                let only = if is_parent && self.choices.happens(10) {
                    "ONLY "
                } else {
                    ""
                };
                (format!("{only}{}", table.name), table)
            }
            _ => {
                let relation = DERIVED[number - self.rank - 1];
                (relation.name.to_owned(), relation)
            }
        };
        let columns = if number == 0 { " (id, who, n)" } else { "" };
        (
            format!("{text} AS {alias}{columns}"),
            Named { relation, alias },
        )
    }
}
