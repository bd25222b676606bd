//! What the scribe's thread does with a change of the rules.

use std::sync::Arc;

use crate::pb::store::{JournalBody, JournalKind};
use crate::store::book::StageError;
use crate::store::pen::Pen;
use crate::store::round::Round;
use crate::store::rule_change::{ChangeError, RuleChange};
use crate::store::{Batch, Rules};
use crate::types::Now;

/// So many times the length of a batch of entries a change of the rules may have: six eighths of
/// a segment.
const RULES_BATCHES_MAX: usize = 6;

impl Pen {
    /// Changes the rules, in a commit of their own.
    pub(super) fn change_rules(
        &mut self,
        change: RuleChange,
        now: Now,
    ) -> Result<u64, ChangeError> {
        if change.base_version != self.book.rules_version() {
            return Err(ChangeError::Stale);
        }
        let bytes_max = self.batch_bytes_max.saturating_mul(RULES_BATCHES_MAX);
        if change.batch.payload_bytes() > bytes_max || change.batch.oversized().is_some() {
            return Err(ChangeError::TooLarge);
        }
        let mut round = Round {
            batch: change.batch,
            ..Round::default()
        };
        self.begin(&mut round, now)
            .map_err(|_| ChangeError::Unavailable)?;
        if let Err(error) = self.book.prepare(&change.rules) {
            tracing::error!(%error, "a change of the rules was refused: its keys cannot be made");
            return Err(ChangeError::Unavailable);
        }
        let rules = Arc::new(change.rules);
        self.book
            .change_rules(Arc::clone(&rules), change.takes_away);
        let body = JournalBody {
            actor: change.actor.to_string(),
            detail: change.detail,
            ..JournalBody::default()
        };
        let staged = self.stage_change(change.kind, body, &mut round.batch);
        // The book already holds the new rules: a change that cannot be staged ends the log.
        if let Err(error) = staged {
            self.fail(error.to_string());
            return Err(ChangeError::Unavailable);
        }
        let heads = self.book.seal_batch(&mut round.batch);
        if !self.commit(round.batch, heads.clone()) {
            return Err(ChangeError::Unavailable);
        }
        self.published.rules.swap(Rules::clone(&rules));
        self.ring(heads);
        Ok(rules.roster.version())
    }

    fn stage_change(
        &mut self,
        kind: JournalKind,
        body: JournalBody,
        batch: &mut Batch,
    ) -> Result<u64, StageError> {
        let sequence = self.book.stage_act(kind, body, batch)?;
        self.book.open_feeds(batch)?;
        Ok(sequence)
    }
}
