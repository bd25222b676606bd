//! What the services that read and change rules share.

use std::fmt;
use std::sync::Arc;

use prost::Message;
use tokio::sync::Mutex;
use tonic::Status;
use tracing::error;

use super::intake::Intake;
use super::status::{FieldFault, Reason, conflict, fault, invalid, invalid_all};
use crate::pb::store::RequestRow;
use crate::store::directory::{BuildError, Faults, Vault};
use crate::store::rows::{LoadError, RowSource as _};
use crate::store::secrets::Secrets;
use crate::store::tables::Requests;
use crate::store::uploads::UploadRefused;
use crate::store::{Batch, ChangeError, ReadError, Reader, RuleChange, Rules, RulesCell, Scribe};
use crate::types::{Caller, Now, RequestId, UtcTime};

/// How long the answer to a write is remembered, in seconds: a week.
const REQUEST_KEPT_SECONDS: u64 = 7 * 86_400;
/// Most old answers that one write clears away.
const REQUESTS_CLEARED_MAX: usize = 64;

/// Reads rules, and changes them one at a time.
pub struct RuleDesk {
    rules: Arc<RulesCell>,
    reader: Reader,
    vault: Vault,
    secrets: Arc<Secrets>,
    scribe: Scribe,
    writing: Mutex<()>,
    intake: Intake,
}

impl fmt::Debug for RuleDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RuleDesk")
    }
}

/// A write that is asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) struct Write<'a, M> {
    pub(in crate::service) method: &'static str,
    pub(in crate::service) caller: &'a Caller,
    pub(in crate::service) request_id: &'a str,
    pub(in crate::service) body: &'a M,
}

/// What a write comes to: an answer, and the change that it tells of unless nothing changes.
#[derive(Debug)]
pub(in crate::service) struct Outcome<R> {
    pub(in crate::service) answer: R,
    pub(in crate::service) change: Option<RuleChange>,
}

impl RuleDesk {
    /// Over the rules in force, the store and what changes them.
    pub fn new(
        rules: Arc<RulesCell>,
        reader: Reader,
        (vault, secrets): (Vault, Arc<Secrets>),
        scribe: Scribe,
    ) -> Self {
        Self {
            rules,
            reader,
            vault,
            secrets,
            scribe,
            writing: Mutex::new(()),
            intake: Intake::new(),
        }
    }

    /// The rules in force.
    pub(in crate::service) fn rules(&self) -> Arc<Rules> {
        self.rules.load()
    }

    /// The store.
    pub(in crate::service) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Names and numbers of people.
    pub(in crate::service) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// What page tokens are made with.
    pub(in crate::service) fn token_key(&self) -> &ring::hmac::Key {
        &self.secrets.token
    }

    /// The places of uploads on their way in, whatever they are for.
    pub(in crate::service) fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Both clocks.
    pub(in crate::service) fn now(&self) -> Now {
        self.vault.world().now()
    }

    /// Does a write once, however often it is asked for with the same request id and body.
    ///
    /// `plan` runs on a thread of its own while no other write does, so that what it reads
    /// stays true until its change is made.
    pub(in crate::service) async fn write<M, R, P>(
        self: &Arc<Self>,
        write: Write<'_, M>,
        plan: P,
    ) -> Result<R, Status>
    where
        M: Message,
        R: Message + Default + Send + 'static,
        P: FnOnce(&Self, &Rules) -> Result<Outcome<R>, Status> + Send + 'static,
    {
        let request_id = RequestId::parse(write.request_id);
        let request_id = request_id.map_err(|e| invalid("request_id", e.to_string()))?;
        let key = (write.caller.to_string(), request_id.as_str().to_owned());
        let body_hash = self.body_hash(&write);
        let _one_at_a_time = self.writing.lock().await;
        if let Some(answer) = self.known(&key, &body_hash)? {
            return Ok(answer);
        }
        let desk = Arc::clone(self);
        let planned = tokio::task::spawn_blocking(move || plan(&desk, &desk.rules())).await;
        let Outcome { answer, change } = planned.map_err(|_| fault(Reason::Internal))??;
        if let Some(mut change) = change {
            let row = RequestRow {
                body_hash: body_hash.to_vec(),
                response: answer.encode_to_vec(),
                done_at: self.now().utc.unix(),
            };
            self.clear_old(&key.0, &mut change.batch)?;
            change.batch.put::<Requests>(&key, &row);
            self.scribe
                .change_rules(change)
                .await
                .map_err(change_fault)?;
        }
        Ok(answer)
    }

