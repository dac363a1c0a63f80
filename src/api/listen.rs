//! Lets connections in: few at once from one address, with a deadline for the head of a request,
//! and closed so that the last answer arrives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::limits::{Overrun, Peer};
use super::unread;
use crate::clock::{Clock as _, Sleep, SystemClock};
use crate::config::Server;

/// What is read of a head at most. Well above our own limits, so that nearly all who break these
/// are answered with a problem; hyper itself answers the rest with a bare status.
const HEAD_ROOM: usize = 256 * 1024;
const HEADER_ROOM: usize = 1_000;
/// How long somebody who has too many connections may take for his request.
const REFUSED_PATIENCE: Duration = Duration::from_secs(2);
/// How many are told at once that they have too many connections; others are just cut off.
const MOST_REFUSALS: usize = 64;
/// How long a closed connection is still read.
const LINGER: Duration = Duration::from_secs(2);

/// Answers requests until told to stop; then finishes those under way.
pub async fn serve(
    mut listener: TcpListener,
    router: Router,
    settings: Server,
    stopping: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let house = Arc::new(House::new(settings));
    loop {
        // This `accept` waits a moment by itself when there are no more file descriptors.
        let (stream, from) = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        // An answer of a few bytes must not wait for more to fill a packet.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no-delay was refused");
        }
        let Some(seat) = house.admit(from.ip().to_canonical()) else { continue };
        let overrun = seat.overrun();
        let (router, guest) = (router.clone(), seat.address);
        let proxies = house.clone();
        let answer = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let peer = Peer::of(guest, &proxies.settings.proxies, request.headers());
            request.extensions_mut().insert(peer);
            if overrun {
                request.extensions_mut().insert(Overrun);
            }
            let (request, ended) = unread::watch(request);
            let answer = router.clone().call(request);
            async move { answer.await.map(|answer| ended.or_close(answer)) }
        });
        let io = TokioIo::new(Lingering::new(stream));
        let connection = house.protocol(overrun).serve_connection(io, answer);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
            drop(seat);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// Who is inside.
struct House {
    settings: Server,
    guests: Mutex<HashMap<IpAddr, usize>>,
    refusals: Arc<Semaphore>,
}

impl House {
    fn new(settings: Server) -> Self {
        let refusals = Arc::new(Semaphore::new(MOST_REFUSALS));
        Self { settings, guests: Mutex::default(), refusals }
    }

    /// A place for a connection from an address; `None` when it is not even worth a refusal.
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let most = self.settings.connections_per_address;
        if most == 0 || self.settings.proxies.contains(&address) {
            return Some(Seat { address, kind: SeatKind::Uncounted });
        }
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = guests.entry(address).or_default();
        if *count < most {
            *count += 1;
            return Some(Seat { address, kind: SeatKind::Counted(self.clone()) });
        }
        drop(guests);
        let turn = self.refusals.clone().try_acquire_owned().ok()?;
        Some(Seat { address, kind: SeatKind::Refused(turn) })
    }

    fn protocol(&self, overrun: bool) -> http1::Builder {
        let patience = self.settings.header_timeout;
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(if overrun { patience.min(REFUSED_PATIENCE) } else { patience })
            .max_headers(HEADER_ROOM)
            .max_buf_size(HEAD_ROOM)
            .keep_alive(!overrun);
        builder
    }
}

/// A place that is given back when it is dropped.
struct Seat {
    address: IpAddr,
    kind: SeatKind,
}

enum SeatKind {
    Uncounted,
    Counted(Arc<House>),
    #[expect(dead_code, reason = "holds its turn until it is dropped")]
    Refused(tokio::sync::OwnedSemaphorePermit),
}

impl Seat {
    fn overrun(&self) -> bool {
        match self.kind {
            SeatKind::Uncounted | SeatKind::Counted(_) => false,
            SeatKind::Refused(_) => true,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let SeatKind::Counted(house) = &self.kind else { return };
        let mut guests = house.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.address);
            }
        }
    }
}

/// A connection that is read for a moment after it was closed for writing. What a client is still
/// sending when it is refused would otherwise reset the connection, and it would never see why.
struct Lingering {
    stream: TcpStream,
    patience: Option<Sleep>,
}

impl Lingering {
    fn new(stream: TcpStream) -> Self {
        Self { stream, patience: None }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        if this.patience.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.patience = Some(SystemClock.sleep(LINGER));
        }
        let mut dropped = [0_u8; 8 * 1024];
        while this.patience.as_mut().is_some_and(|it| it.as_mut().poll(cx).is_pending()) {
            let mut into = ReadBuf::new(&mut dropped);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut into));
            if read.is_err() || into.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(most: &str, proxies: &str) -> Arc<House> {
        let variables = [
            ("CHANCERY_SERVER__CONNECTIONS_PER_ADDRESS", most),
            ("CHANCERY_SERVER__PROXIES", proxies),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = crate::config::Config::load(None, variables.into_iter()).unwrap();
        Arc::new(House::new(config.server))
    }

    #[test]
    fn a_place_is_given_back_and_no_address_is_remembered_for_ever() {
        let house = house("2", "10.0.0.9");
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse::<IpAddr>().unwrap());
        let seats = [house.admit(one).unwrap(), house.admit(one).unwrap()];
        assert!(seats.iter().all(|seat| !seat.overrun()));
        assert!(house.admit(one).unwrap().overrun());
        assert!(!house.admit(other).unwrap().overrun());
        drop(seats);
        assert!(!house.admit(one).unwrap().overrun());
        assert!(house.guests.lock().unwrap().is_empty());
        let refused: Vec<_> = (0..MOST_REFUSALS).map(|_| house.refusals.clone()).collect();
        let turns: Vec<_> = refused.into_iter().map(|it| it.try_acquire_owned().unwrap()).collect();
        let seats = [house.admit(one).unwrap(), house.admit(one).unwrap()];
        assert!(house.admit(one).is_none(), "a refusal without an end to refusals");
        drop((seats, turns));
    }

    #[test]
    fn proxies_are_not_counted() {
        let house = house("1", "10.0.0.9,::1");
        let proxy: IpAddr = "10.0.0.9".parse().unwrap();
        let seats: Vec<_> = (0..5).map(|_| house.admit(proxy).unwrap()).collect();
        assert!(seats.iter().all(|seat| !seat.overrun()));
        let unlimited = self::house("0", "");
        let seats: Vec<_> = (0..5).map(|_| unlimited.admit(proxy).unwrap()).collect();
        assert!(seats.iter().all(|seat| !seat.overrun()));
    }
}
