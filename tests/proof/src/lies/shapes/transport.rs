//! Answers that break off, drip, flood, or are no HTTP.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::wire::Said;
use super::Behind::{self, Doubt};
use super::{Sent, Tell, whole};

/// How much a bomb holds once it is unpacked.
const BOMB: usize = 1 << 30;

/// Told to every connector.
pub(super) const BOTH: &[(&str, Behind, Tell)] = &[
    ("reset before the answer", Doubt, |_, _| {
        Sent::ThenReset(Vec::new())
    }),
    ("closed before the answer", Doubt, |_, _| {
        Sent::Whole(Vec::new())
    }),
    ("reset in the status line", Doubt, |_, _| {
        Sent::ThenReset(b"HTTP/1.1 20".to_vec())
    }),
    ("closed in the headers", Doubt, |_, honest| {
        Sent::Whole(honest.head().into_bytes())
    }),
    ("reset after the headers", Doubt, |_, honest| {
        Sent::ThenReset(format!("{}content-length: 40\r\n\r\n", honest.head()).into_bytes())
    }),
    ("closed in the body", Doubt, |_, honest| {
        let mut bytes = format!("{}content-length: 400\r\n\r\n", honest.head()).into_bytes();
        bytes.extend(b"{\"value\":true}");
        Sent::Whole(bytes)
    }),
    ("a length that is no number", Doubt, |_, honest| {
        Sent::Whole(
            format!(
                "{}content-length: -1\r\n\r\n{{\"value\":true}}",
                honest.head()
            )
            .into_bytes(),
        )
    }),
    ("two lengths", Doubt, |_, honest| {
        let head = honest.head();
        Sent::Whole(
            format!("{head}content-length: 14\r\ncontent-length: 2\r\n\r\n{{\"value\":true}}")
                .into_bytes(),
        )
    }),
    ("pieces, cut", Doubt, |_, honest| {
        Sent::Whole(
            format!(
                "{}transfer-encoding: chunked\r\n\r\nff\r\n{{\"value\":true}}",
                honest.head()
            )
            .into_bytes(),
        )
    }),
    ("pieces of no size", Doubt, |_, honest| {
        Sent::Whole(
            format!(
                "{}transfer-encoding: chunked\r\n\r\nzz\r\n{{\"value\":true}}\r\n0\r\n\r\n",
                honest.head()
            )
            .into_bytes(),
        )
    }),
    ("compressed, cut", Doubt, |_, honest| {
        let mut packed = gzip(b"{\"value\":true}");
        packed.truncate(packed.len() / 2);
        whole(
            &Said {
                body: packed,
                ..honest
            }
            .with("content-encoding", "gzip"),
        )
    }),
    ("said to be compressed", Doubt, |_, _| {
        whole(&Said::json("{\"value\":true}").with("content-encoding", "gzip"))
    }),
    ("compressed in a way nobody asked for", Doubt, |_, _| {
        whole(&Said::json("\u{1}\u{2}not brotli").with("content-encoding", "br"))
    }),
    ("a gzip bomb", Doubt, |_, honest| {
        whole(
            &Said {
                body: bomb(),
                ..honest
            }
            .with("content-encoding", "gzip"),
        )
    }),
    ("a megabyte of headers", Doubt, |_, honest| {
        whole(&honest.with("x-padding", &"a".repeat(1 << 20)))
    }),
    ("ten thousand headers", Doubt, |_, mut honest| {
        honest
            .headers
            .extend((0..10_000).map(|n| (format!("x-{n}"), n.to_string())));
        whole(&honest)
    }),
    ("a header with a NUL", Doubt, |_, honest| {
        whole(&honest.with("x-odd", "a\0b"))
    }),
    ("a status that is no number", Doubt, |_, honest| {
        whole(&Said {
            status: "twohundred OK".into(),
            ..honest
        })
    }),
    ("no HTTP at all", Doubt, |_, _| {
        Sent::Whole(b"220 mail.example.com ESMTP\r\n".to_vec())
    }),
    ("the first HTTP, body only", Doubt, |_, _| {
        Sent::Whole(b"{\"value\":true}".to_vec())
    }),
    ("a TLS alert", Doubt, |_, _| {
        Sent::Whole(vec![0x15, 3, 1, 0, 2, 2, 40])
    }),
    ("HTTP/2 settings", Doubt, |_, _| {
        Sent::Whole(vec![0, 0, 0, 4, 0, 0, 0, 0, 0])
    }),
    ("only 100 Continue", Doubt, |_, _| {
        Sent::Whole(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())
    }),
    ("an upgrade nobody asked for", Doubt, |_, _| {
        Sent::Whole(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"
                .to_vec(),
        )
    }),
];

/// Told to every connector; only a limit of its own ends the call.
pub(super) const SLOW: &[(&str, Behind, Tell)] = &[
    ("silence", Doubt, |_, _| Sent::ThenSilence(Vec::new())),
    ("silence after the headers", Doubt, |_, honest| {
        Sent::ThenSilence(format!("{}content-length: 14\r\n\r\n", honest.head()).into_bytes())
    }),
    ("one byte a second", Doubt, |_, honest| {
        let head = format!("{}content-length: 4000\r\n\r\n", honest.head());
        Sent::Drip(head.into_bytes(), vec![b' '; 4000])
    }),
    ("two gigabytes", Doubt, |_, honest| {
        Sent::Flood(format!("{}content-length: 2147483648\r\n\r\n", honest.head()).into_bytes())
    }),
    ("two gigabytes without a length", Doubt, |_, honest| {
        Sent::Flood(format!("{}\r\n", honest.head()).into_bytes())
    }),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let piece = vec![b' '; 1 << 20];
    for _ in 0..BOMB >> 20 {
        let _ = encoder.write_all(&piece);
    }
    encoder.finish().unwrap_or_default()
}
