//! A case: what is set up, and the statements that run as the user.

use crate::choices::Choices;
use crate::expressions::Maker;

/// Settings that change how queries are planned.
const SETTINGS: [&str; 14] = [
    "enable_seqscan = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "enable_nestloop = off",
    "enable_indexscan = off",
    "enable_bitmapscan = off",
    "enable_hashagg = off",
    "enable_material = off",
    "enable_memoize = off",
    "enable_partitionwise_join = on",
    "constraint_exclusion = on",
    "join_collapse_limit = 1",
    "from_collapse_limit = 1",
    "geqo_threshold = 2",
];

const PARALLEL: &str = "parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; \
    SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL min_parallel_index_scan_size = 0";

/// What one round trip runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub setup: Vec<String>,
    /// Statements for one transaction, which is taken back.
    pub run: String,
    /// Whether the order of rows counts.
    pub is_ordered: bool,
    /// Whether nobody is signed in, in a session that has not loaded the library yet.
    pub is_nobody: bool,
}

pub fn setup(choices: Choices, major: u32) -> (Vec<String>, Vec<usize>) {
    let mut maker = Maker::new(choices, major);
    let setup = maker.setup();
    (setup, maker.choices.made())
}

/// What runs on a setup.
pub fn run(setup: &[String], choices: Choices, major: u32) -> (Case, Vec<usize>) {
    let mut maker = Maker::new(choices, major);
    let is_nobody = maker.choices.happens(4);
    let mut settings = String::new();
    for _ in 0..maker.choices.below(4) {
        let setting = maker.choices.pick(&SETTINGS);
        settings += &format!("SET LOCAL {setting};\n");
    }
    if maker.choices.happens(15) {
        settings += &format!("SET LOCAL {PARALLEL};\n");
    }
    let (sql, is_ordered, writes) = if maker.choices.happens(35) {
        (maker.write(), false, true)
    } else {
        let select = maker.select();
        (select.sql, select.is_ordered, false)
    };
    let statements = match maker.choices.below(8) {
        1 if !writes => {
            // Which three rows come first is up to the plan otherwise.
            let ordered = if is_ordered {
                sql
            } else {
                format!("SELECT * FROM ({sql}) AS q ORDER BY q::text")
            };
            format!("DECLARE c CURSOR FOR {ordered};\nFETCH 3 FROM c;\nFETCH ALL FROM c")
        }
        2 => format!(
            "SET LOCAL plan_cache_mode = force_generic_plan;\nPREPARE p AS {sql};\nEXECUTE p;\nDEALLOCATE p"
        ),
        3 => format!(
            "SET LOCAL plan_cache_mode = force_custom_plan;\nPREPARE p AS {sql};\nEXECUTE p;\nDEALLOCATE p"
        ),
        4 if !writes => format!(
            "PREPARE p(text) AS SELECT * FROM ({sql}) AS q WHERE $1 IS NOT NULL AND ⟦auth.claim⟧($1) IS NOT NULL;\nEXECUTE p('sub');\nEXECUTE p('nothing');\nDEALLOCATE p"
        ),
        5 if !writes => {
            format!("SELECT oracle.in_function($q$SELECT q::text FROM ({sql}) AS q$q$)")
        }
        _ => sql,
    };
    // A cursor with FOR UPDATE or a query in FROM with it is not what this is about.
    let after = if writes {
        ";\nSELECT oracle.state()"
    } else {
        ""
    };
    let case = Case {
        setup: setup.to_vec(),
        run: format!("{settings}{statements}{after}"),
        is_ordered,
        is_nobody,
    };
    (case, maker.choices.made())
}

impl Case {
    /// As a file of `cases/` has it.
    pub fn to_text(&self) -> String {
        let flag = |is: bool, word: &'static str| if is { word } else { "" };
        format!(
            "--{}{}\n{};\n--\n{}\n",
            flag(self.is_ordered, " ordered"),
            flag(self.is_nobody, " nobody"),
            self.setup.join(";\n"),
            self.run
        )
    }

    pub fn from_text(text: &str) -> Self {
        let (flags, rest) = text.split_once('\n').expect("a case has lines");
        let (setup, run) = rest.split_once("\n--\n").expect("a case has two parts");
        Self {
            setup: vec![setup.trim_end().trim_end_matches(';').to_owned()],
            run: run.trim_end().to_owned(),
            is_ordered: flags.contains(" ordered"),
            is_nobody: flags.contains(" nobody"),
        }
    }
}
