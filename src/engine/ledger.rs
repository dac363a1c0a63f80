//! Writes down what the platform has of a delivery before anybody sees it: durable before the request
//! that makes it public, so that whatever becomes of that request, one id says it.

use std::sync::Arc;

use serde_json::json;

use super::Tools;
use super::publish::Errand;
use crate::domain::id::{AttemptId, DeliveryId};
use crate::platforms::session::{Ledger, Progress};
use crate::platforms::{Answer, Withdrawn};
use crate::queue::Lease;
use crate::store::jobs::Holder;
use crate::store::{Error, Store, publishing};

/// The page of one attempt.
#[derive(Debug)]
pub(super) struct Kept {
    store: Store,
    delivery: DeliveryId,
    attempt: AttemptId,
    holder: Holder,
}

impl Kept {
    /// For the attempt of an errand.
    pub(super) fn of(tools: &Tools, lease: &Lease, errand: &Errand) -> Self {
        Self {
            store: tools.store.clone(),
            delivery: errand.prepared.delivery_id.clone(),
            attempt: errand.attempt.clone(),
            holder: lease.holder().clone(),
        }
    }

    /// To be handed to a platform.
    pub(super) fn shared(self) -> Arc<dyn Ledger> {
        Arc::new(self)
    }

    async fn write(&self, progress: &Progress) -> Result<bool, Error> {
        let mut tx = self.store.begin().await?;
        let (delivery, attempt) = (&self.delivery, &self.attempt);
        let kept = json!(progress);
        let ours = publishing::keep(&mut tx, (delivery, attempt), &kept, &self.holder).await?;
        tx.commit().await?;
        Ok(ours)
    }
}

impl Ledger for Kept {
    fn keep<'a>(&'a self, progress: &'a Progress) -> Answer<'a, Result<(), Withdrawn>> {
        Box::pin(async move {
            let kept = self.write(progress).await;
            match &progress.made {
                Some(made) if made.whole => {
                    crate::crash_point!("ledger.whole");
                }
                Some(_) | None => {
                    crate::crash_point!("ledger.begun");
                }
            }
            match kept {
                Ok(true) => Ok(()),
                Ok(false) => Err(Withdrawn),
                Err(error) => {
                    let error = crate::telemetry::Chain(&error);
                    tracing::error!(delivery.id = %self.delivery, %error, "nothing could be written down");
                    Err(Withdrawn)
                }
            }
        })
    }
}
