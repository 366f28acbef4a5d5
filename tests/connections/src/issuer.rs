//! An issuer other than Stack Auth: a small web server that serves what a test puts there.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use neon_auth_stack::issuer::Shape;
use serde_json::{Value, json};

/// Documents by path, and the paths that were asked for.
#[derive(Default)]
struct Served {
    documents: HashMap<String, String>,
    asked: Vec<String>,
}

/// A server on a port of its own, whose URL is the issuer.
pub struct Issuer {
    pub url: String,
    served: Arc<Mutex<Served>>,
}

impl Issuer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let served = Arc::new(Mutex::new(Served::default()));
        let serving = Arc::clone(&served);
        // It serves for as long as the process of the test lives.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &serving);
            }
        });
        Self {
            url: format!("http://{address}"),
            served,
        }
    }

    /// Puts a document there, or replaces it.
    pub fn serve(&self, path: &str, document: &Value) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served
            .documents
            .insert(path.to_owned(), document.to_string());
    }

    /// Takes a document away.
    pub fn withdraw(&self, path: &str) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.documents.remove(path);
    }

    /// Serves a discovery document that names a URL.
    pub fn discover(&self, jwks_uri: &str) {
        let document = json!({ "issuer": self.url, "jwks_uri": jwks_uri });
        self.serve("/.well-known/openid-configuration", &document);
    }

    /// How often a path has been asked for.
    pub fn requests(&self, path: &str) -> usize {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.asked.iter().filter(|asked| *asked == path).count()
    }

    /// The key that signs with an algorithm, under a name or none.
    pub fn jwk(&self, alg: &str, kid: Option<&str>) -> Value {
        let jwks = self.shape(alg, kid).jwks().expect("there is a key");
        jwks["keys"][0].clone()
    }

    /// A token of that key.
    pub fn token(&self, alg: &str, kid: Option<&str>) -> String {
        self.shape(alg, kid).token().expect("there is a key")
    }

    fn shape(&self, alg: &str, kid: Option<&str>) -> Shape {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let mut header = json!({ "alg": alg });
        let mut key = match alg {
            "RS256" => json!({"kty": "RSA", "n": "…", "e": "…"}),
            "ES256" => json!({"kty": "EC", "crv": "P-256", "x": "…", "y": "…"}),
            "ES384" => json!({"kty": "EC", "crv": "P-384", "x": "…", "y": "…"}),
            "ML-DSA-44" => json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "…"}),
            _ => json!({"kty": "OKP", "crv": "Ed25519", "x": "…"}),
        };
        if let Some(kid) = kid {
            header["kid"] = kid.into();
            key["kid"] = kid.into();
        }
        let claims =
            json!({"iss": self.url, "sub": "alice", "aud": "app", "iat": now, "exp": now + 600});
        let shape = json!({ "header": header, "claims": claims, "keys": [key] });
        serde_json::from_value(shape).expect("it is a shape")
    }
}

/// Reads one request and answers it.
fn answer(mut stream: TcpStream, served: &Mutex<Served>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = {
        let mut served = served.lock().unwrap_or_else(PoisonError::into_inner);
        served.asked.push(path.clone());
        served.documents.get(&path).cloned()
    };
    let (status, body) = match body {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
