//! A key server that speaks TLS, with a certificate authority of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Serves one JWKS, whatever is asked, at `https://localhost`, until the tests end.
pub struct TlsKeyServer {
    port: u16,
    authority: PathBuf,
}

impl TlsKeyServer {
    pub fn start(jwks: String) -> Self {
        let mut params = CertificateParams::new([]).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key can be made");
        let authority =
            CertifiedIssuer::self_signed(params, authority_key).expect("an authority can be made");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = CertificateParams::new(["localhost".to_owned()])
            .and_then(|params| params.signed_by(&key, &authority))
            .expect("a certificate can be made");
        let config = ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .expect("the certificate is of its key");

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let path = std::env::temp_dir().join(format!("neon_auth.{port}.pem"));
        fs::write(&path, authority.pem()).expect("the authority can be written down");
        let config = Arc::new(config);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that does not trust us breaks off, which is no failure of ours.
                let _ = answer(connection, Arc::clone(&config), &jwks);
            }
        });
        Self {
            port,
            authority: path,
        }
    }

    /// The URL of the keys at one of the server's names; its certificate is for `localhost`.
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/jwks.json", self.port)
    }

    /// The PEM file of the authority that signed the certificate.
    pub fn authority(&self) -> &Path {
        &self.authority
    }
}

impl Drop for TlsKeyServer {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.authority);
    }
}

fn answer(connection: TcpStream, config: Arc<ServerConfig>, jwks: &str) -> std::io::Result<()> {
    let session = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(session, connection));
    let mut line = String::new();
    while stream.read_line(&mut line)? > 2 {
        line.clear();
    }
    let stream = stream.get_mut();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{jwks}",
        jwks.len()
    )?;
    stream.conn.send_close_notify();
    stream.flush()
}
