//! An HTTP client that shows what really arrives on the socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use neon_auth_stack::{Options, Simulator};
use serde_json::Value;
use uuid::Uuid;

/// A server like any other.
pub fn start() -> Simulator {
    Simulator::start(Options::default()).unwrap()
}

/// The id of a user or a team.
pub fn id(object: &Value) -> Uuid {
    object["id"].as_str().unwrap().parse().unwrap()
}

/// An answer, read to the end of its connection.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value; its name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A request that has been sent, and whose answer is still to be read.
pub fn send(
    base_url: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TcpStream {
    let host = base_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Reads an answer to its end; a body of unknown length is read as chunks.
pub fn receive(stream: TcpStream) -> io::Result<Answer> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer {
        status,
        head,
        body: Vec::new(),
    };
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim_end(), 16).unwrap();
            (&mut reader).take(size).read_to_end(&mut answer.body)?;
            reader.read_line(&mut String::new())?;
            if size == 0 {
                return Ok(answer);
            }
        }
    }
    reader.read_to_end(&mut answer.body)?;
    Ok(answer)
}

pub fn request(
    base_url: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    receive(send(base_url, method, path, headers, body)).unwrap()
}

/// A request with a JSON body that steers the simulator.
pub fn steer(stack: &Simulator, method: &str, path: &str, body: Value) -> Answer {
    request(stack.base_url(), method, path, &[], &body.to_string())
}

/// A request that carries the project's secret server key.
pub fn server_get(stack: &Simulator, path: &str) -> Answer {
    let credentials = stack.credentials();
    let headers = [
        ("x-stack-access-type", "server"),
        ("x-stack-project-id", &credentials.project_id),
        ("x-stack-secret-server-key", &credentials.secret_server_key),
    ];
    request(stack.base_url(), "GET", path, &headers, "")
}

/// The items of a list.
pub fn items(stack: &Simulator, path: &str) -> Vec<Value> {
    let answer = server_get(stack, path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["items"].as_array().unwrap().clone()
}

/// A page of users: their ids and the next page's cursor.
pub fn page(stack: &Simulator, limit: usize, cursor: Option<&str>) -> (Vec<Uuid>, Option<String>) {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}"));
    let path = format!("/api/v1/users?limit={limit}{}", cursor.unwrap_or_default());
    let page = server_get(stack, &path).json();
    let users = page["items"].as_array().unwrap();
    let next = page["pagination"]["next_cursor"].as_str();
    (users.iter().map(id).collect(), next.map(str::to_owned))
}

/// The path of the project's key set.
pub fn jwks_path(stack: &Simulator) -> String {
    let url = stack.credentials().jwks_url("");
    format!("{url}?include_anonymous=true")
}

pub fn get_jwks(stack: &Simulator) -> Answer {
    request(stack.base_url(), "GET", &jwks_path(stack), &[], "")
}
