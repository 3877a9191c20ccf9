//! Whom the client believes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rescind_core::budget::Cost;
use rescind_core::config::HttpSettings;
use rescind_core::context::Context;
use rescind_core::error::Retry;
use rescind_http::{HttpClient, Request, Url};
use rescind_testkit::FreePort;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Serves one connection with a certificate for `localhost` that nobody has signed, and answers 200.
fn serve_once() -> u16 {
    let certificate = CertificateDer::from_pem_file(fixture("localhost.pem")).expect("PEM");
    let key = PrivateKeyDer::from_pem_file(fixture("localhost.key")).expect("PEM");
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).expect("a connection");
        let mut stream = rustls::Stream::new(&mut tls, &mut socket);
        let mut request = [0; 1024];
        if stream.read(&mut request).is_ok() {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

async fn get(host: &str, settings: &HttpSettings) -> Result<u16, rescind_core::error::Error> {
    let url = Url::parse(&format!("https://{host}:{}/", serve_once())).expect("a URL");
    let http = HttpClient::new(settings).expect("a client");
    let cx = Context::new(Arc::new(FreePort));
    let answer = http
        .send(&cx, Cost::NOTHING, Request::post("write", url))
        .await?;
    Ok(answer.status.as_u16())
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_stops_the_lane() {
    let error = get("localhost", &HttpSettings::default())
        .await
        .expect_err("an unknown issuer");
    assert!(error.is_lane_fault(), "{error:?}");
    assert_eq!(error.retry(), Retry::Never);
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_configured_root_is_believed_for_its_own_name_only() {
    let settings = HttpSettings {
        ca_file: Some(fixture("localhost.pem")),
        ..HttpSettings::default()
    };
    assert_eq!(get("localhost", &settings).await.expect("trusted"), 200);
    let error = get("127.0.0.1", &settings).await.expect_err("another name");
    assert!(error.is_lane_fault(), "{error:?}");
}
