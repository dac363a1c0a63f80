//! A request body that knows how much of it was taken, so that nobody has to guess.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

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

/// Why no more of a body is given out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsent {
    /// The sender has given the request up.
    #[error("the request was given up")]
    GivenUp,
    /// Whoever hands its pieces over does not go on.
    #[error("the rest of the body does not come")]
    CutOff,
}

/// A body of known size that is handed over in pieces while it is sent, because all of it would be too
/// much to hold. The next piece is taken when the one before has left.
#[derive(Debug)]
pub struct Pieces {
    size: u64,
    coming: mpsc::Receiver<Bytes>,
}

impl Pieces {
    /// A body of so many bytes, and where its pieces are put.
    pub fn of(size: u64) -> (mpsc::Sender<Bytes>, Self) {
        let (put, coming) = mpsc::channel(1);
        (put, Self { size, coming })
    }
}

/// A body of known size.
#[derive(Debug)]
pub(super) struct Tracked {
    /// What is here of it.
    here: Bytes,
    /// How much of it was not taken yet.
    left: u64,
    /// Where the rest comes from.
    coming: Option<mpsc::Receiver<Bytes>>,
    progress: Progress,
}

impl Tracked {
    pub(super) fn new(bytes: Bytes) -> (Self, Progress) {
        let progress = Progress::default();
        let left = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        (Self { here: bytes, left, coming: None, progress: progress.clone() }, progress)
    }

    pub(super) fn pieces(pieces: Pieces) -> (Self, Progress) {
        let Pieces { size: left, coming } = pieces;
        let progress = Progress::default();
        let coming = Some(coming);
        (Self { here: Bytes::new(), left, coming, progress: progress.clone() }, progress)
    }

    /// Waits until something of it is here. Its head leaves meanwhile.
    fn poll_here(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        while self.here.is_empty() {
            if !self.progress.advance(STARTED) {
                return Poll::Ready(Err(Unsent::GivenUp));
            }
            let coming = self.coming.as_mut().ok_or(Unsent::CutOff)?;
            self.here = ready!(coming.poll_recv(cx)).ok_or(Unsent::CutOff)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = Unsent;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unsent>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Err(unsent) = ready!(self.poll_here(cx)) {
            return Poll::Ready(Some(Err(unsent)));
        }
        // No more than was announced.
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE);
        let length = self.here.len().min(most);
        let piece = self.here.split_to(length);
        self.left -= length as u64;
        let state = if self.left == 0 { COMPLETE } else { STARTED };
        if !self.progress.advance(state) {
            return Poll::Ready(Some(Err(Unsent::GivenUp)));
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
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
