//! Bodies that arrive oddly, and documents too big to build in memory.

use std::convert::Infallible;
use std::io;
use std::iter;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header;
use axum::http::response::Parts;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::yield_now;
use tokio::time::sleep;

/// The longest document that `padded` and `many_keys` make.
const MAX_BYTES: u64 = 4 << 30;
const MAX_KEYS: u32 = 1_000_000;

/// How much of a document is in memory at a time.
const CHUNK: usize = 64 << 10;
static BLANK: [u8; CHUNK] = [b' '; CHUNK];

/// The longest regular body that is taken apart.
pub const MAX_REGULAR: usize = 64 << 20;

/// Answers all headers, half of the body, and then closes the connection.
pub async fn truncated(answer: Response) -> Response {
    split(answer, |body| {
        let half = body.slice(..body.len() / 2);
        let cut = stream::once(async {
            // What has been written goes out whenever a body has to wait.
            yield_now().await;
            Err(io::Error::from(io::ErrorKind::ConnectionAborted))
        });
        Body::from_stream(stream::once(async { Ok(half) }).chain(cut))
    })
    .await
}

/// Answers the body a byte at a time.
pub async fn trickled(answer: Response, interval: Duration) -> Response {
    split(answer, |body| {
        Body::from_stream(stream::unfold(body, move |mut rest| async move {
            if rest.is_empty() {
                return None;
            }
            sleep(interval).await;
            let byte = rest.split_to(1);
            Some((Ok::<_, Infallible>(byte), rest))
        }))
    })
    .await
}

/// Answers the first half of the body as if it were all.
pub async fn halved(mut answer: Response) -> Response {
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    let (parts, body) = take_apart(answer).await;
    Response::from_parts(parts, Body::from(body.slice(..body.len() / 2)))
}

/// Answers a list as if its next page had this cursor.
pub async fn leading_to(mut answer: Response, cursor: &str) -> Response {
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    let (parts, body) = take_apart(answer).await;
    let mut list: Value = serde_json::from_slice(&body).unwrap_or_default();
    list["is_paginated"] = true.into();
    list["pagination"] = json!({ "next_cursor": cursor });
    Response::from_parts(parts, Body::from(list.to_string()))
}

/// Replaces how a body is sent, under its true length.
async fn split(answer: Response, send: impl FnOnce(Bytes) -> Body) -> Response {
    let (mut parts, body) = take_apart(answer).await;
    parts
        .headers
        .insert(header::CONTENT_LENGTH, body.len().into());
    Response::from_parts(parts, send(body))
}

/// An answer's head and its body.
pub async fn take_apart(answer: Response) -> (Parts, Bytes) {
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, MAX_REGULAR).await.unwrap_or_default();
    (parts, body)
}

/// A key set of `key` and `count` more keys, alike but for their ids.
pub fn many_keys(key: Value, count: u32) -> Body {
    let first = Bytes::from(format!(r#"{{"keys":[{key}"#));
    let more = (0..count.min(MAX_KEYS)).map(move |number| {
        let mut another = key.clone();
        another["kid"] = format!("many-{number:07}").into();
        Bytes::from(format!(",{another}"))
    });
    stream_of(iter::once(first).chain(more).chain([Bytes::from("]}")]))
}

/// A key set of `key` that is `bytes` long.
pub fn padded(key: Value, bytes: u64) -> Body {
    let start = Bytes::from(r#"{"keys":["#);
    let end = Bytes::from(format!("{key}]}}"));
    let blanks = bytes
        .min(MAX_BYTES)
        .saturating_sub((start.len() + end.len()) as u64);
    let whole = blanks / CHUNK as u64;
    let rest = (blanks % CHUNK as u64) as usize;
    let chunks = (0..whole)
        .map(|_| Bytes::from_static(&BLANK))
        .chain([Bytes::from_static(&BLANK[..rest])]);
    stream_of(iter::once(start).chain(chunks).chain([end]))
}

/// A body that is made as it is read.
pub fn stream_of(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(stream::iter(chunks.map(Ok::<_, Infallible>)))
}
