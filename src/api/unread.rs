//! Bodies that were answered before they had arrived: the answer says that the connection ends, or
//! the client would send its next request into one that is about to be closed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};

/// Whether a body has been read to its end.
#[derive(Debug, Clone)]
pub(super) struct Ended(Arc<AtomicBool>);

/// A body whose end is noted.
#[derive(Debug)]
pub(super) struct Watched<B> {
    body: B,
    ended: Ended,
}

/// Watches the body of a request.
pub(super) fn watch<B: Body>(request: Request<B>) -> (Request<Watched<B>>, Ended) {
    let ended = Ended(Arc::new(AtomicBool::new(request.body().is_end_stream())));
    let watched = request.map(|body| Watched { body, ended: ended.clone() });
    (watched, ended)
}

impl Ended {
    /// Ends the connection with this answer when the body was not read to its end.
    pub(super) fn or_close<B>(&self, mut answer: Response<B>) -> Response<B> {
        if !self.0.load(Ordering::Relaxed) {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.ended.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
