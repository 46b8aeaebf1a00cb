//! One object as a stream: fetched while it is read, with little of it in memory.

use std::io::{self, Read};

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::buckets::Buckets;
use crate::failure::Failure;

/// Parts of an object that were fetched and not read yet.
const PARTS_MAX: usize = 8;

/// Asks for an object.
pub(super) async fn get(
    buckets: &Buckets,
    bucket: &str,
    key: &str,
    region: Option<&str>,
) -> Result<GetObjectOutput, Failure> {
    buckets.call(bucket, region, |client| client.get_object().bucket(bucket).key(key).send()).await
}

/// What comes of a body, for a thread that may block. `Err` in the end where the connection broke.
#[derive(Debug)]
pub(super) struct Parts {
    parts: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// A body as something that can be read, and the work that fetches it, which ends early when nobody reads on. Its value
/// is what broke, if something did.
pub(super) fn streamed(output: GetObjectOutput) -> (Parts, impl Future<Output = Option<String>>) {
    let (sender, parts) = mpsc::channel(PARTS_MAX);
    let mut body = output.body;
    let fetch = async move {
        loop {
            match body.next().await {
                Some(Ok(part)) => {
                    if sender.send(Ok(part)).await.is_err() {
                        return None;
                    }
                }
                Some(Err(error)) => {
                    let reason = error.to_string();
                    // Whoever read may have gone away.
                    drop(sender.send(Err(io::Error::other(reason.clone()))).await);
                    return Some(reason);
                }
                None => return None,
            }
        }
    };
    (Parts { parts, current: Bytes::new() }, fetch)
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.parts.blocking_recv() {
                Some(part) => self.current = part?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        let Some(target) = buffer.get_mut(..length) else { return Ok(0) };
        self.current.copy_to_slice(target);
        Ok(length)
    }
}
