//! A database with the extension, for one test alone.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::Config;

use crate::server::Server;
use crate::session::Session;
use crate::template::{fill, template};

/// A database with the extension, the role `app` that applications log in as, and a table
/// `notes`; dropped with this.
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    /// Creates a database in the server that `dev/cluster` has started.
    pub fn create() -> Self {
        Self::create_in(Server::shared())
    }

    /// Creates a database in a server. That of `dev/cluster` has a template; in a server of a
    /// test's own, where background workers may have to hear of it, the extension is created.
    pub fn create_in(server: Server) -> Self {
        if server.is_shared() {
            let template = template(&server);
            return Self::copy_of(template, server);
        }
        let database = Self::empty_in(server);
        fill(&mut database.superuser());
        database
    }

    /// A database without the extension, for a dump to be restored into.
    pub fn empty_in(server: Server) -> Self {
        Self::copy_of("template0", server)
    }

    /// A copy, as `CREATE DATABASE … TEMPLATE` makes it. Nobody may be connected to this one.
    pub fn copy(&self) -> Self {
        Self::copy_of(&self.name, Server::shared())
    }

    fn copy_of(template: &str, server: Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("connections_{}_{number}", process::id());
        let mut maker = Session::open(&server.config("postgres", "postgres"));
        maker.run(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Self { server, name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives a setting to every session to come, background workers included.
    pub fn set(&self, setting: &str, value: &str) {
        self.superuser().run(&format!(
            "ALTER DATABASE {} SET {setting} = '{value}'",
            self.name
        ));
    }

    /// How to connect as a role.
    pub fn config(&self, role: &str) -> Config {
        self.server.config(role, &self.name)
    }

    /// A superuser's connection to another database of the same server.
    #[track_caller]
    pub fn administrator(&self) -> Session {
        Session::open(&self.server.config("postgres", "postgres"))
    }

    #[track_caller]
    pub fn superuser(&self) -> Session {
        Session::open(&self.config("postgres"))
    }

    /// A connection as an application makes it: a role without any privilege of note.
    #[track_caller]
    pub fn app(&self) -> Session {
        Session::open(&self.config("app"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The whole server is thrown away in the end: a failure here is no test's matter.
        let config = self.server.config("postgres", "postgres");
        if let Ok(mut client) = config.connect(postgres::NoTls) {
            let _ = client.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}
