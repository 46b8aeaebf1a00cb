//! A gate before an emulator that refuses some calls as AWS does, because no emulator does it.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Emulator;

/// The largest request that is let through.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// A gate; it closes with this.
#[derive(Debug)]
pub struct Gate {
    /// Where it listens.
    pub url: String,
    _open: DropGuard,
}

/// Lets everything through to `emulator` but what is signed for `scope`, such as `/us-east-1/bedrock/`, which is refused
/// with `AccessDeniedException`.
///
/// # Panics
/// When it cannot listen.
#[expect(clippy::unwrap_used, reason = "a test that lacks its gate must fail")]
pub async fn gate(emulator: &Emulator, scope: &str) -> Gate {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (behind, scope) = (emulator.url.trim_start_matches("http://").to_owned(), scope.to_owned());
    let open = CancellationToken::new();
    let closed = open.clone();
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Some(Ok((client, _))) = closed.run_until_cancelled(listener.accept()).await {
            let (behind, scope) = (behind.clone(), scope.clone());
            connections.spawn(async move { pass(client, &behind, &scope).await });
        }
    });
    Gate { url, _open: open.drop_guard() }
}

/// One request of a connection.
async fn pass(mut client: TcpStream, behind: &str, scope: &str) -> io::Result<()> {
    let request = read(&mut client).await?;
    let head = String::from_utf8_lossy(&request).into_owned();
    if head.contains(scope) {
        let body = r#"{"message":"User is not authorized to perform this action"}"#;
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: AccessDeniedException\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        return client.write_all(answer.as_bytes()).await;
    }
    let mut server = TcpStream::connect(behind).await?;
    server.write_all(&request).await?;
    let mut answer = vec![0; 16_384];
    loop {
        let read = server.read(&mut answer).await?;
        let Some(part) = answer.get(..read).filter(|part| !part.is_empty()) else { return Ok(()) };
        client.write_all(part).await?;
    }
}

/// A whole request, which then asks for the connection to be closed.
async fn read(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut part = vec![0; 16_384];
    loop {
        let read = client.read(&mut part).await?;
        request.extend_from_slice(part.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lengths = head.lines().filter_map(|line| line.split_once(':'));
            let length = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length: usize = length.filter_map(|(_, value)| value.trim().parse().ok()).next().unwrap_or(0);
            if body.len() >= length {
                return Ok(format!("{head}\r\nconnection: close\r\n\r\n{body}").into_bytes());
            }
        }
        if read == 0 || request.len() > REQUEST_BYTES_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
