//! A batch that is being built, and who waits for it.

use tokio::sync::oneshot;

use crate::store::entry::{Acknowledged, AppendError, Recorded};
use crate::store::receipt::Proof;
use crate::store::{Batch, JournalRef, Receipt};
use crate::types::{Decision, DoorId, DoorOrder, Moment};

/// An answer that waits for the commit.
#[derive(Debug)]
pub(super) enum Pending {
    Attempt(oneshot::Sender<Result<Recorded, AppendError>>, Outcome),
    Reported(
        oneshot::Sender<Result<Vec<Acknowledged>, AppendError>>,
        Vec<Acknowledged>,
    ),
    Order(
        oneshot::Sender<Result<Receipt<DoorOrder>, AppendError>>,
        Receipt<DoorOrder>,
    ),
    Act(oneshot::Sender<Result<(), AppendError>>),
}

/// What an attempt is answered once the batch is durable.
#[derive(Debug)]
pub(super) enum Outcome {
    Durable {
        entry: JournalRef,
        door: DoorId,
        decided: Moment,
        decision: Decision,
        /// Whether it was answered before.
        is_repeat: bool,
    },
    AlreadyDecided(JournalRef),
    DecideAgain,
    Refused(AppendError),
}

/// A batch that is being built, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) batch: Batch,
    pub(super) pending: Vec<Pending>,
    pub(super) entries: usize,
}

impl Pending {
    pub(super) fn answer(self) {
        match self {
            Self::Attempt(reply, outcome) => drop(reply.send(outcome.into_recorded())),
            Self::Reported(reply, acknowledged) => drop(reply.send(Ok(acknowledged))),
            Self::Order(reply, receipt) => drop(reply.send(Ok(receipt))),
            Self::Act(reply) => drop(reply.send(Ok(()))),
        }
    }

    pub(super) fn refuse(self, error: &AppendError) {
        match self {
            Self::Attempt(reply, _) => drop(reply.send(Err(error.clone()))),
            Self::Reported(reply, _) => drop(reply.send(Err(error.clone()))),
            Self::Order(reply, _) => drop(reply.send(Err(error.clone()))),
            Self::Act(reply) => drop(reply.send(Err(error.clone()))),
        }
    }
}

impl Outcome {
    fn into_recorded(self) -> Result<Recorded, AppendError> {
        match self {
            Self::Durable {
                entry,
                door,
                decided,
                decision,
                is_repeat,
            } => {
                let proof = Proof {
                    entry,
                    door,
                    recorded: decided,
                    is_repeat,
                };
                Ok(match decision {
                    Decision::Grant(grant) => Recorded::Grant(Receipt::new(proof, grant)),
                    Decision::Denial(denial) => Recorded::Denial(Receipt::new(proof, denial)),
                })
            }
            Self::AlreadyDecided(entry) => Ok(Recorded::AlreadyDecided(entry)),
            Self::DecideAgain => Ok(Recorded::DecideAgain),
            Self::Refused(error) => Err(error),
        }
    }
}