    fn body_hash<M: Message>(&self, write: &Write<'_, M>) -> [u8; 16] {
        let mut bytes = write.method.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend(write.body.encode_to_vec());
        self.secrets.body_hash(&bytes)
    }

    /// The answer that was given to this request before.
    fn known<R: Message + Default>(
        &self,
        key: &(String, String),
        body_hash: &[u8; 16],
    ) -> Result<Option<R>, Status> {
        let Some(row) = self
            .reader
            .one::<Requests>(key)
            .map_err(|e| load_fault(&e))?
        else {
            return Ok(None);
        };
        if row.body_hash != body_hash {
            return Err(super::status::invalid_for(
                Reason::RequestIdReused,
                "request_id",
                "was used for another request",
            ));
        }
        let answer = R::decode(row.response.as_slice());
        answer.map(Some).map_err(|_| fault(Reason::Internal))
    }

    /// Removes answers that nobody will ask for again.
    fn clear_old(&self, caller: &str, batch: &mut Batch) -> Result<(), Status> {
        let now = self.now().utc;
        let rows = self
            .reader
            .rows_of::<Requests, _>(caller, None, REQUESTS_CLEARED_MAX)
            .map_err(|e| load_fault(&e.into()))?;
        for (key, row) in rows {
            let done = UtcTime::from_unix(row.done_at).unwrap_or(UtcTime::EPOCH);
            if now.seconds_since(done) > REQUEST_KEPT_SECONDS {
                batch.remove::<Requests>(&key);
            }
        }
        Ok(())
    }
}

/// Everything that is wrong with a file, as one status.
pub(in crate::service) fn file_fault(faults: &Faults) -> Status {
    let fields: Vec<_> = faults
        .list()
        .iter()
        .map(|fault| FieldFault {
            field: match fault.line {
                0 => fault.field.clone(),
                line => format!("line {line}: {}", fault.field),
            },
            description: fault.problem.to_string(),
        })
        .collect();
    invalid_all(&fields)
}

/// Rows could not be read.
pub(in crate::service) fn load_fault(failed: &LoadError) -> Status {
    match failed {
        LoadError::Read(ReadError::Rebuilding { .. }) => fault(Reason::StoreRebuilding),
        LoadError::Read(ReadError::Closed) => fault(Reason::ShuttingDown),
        LoadError::Read(_) | LoadError::Damaged(_) | LoadError::Row(_) | LoadError::Missing(_) => {
            error!(%failed, "rows could not be read");
            fault(Reason::Internal)
        }
    }
}

/// A change could not be built.
pub(in crate::service) fn build_fault(failed: &BuildError) -> Status {
    match failed {
        BuildError::Load(failed) => load_fault(failed),
        BuildError::Vault(failed) => {
            error!(%failed, "a key could not be made or used");
            fault(Reason::StoreReadOnly)
        }
        BuildError::Compile(failed) => {
            error!(%failed, "checked rules do not compile");
            fault(Reason::Internal)
        }
    }
}

fn change_fault(failed: ChangeError) -> Status {
    match failed {
        ChangeError::Stale => conflict(),
        ChangeError::TooLarge => fault(Reason::UploadTooLarge),
        ChangeError::QueueFull => fault(Reason::QueueFull),
        ChangeError::Unavailable => fault(Reason::StoreReadOnly),
    }
}

/// An upload was not taken.
pub(in crate::service) fn upload_fault(refused: UploadRefused) -> Status {
    match refused {
        UploadRefused::Items | UploadRefused::Bytes => fault(Reason::UploadTooLarge),
        UploadRefused::Places => fault(Reason::TooManyStreams),
    }
}
