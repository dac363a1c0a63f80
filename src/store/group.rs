//! Group commit: changes that arrive together share one transaction and its one wait for the disk.
//!
//! A lone change never waits for others. A batch that fails is repeated one change at a time, so
//! that one bad change cannot take its neighbours with it; nobody is told "done" before the commit
//! that carries his change has returned.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::{mpsc, oneshot};

use super::error::Error;
use super::{Store, Tx};

/// How many changes share a transaction at most.
const BATCH: usize = 256;

/// What one change came to.
pub type Answer<R> = Result<R, Error>;

/// The answers to a batch, once they are known.
pub type Applied<'a, R> = Pin<Box<dyn Future<Output = Result<Vec<Answer<R>>, Error>> + Send + 'a>>;

/// A change and who waits for it.
type Asked<A> = (<A as Apply>::Item, oneshot::Sender<Answer<<A as Apply>::Answer>>);

/// Applies a whole batch inside a transaction, one answer for each item in the same order.
pub trait Apply: Send + Sync + 'static {
    /// What is asked for; cloned so that a failed batch can be repeated one by one.
    type Item: Clone + Send + Sync + 'static;
    /// What each asker gets.
    type Answer: Send + 'static;

    /// Applies `items`. An `Err` undoes the whole batch.
    fn apply<'a>(&'a self, tx: &'a mut Tx, items: &'a [Self::Item]) -> Applied<'a, Self::Answer>;
}

/// Where askers queue.
#[derive(Debug)]
pub struct Group<A: Apply> {
    queue: mpsc::Sender<Asked<A>>,
}

impl<A: Apply> Clone for Group<A> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

impl<A: Apply> Group<A> {
    /// Starts the task that commits; it ends when the last handle is dropped.
    pub fn start(store: Store, apply: A) -> Self {
        let (queue, mut waiting) = mpsc::channel(4 * BATCH);
        tokio::spawn(async move {
            let mut batch: Vec<Asked<A>> = Vec::new();
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                let (items, askers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                let answers = commit_all(&store, &apply, &items).await;
                for (asker, answer) in askers.into_iter().zip(answers) {
                    // An asker that went away has its change all the same.
                    let _gone = asker.send(answer);
                }
            }
        });
        Self { queue }
    }

    /// Asks for a change and waits until it is durable or refused. Dropping the future does not
    /// take the change back.
    pub async fn submit(&self, item: A::Item) -> Answer<A::Answer> {
        let (asker, answer) = oneshot::channel();
        if self.queue.send((item, asker)).await.is_err() {
            return Err(Error::NotCommitted);
        }
        answer.await.unwrap_or(Err(Error::NotCommitted))
    }
}

async fn commit_all<A: Apply>(
    store: &Store,
    apply: &A,
    items: &[A::Item],
) -> Vec<Answer<A::Answer>> {
    match commit(store, apply, items).await {
        Ok(answers) => answers,
        Err(error) if items.len() == 1 => vec![Err(error)],
        // Nothing is wrong with any of them.
        Err(Error::Busy) => items.iter().map(|_| Err(Error::Busy)).collect(),
        Err(_batch) => {
            let mut answers = Vec::with_capacity(items.len());
            for item in items {
                let one = commit(store, apply, std::slice::from_ref(item)).await;
                answers.push(one.and_then(|mut all| all.pop().unwrap_or(Err(Error::NotCommitted))));
            }
            answers
        }
    }
}

async fn commit<A: Apply>(
    store: &Store,
    apply: &A,
    items: &[A::Item],
) -> Result<Vec<Answer<A::Answer>>, Error> {
    let mut tx = store.begin_for("group").await?;
    let answers = apply.apply(&mut tx, items).await?;
    // An answer that was lost is looked for: the askers get what is true.
    tx.conclude().await?;
    Ok(answers)
}
