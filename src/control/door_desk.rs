//! Where orders for doors are handed in, and where it is written what is known of doors.
//!
//! The runner of the doors takes the orders one by one and keeps the board.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::{DoorStatus, OrderError};
use crate::store::{AppendError, JournalRef};
use crate::types::{Caller, DoorId, DoorOrder};

/// An order on its way to the runner.
#[derive(Debug)]
pub struct OrderRequest {
    /// The door.
    pub door: DoorId,
    /// What is to be done.
    pub order: DoorOrder,
    /// Who ordered it.
    pub actor: Caller,
    /// Takes what became of it. Nobody may be waiting any more; the order stands all the same.
    pub reply: oneshot::Sender<Result<JournalRef, OrderError>>,
}

/// What is known of every door at this moment. The runner writes it, the desk reads it.
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<DoorId, DoorStatus>>);

impl Board {
    /// Puts what is known of a door in place of what was.
    pub fn set(&self, status: DoorStatus) {
        self.lock().insert(status.door.clone(), status);
    }

    /// Forgets a door that is not there any more.
    pub fn remove(&self, door: &DoorId) {
        self.lock().remove(door);
    }

    /// Each change is one insertion or removal, so that a panic elsewhere leaves the board whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<DoorId, DoorStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands in orders and tells what is known of doors. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DoorDesk {
    requests: mpsc::Sender<OrderRequest>,
    board: Arc<Board>,
}

/// A desk, its board, and the queue behind it, in which so many orders may wait.
///
/// # Panics
///
/// If no order may wait.
pub fn door_desk(queue_max: usize) -> (DoorDesk, Arc<Board>, mpsc::Receiver<OrderRequest>) {
    let (requests, queue) = mpsc::channel(queue_max);
    let board = Arc::<Board>::default();
    let desk = DoorDesk {
        requests,
        board: Arc::clone(&board),
    };
    (desk, board, queue)
}

impl DoorDesk {
    /// Has an order written and carried out; answers its entry when the door has done it.
    ///
    /// Where the caller goes away while it waits, the order is carried out all the same.
    pub async fn order(
        &self,
        door: &DoorId,
        order: DoorOrder,
        actor: &Caller,
    ) -> Result<JournalRef, OrderError> {
        let (reply, answer) = oneshot::channel();
        let request = OrderRequest {
            door: door.clone(),
            order,
            actor: actor.clone(),
            reply,
        };
        let stopping = || OrderError::Stopping(door.clone());
        self.requests
            .try_send(request)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => AppendError::QueueFull.into(),
                mpsc::error::TrySendError::Closed(_) => stopping(),
            })?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// What is known of a door; `None` if there is none.
    pub fn status(&self, door: &DoorId) -> Option<DoorStatus> {
        self.board.lock().get(door).cloned()
    }

    /// What is known of all doors, by id.
    pub fn statuses(&self) -> Vec<DoorStatus> {
        self.board.lock().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{DoorPosition, LockState};

    fn door(id: &str) -> DoorId {
        DoorId::parse(id).unwrap()
    }

    fn operator() -> Caller {
        Caller::Operator("first".into())
    }

    fn status(id: &str) -> DoorStatus {
        DoorStatus {
            door: door(id),
            is_online: true,
            lock: LockState::Locked,
            position: DoorPosition::Unknown,
            unlocked_until: None,
            heard_at: None,
        }
    }

    #[test]
    fn doors_are_listed_by_id_until_they_go() {
        let (desk, board, _queue) = door_desk(1);
        board.set(status("b"));
        board.set(status("a"));
        assert_eq!(desk.statuses(), [status("a"), status("b")]);
        board.remove(&door("b"));
        assert_eq!(desk.status(&door("b")), None);
        assert_eq!(desk.status(&door("a")), Some(status("a")));
    }

    #[tokio::test]
    async fn an_order_that_finds_no_place_in_the_queue_is_refused() {
        let (desk, _board, mut queue) = door_desk(1);
        let (a, operator) = (door("a"), operator());
        let order = || desk.order(&a, DoorOrder::Open, &operator);
        let refused = async {
            let full = order().await;
            // The queue goes; the first order cannot be answered any more.
            let waiting = queue.recv().await;
            drop((waiting, queue));
            full
        };
        let (first, second) = tokio::join!(order(), refused);
        assert_eq!(second, Err(AppendError::QueueFull.into()));
        assert_eq!(first, Err(OrderError::Stopping(a.clone())));
        assert_eq!(order().await, Err(OrderError::Stopping(a.clone())));
    }
}
