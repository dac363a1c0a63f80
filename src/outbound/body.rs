//! A request body that knows how much of it was taken, so that nobody has to guess.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Bytes given to the connection at a time; a body that is cut off shows how far it got.
const PIECE: usize = 64 * 1024;

// Zero is "nothing was taken yet".
const STARTED: u8 = 1;
const COMPLETE: u8 = 2;
const CLOSED: u8 = 3;

/// How far a body got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Nothing, and nothing ever will be.
    Nothing,
    /// A part of it.
    Part,
    /// All of it.
    All,
}

/// What the sender keeps of a body.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<AtomicU8>);

impl Progress {
    /// How much was taken. From now on nothing more is given out: otherwise a request that was
    /// given up as "never left" could still leave a moment later on another thread.
    pub(super) fn close(&self) -> Taken {
        match self.0.swap(CLOSED, Ordering::AcqRel) {
            STARTED => Taken::Part,
            COMPLETE => Taken::All,
            _ => Taken::Nothing,
        }
    }

    /// Moves on unless closed.
    fn advance(&self, to: u8) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now != CLOSED).then_some(to))
            .is_ok()
    }
}

/// The sender has given the request up.
#[derive(Debug, thiserror::Error)]
#[error("the request was given up")]
pub(super) struct GivenUp;

/// A body of known size.
#[derive(Debug)]
pub(super) struct Tracked {
    rest: Bytes,
    progress: Progress,
}

impl Tracked {
    pub(super) fn new(bytes: Bytes) -> (Self, Progress) {
        let progress = Progress::default();
        (Self { rest: bytes, progress: progress.clone() }, progress)
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        let state = if self.rest.is_empty() { COMPLETE } else { STARTED };
        if !self.progress.advance(state) {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn it_says_how_much_was_taken() {
        let (mut body, progress) = Tracked::new(Bytes::from(vec![0; PIECE + 1]));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), PIECE);
        assert_eq!(progress.close(), Taken::Part);
        let (body, progress) = Tracked::new(Bytes::from_static(b"abc"));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert_eq!(progress.close(), Taken::All);
    }

    #[tokio::test]
    async fn what_was_given_up_untouched_never_leaves() {
        let (mut body, progress) = Tracked::new(Bytes::from_static(b"abc"));
        assert_eq!(progress.close(), Taken::Nothing);
        assert!(body.frame().await.unwrap().is_err());
        let (mut body, progress) = Tracked::new(Bytes::from(vec![0; PIECE + 1]));
        body.frame().await.unwrap().unwrap();
        assert_eq!(progress.close(), Taken::Part);
        assert!(body.frame().await.unwrap().is_err());
    }
}
