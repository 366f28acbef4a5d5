//! `stack`: the simulator and its tokens on the command line.

mod cli;

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use neon_auth_stack::Simulator;

use cli::{Cli, Command};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stack: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> io::Result<()> {
    match command {
        Command::Serve(serve) => {
            let until_eof = serve.until_eof;
            let simulator = Simulator::start(serve.options())?;
            print(simulator.base_url())?;
            if until_eof {
                io::copy(&mut io::stdin(), &mut io::sink())?;
                return Ok(());
            }
            loop {
                thread::park();
            }
        }
        Command::Jwks(jwks) => print(&jwks.document().to_string()),
        Command::Token(token) => print(&token.sign()),
        Command::Keys(keys) => print(&keys.document().to_string()),
        Command::Credentials(project) => print(&serde_json::to_string(&project.credentials())?),
        Command::Webhook(webhook) => match webhook.delivery() {
            Some(delivery) => print(&serde_json::to_string(&delivery)?),
            None => Err(io::Error::other("the secret is not base64")),
        },
        Command::Issuer(issuer) => print(&issuer.print().map_err(io::Error::other)?),
    }
}

/// Prints a line at once, so that a reader of a pipe sees it.
fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
