//! Makes queries of every shape that a reader may stand in.

use crate::expressions::{Maker, Named};
use crate::schema::{DOCS, ROWS};

/// A query, and whether the order of its rows is settled.
pub struct Select {
    pub sql: String,
    pub is_ordered: bool,
}

impl Maker {
    /// `FROM` some relations, joined, and the scope that they make.
    fn joined(&mut self) -> (String, Vec<Named>) {
        let (mut from, first) = self.item();
        let mut scope = vec![first];
        for _ in 0..self.choices.below(3) {
            let (item, named) = self.item();
            let link = format!(
                "{}.{} = {}.{}",
                named.alias, named.relation.id, scope[0].alias, scope[0].relation.id
            );
            scope.push(named);
            from = match self.choices.below(7) {
                0 => {
                    let condition = self.simple(&scope);
                    format!("{from} JOIN {item} ON {link} AND {condition}")
                }
                1 | 2 => {
                    let condition = self.condition(&scope);
                    format!("{from} LEFT JOIN {item} ON {link} AND {condition}")
                }
                3 => format!("{from} RIGHT JOIN {item} ON {link}"),
                4 => format!("{from} FULL JOIN {item} ON {link}"),
                5 => {
                    let alias = self.alias();
                    let outer = scope.pop().map(|_| scope.clone()).unwrap_or_default();
                    let rows = self.rows(&outer);
                    scope.push(Named {
                        relation: &ROWS,
                        alias: alias.clone(),
                    });
                    format!("{from} CROSS JOIN LATERAL ({rows}) AS {alias}")
                }
                _ => format!("{from} JOIN {item} ON {link}"),
            };
        }
        (from, scope)
    }

    /// A sub-query with the columns `id`, `who` and `n`, inside a scope.
    pub fn rows(&mut self, around: &[Named]) -> String {
        let (item, named) = self.item();
        let id = format!("{}.{}", named.alias, named.relation.id);
        let mut scope = vec![named];
        let inner = self.text_column(&scope);
        scope.extend_from_slice(around);
        let who = match self.choices.below(3) {
            0 => inner,
            _ => self.text(&scope),
        };
        let condition = self.condition(&scope);
        let n = self.int_column(&scope);
        format!("SELECT {id} AS id, {who} AS who, {n} AS n FROM {item} WHERE {condition}")
    }

    /// A query.
    pub fn select(&mut self) -> Select {
        let shape = self.choices.below(18);
        let mut columns = 3;
        let sql = match shape {
            0 | 1 => self.rows(&[]),
            2 | 3 => {
                let (from, scope) = self.joined();
                let (text, flag) = (self.text(&scope), self.condition(&scope));
                let condition = self.condition(&scope);
                format!(
                    "SELECT {} AS id, {text} AS who, {flag} AS flag FROM {from} WHERE {condition}",
                    self.int_column(&scope)
                )
            }
            4 | 5 => self.grouped(&mut columns),
            6 => self.grouping_sets(&mut columns),
            7 => {
                let (from, scope) = self.joined();
                let (key, order) = (self.condition(&scope), self.int_column(&scope));
                let (text, filter) = (self.text(&scope), self.condition(&scope));
                format!(
                    "SELECT {order} AS id, count(*) FILTER (WHERE {filter}) OVER (PARTITION BY {key}) AS c, max({text}) OVER (PARTITION BY {key} ORDER BY {order} RANGE BETWEEN ⟦auth.claim('limit')⟧::int PRECEDING AND CURRENT ROW) AS m FROM {from}"
                )
            }
            8 => {
                let rows = self.rows(&[]);
                let scope = [self.named_rows()];
                let (first, text) = (self.text(&scope), self.text(&scope));
                let name = &scope[0].alias;
                format!(
                    "SELECT DISTINCT ON ({first}) {name}.id, {first} AS f, {text} AS x FROM ({rows}) AS {name} ORDER BY {first}, {name}.id, {name}.who, {name}.n"
                )
            }
            9 | 10 => {
                let (left, right) = (self.rows(&[]), self.rows(&[]));
                let operation =
                    self.choices
                        .pick(&["UNION ALL", "UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL"]);
                let scope = [self.named_rows()];
                let condition = self.condition(&scope);
                let name = &scope[0].alias;
                format!("SELECT * FROM ({left} {operation} {right}) AS {name} WHERE {condition}")
            }
            11 | 12 => {
                let rows = self.rows(&[]);
                let (left, right) = (self.named_rows(), self.named_rows());
                let (a, b) = (left.alias.clone(), right.alias.clone());
                let scope = [left, right];
                let (text, condition) = (self.text(&scope), self.condition(&scope));
                let kind = self
                    .choices
                    .pick(&["", "MATERIALIZED ", "NOT MATERIALIZED "]);
                format!(
                    "WITH w AS {kind}({rows}) SELECT {a}.id AS id, {text} AS who, {b}.n AS n FROM w AS {a} JOIN w AS {b} ON {a}.id = {b}.id WHERE {condition}"
                )
            }
            13 => {
                let rows = self.rows(&[]);
                let table = Named {
                    relation: &DOCS,
                    alias: "d".to_owned(),
                };
                let scope = [
                    table,
                    Named {
                        relation: &ROWS,
                        alias: "r".to_owned(),
                    },
                ];
                let (text, condition) = (self.text(&scope), self.condition(&scope));
                format!(
                    "WITH RECURSIVE r AS (({rows}) UNION SELECT d.id, {text}, d.n FROM r JOIN docs AS d ON d.id = r.id + 7 WHERE {condition}) SELECT * FROM r"
                )
            }
            14 => {
                let scope = [Named {
                    relation: &DOCS,
                    alias: "d".to_owned(),
                }];
                let (text, condition) = (self.text(&scope), self.condition(&scope));
                let end = self.choices.pick(&["", " FOR UPDATE", " FOR SHARE OF d"]);
                format!(
                    "SELECT d.id, {text} AS who, d.n FROM docs AS d WHERE d.id = {} AND {condition}{end}",
                    1 + self.choices.below(40)
                )
            }
            15 => {
                let scope = [Named {
                    relation: &DOCS,
                    alias: "d".to_owned(),
                }];
                let (text, flag) = (self.text(&scope), self.condition(&scope));
                format!(
                    "SELECT d.id, {text} AS who, {flag} AS flag FROM docs AS d, {} WHERE {}",
                    self.choices.pick(&[
                        "⟦auth.user_id()⟧ AS f(x)",
                        "jsonb_array_elements_text(⟦auth.jwt()⟧ -> 'teams') AS f(x)",
                        "unnest(⟦auth.team_ids()⟧) AS f(x)",
                        "LATERAL generate_series(1, ⟦auth.claim('limit')⟧::int) AS f(x)",
                    ]),
                    self.condition(&scope)
                )
            }
            16 => {
                let text = self.text_reader();
                let (left, right) = (self.rows(&[]), self.rows(&[]));
                format!(
                    "SELECT {text} AS a, (SELECT count(*) FROM ({left}) AS l) AS b, EXISTS ({right}) AS c"
                )
            }
            _ => {
                let (from, scope) = self.joined();
                let text = self.text(&scope);
                format!(
                    "SELECT DISTINCT {text} AS a, {} AS b, {} AS c FROM {from}",
                    self.text_reader(),
                    self.simple(&scope)
                )
            }
        };
        self.ended(sql, columns)
    }

