//! Serves connections: bounded in number, headers within a deadline, ended in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take after the stop.
const GRACE: Duration = Duration::from_secs(8);

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most at once; more wait to be accepted.
    pub connections: usize,
    /// How long the headers of a request may take; also how long an idle connection is kept.
    pub headers: Duration,
}

/// Serves until `stop`; then lets requests under way end.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(bounds.connections));
    let graceful = GracefulShutdown::new();
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(bounds.headers);
    loop {
        let accepting = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepting => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(problem) => {
                // Out of file descriptors, for one: those open will end.
                tracing::warn!(error = %problem, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Small frames are what chat is made of.
        if let Err(problem) = stream.set_nodelay(true) {
            tracing::debug!(error = %problem, "a connection stays with Nagle's algorithm");
        }
        let (routes, server, watcher) = (router.clone(), server.clone(), graceful.watcher());
        let stop = stop.clone();
        tokio::spawn(async move {
            let _permit = permit;
            // The header deadline of the server begins with the first byte: one that never comes has its own.
            let mut first = [0];
            let spoke = tokio::select! {
                () = stop.cancelled() => false,
                peeked = tokio::time::timeout(bounds.headers, stream.peek(&mut first)) => matches!(peeked, Ok(Ok(1))),
            };
            if !spoke {
                return;
            }
            let service = TowerToHyperService::new(tower::service_fn(move |request: hyper::Request<_>| {
                let mut request = request.map(axum::body::Body::new);
                request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer));
                tower::ServiceExt::oneshot(routes.clone(), request)
            }));
            let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
            if let Err(problem) = watcher.watch(connection).await {
                tracing::debug!(error = %problem, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way at the end");
    }
}
