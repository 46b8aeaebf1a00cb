//! The server itself: connections with a limit and deadlines, TLS if wanted, and a graceful end.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{Peer, Tls};

/// How long a client may take to send a request's head, also the first one and those after a pause.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// How long to wait when no connection could be accepted, as when there are no file handles left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop`, and then until every request that has begun is answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    tls: Option<Tls>,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(connections_max));
    // Connections beyond the limit wait in the listener's own queue.
    while let Some(Ok(permit)) = stop.run_until_cancelled(Arc::clone(&permits).acquire_owned()).await {
        let (stream, peer) = match stop.run_until_cancelled(listener.accept()).await {
            None => break,
            Some(Ok(accepted)) => accepted,
            Some(Err(error)) => {
                accept_failed(&error).await;
                continue;
            }
        };
        let (router, tls, stop) = (router.clone(), tls.as_ref().map(Tls::acceptor), stop.clone());
        connections.spawn(async move {
            let _permit = permit;
            connection(stream, peer, router, tls, stop).await;
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept_failed(error: &io::Error) {
    let is_the_clients = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !is_the_clients {
        tracing::warn!(%error, "no connection accepted");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) {
    // Answers are small and somebody waits for them.
    stream.set_nodelay(true).unwrap_or_default();
    let Some(tls) = tls else { return requests(stream, peer, router, stop).await };
    let handshake = tokio::time::timeout(HANDSHAKE_WAIT, tls.accept(stream));
    match stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => requests(stream, peer, router, stop).await,
        Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "no TLS"),
        Some(Err(_)) => tracing::debug!(%peer, "the TLS handshake took too long"),
        None => {}
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let request: Request = request.map(axum::body::Body::new);
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended");
    }
}
