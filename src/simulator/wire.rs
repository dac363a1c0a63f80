//! The connections of a simulator, which can be cut in the middle of an answer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::{Clock, SystemClock};

/// Cuts the connection that a call came over.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// How many bytes may still be written; `u64::MAX` means any number.
    left: Arc<AtomicU64>,
}

impl Cut {
    fn never() -> Self {
        Self { left: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Lets so many more bytes out and then closes the connection.
    pub(crate) fn after(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, Wires>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.io().cut.clone()
    }
}

/// Accepts connections that can be cut.
#[derive(Debug)]
pub(crate) struct Wires(pub(crate) TcpListener);

impl Listener for Wires {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if let Ok((stream, address)) = self.0.accept().await {
                // Without this, small answers wait for the client's acknowledgement.
                if stream.set_nodelay(true).is_ok() {
                    return (Wire { stream, cut: Cut::never() }, address);
                }
            } else {
                // Out of file descriptors, most likely: give others time to close some.
                SystemClock.sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    cut: Cut,
}

impl Wire {
    /// How many of `wanted` bytes may go out; an error when the connection is cut.
    fn allowed(&self, wanted: usize) -> io::Result<Option<usize>> {
        match self.cut.left.load(Ordering::Acquire) {
            u64::MAX => Ok(None),
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            left => Ok(Some(wanted.min(usize::try_from(left).unwrap_or(usize::MAX)))),
        }
    }

    fn spend(&self, written: usize) {
        let written = u64::try_from(written).unwrap_or(u64::MAX);
        let spend = |left: u64| (left != u64::MAX).then(|| left.saturating_sub(written));
        // An error means that nothing is limited.
        let _unlimited = self.cut.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, spend);
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(allowed) = self.allowed(buf.len())? else {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        };
        let part = buf.get(..allowed).unwrap_or_default();
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, part))?;
        self.spend(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.allowed(0)?.is_none() {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