    /// The query, perhaps ordered, perhaps in part.
    fn ended(&mut self, sql: String, columns: usize) -> Select {
        let all: Vec<String> = (1..=columns).map(|column| column.to_string()).collect();
        let all = all.join(", ");
        let is_plain = sql.starts_with("SELECT") && !sql.contains(" FOR ");
        match self.choices.below(6) {
            1 if is_plain => Select {
                sql: format!("SELECT * FROM ({sql}) AS q ORDER BY {all}"),
                is_ordered: true,
            },
            2 if is_plain => {
                let scope = [self.named_rows()];
                let limit = self.choices.pick(&[
                    "⟦auth.claim('limit')⟧::int",
                    "7",
                    "length(⟦auth.role()⟧)",
                ]);
                let name = &scope[0].alias;
                Select {
                    sql: format!(
                        "SELECT * FROM ({sql}) AS {name} ORDER BY {all} LIMIT {limit} OFFSET 1"
                    ),
                    is_ordered: true,
                }
            }
            _ => Select {
                sql,
                is_ordered: false,
            },
        }
    }

    fn named_rows(&mut self) -> Named {
        Named {
            relation: &ROWS,
            alias: self.alias(),
        }
    }

    fn grouped(&mut self, columns: &mut usize) -> String {
        let (from, scope) = self.joined();
        let key = match self.choices.below(3) {
            0 => self.int_column(&scope),
            1 => self.text(&scope),
            _ => self.condition(&scope),
        };
        let (filter, text) = (self.condition(&scope), self.text(&scope));
        let (condition, having) = (self.condition(&scope), self.condition(&scope));
        *columns = 4;
        let having = match self.choices.below(4) {
            0 => String::new(),
            3 => format!(
                " HAVING (SELECT max({}) = {})",
                self.text_column(&scope),
                self.text_reader()
            ),
            _ => format!(" HAVING count(*) > 3 OR bool_or({having})"),
        };
        format!(
            "SELECT {key} AS k, count(*) AS c, count(*) FILTER (WHERE {filter}) AS f, min({text}) AS m FROM {from} WHERE {condition} GROUP BY {key}{having}"
        )
    }

    fn grouping_sets(&mut self, columns: &mut usize) -> String {
        let (from, scope) = self.joined();
        let (mut first, second) = (self.text_column(&scope), self.simple(&scope));
        // The reader that is grouped by is NULL in some rows, as any function is.
        if self.choices.happens(50) {
            first = "⟦auth.user_id⟧()".to_owned();
        }
        let condition = self.condition(&scope);
        let sets = self.choices.pick(&[
            "ROLLUP (FIRST, SECOND)",
            "CUBE (FIRST, SECOND)",
            "GROUPING SETS ((FIRST), (SECOND), ())",
        ]);
        let sets = sets.replace("FIRST", &first).replace("SECOND", &second);
        *columns = 3;
        format!(
            "SELECT {first} || '!' AS a, {second} AS b, count(*) FILTER (WHERE {}) AS c FROM {from} WHERE {condition} GROUP BY {sets}",
            self.simple(&scope)
        )
    }
}
