//! Dumps, and what restores them.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::database::Database;
use crate::server::Server;

/// A dump in a file, which is removed with this.
pub struct Dump(PathBuf);

impl Dump {
    #[track_caller]
    pub fn of(database: &Database) -> Self {
        let dump = Self(env::temp_dir().join(format!("{}.dump", database.name())));
        let arguments = ["--format=custom", "--file", dump.path(), database.name()];
        run_program("pg_dump", &arguments).expect("the database can be dumped");
        dump
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("temporary files have plain names")
    }

    /// What `pg_restore --list` prints.
    #[track_caller]
    pub fn contents(&self) -> String {
        run_program("pg_restore", &["--list", self.path()]).expect("a dump has contents")
    }

    /// Restores it into a new database, by a call of pg_restore for each of these lists of options;
    /// an error says what pg_restore reports.
    pub fn restore(&self, calls: &[&[&str]]) -> Result<Database, String> {
        let copy = Database::empty_in(Server::shared());
        self.restore_into(&copy, calls)?;
        Ok(copy)
    }

    /// The same, into a database that exists.
    pub fn restore_into(&self, database: &Database, calls: &[&[&str]]) -> Result<(), String> {
        for options in calls {
            let target = ["--exit-on-error", "--dbname", database.name()];
            run_program("pg_restore", &[&target, *options, &[self.path()]].concat())?;
        }
        Ok(())
    }

    /// The same, only the entries that are accepted, in the order in which they are listed.
    pub fn restore_entries(
        &self,
        database: &Database,
        is_accepted: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let list = env::temp_dir().join(format!("{}.list", database.name()));
        let contents = self.contents();
        let entries: Vec<&str> = contents.lines().filter(|line| is_accepted(line)).collect();
        fs::write(&list, entries.join("\n")).expect("a file can be written");
        let path = list.to_str().expect("temporary files have plain names");
        let outcome = self.restore_into(database, &[&["--use-list", path]]);
        let _ = fs::remove_file(&list);
        outcome
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What a program prints; an error is what it prints about its failure.
pub fn run_program(program: &str, arguments: &[impl AsRef<OsStr>]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("PostgreSQL's programs are in PATH");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
