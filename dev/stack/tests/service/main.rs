//! The simulator, seen through its sockets, its library and its command line.

mod ages;
mod client;
mod console;
mod control;
mod faults;
mod holds;
mod key_server;
mod lists_of_users;
mod members;
mod population;
mod rest;
mod sign_up;
mod tokens;
mod webhooks;
