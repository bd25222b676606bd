//! `SiteService`: upload, plan and apply of a site file.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};
use tracing::instrument;

use super::convert::{plan_messages, site_items};
use super::rule_desk::{
    Outcome, RuleDesk, Write, build_fault, file_fault, load_fault, upload_fault,
};
use super::status::{Reason, conflict, fault, invalid, not_found};
use crate::pb::v1 as pb;
use crate::pb::v1::site_service_server::SiteService;
use crate::service::caller::caller;
use crate::store::directory::{Action, Author, CurrentSite, SitePlan, plan_site};
use crate::store::rules_cell::Rules;
use crate::store::uploads::{Incoming, Uploads};
use crate::types::Caller;

/// Most parts in one message of an upload.
pub(super) const PER_MESSAGE_MAX: usize = 100;
/// Uploads here are for the site as a whole.
const PURPOSE: &str = "site";

/// Plans and applies site files.
#[derive(Debug)]
pub struct SiteFiles {
    desk: Arc<RuleDesk>,
    uploads: Arc<Uploads<pb::SitePart>>,
}

impl SiteFiles {
    /// Over the rules.
    pub fn new(desk: Arc<RuleDesk>) -> Self {
        Self {
            desk,
            uploads: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn uploads(&self) -> &Uploads<pb::SitePart> {
        &self.uploads
    }

    #[cfg(test)]
    pub(super) fn desk(&self) -> &RuleDesk {
        &self.desk
    }

    fn parts(&self, caller: &Caller, upload: &str) -> Result<Arc<Vec<pb::SitePart>>, Status> {
        let now = self.desk.now().moment;
        let found = self.uploads.find(caller, PURPOSE, upload, now);
        found.ok_or_else(|| not_found("upload"))
    }
}

/// Plans an upload against the rules in force.
fn plan(desk: &RuleDesk, rules: &Rules, parts: &[pb::SitePart]) -> Result<SitePlan, Status> {
    let items = site_items(parts).map_err(|faults| file_fault(&faults))?;
    let rows = CurrentSite::read(desk.reader()).map_err(|e| load_fault(&e))?;
    let version = rules.roster.version();
    plan_site(&rules.parts, version, rows, desk.vault(), items).map_err(|f| file_fault(&f))
}

/// Etag of the site: the directory version, which rises with every change of a rule.
pub(super) fn site_etag(rules: &Rules) -> String {
    rules.roster.version().to_string()
}

#[tonic::async_trait]
impl SiteService for SiteFiles {
    #[instrument(name = "site.upload", skip_all)]
    async fn upload_site(
        &self,
        request: Request<Streaming<pb::UploadSiteRequest>>,
    ) -> Result<Response<pb::UploadSiteResponse>, Status> {
        let caller = caller(&request)?;
        let mut messages = self.desk.intake().begin(&caller, request.into_inner())?;
        let mut incoming = Incoming::new();
        while let Some(message) = messages.next().await? {
            if message.parts.len() > PER_MESSAGE_MAX {
                return Err(invalid("parts", "at most 100 in one message"));
            }
            for part in message.parts {
                incoming.push(part).map_err(upload_fault)?;
            }
        }
        let part_count = incoming.count();
        let world = self.desk.vault().world();
        let kept = self.uploads.keep(&caller, PURPOSE, incoming, world);
        let upload = kept.map_err(upload_fault)?;
        Ok(Response::new(pb::UploadSiteResponse { upload, part_count }))
    }

    #[instrument(name = "site.plan", skip_all)]
    async fn plan_site(
        &self,
        request: Request<pb::PlanSiteRequest>,
    ) -> Result<Response<pb::PlanSiteResponse>, Status> {
        let caller = caller(&request)?;
        let parts = self.parts(&caller, &request.get_ref().upload)?;
        let desk = Arc::clone(&self.desk);
        let planned = tokio::task::spawn_blocking(move || {
            let rules = desk.rules();
            plan(&desk, &rules, &parts).map(|plan| (plan.plan, site_etag(&rules)))
        });
        let (plan, etag) = planned.await.map_err(|_| fault(Reason::Internal))??;
        Ok(Response::new(pb::PlanSiteResponse {
            changes: plan_messages(&plan),
            added_count: plan.count(Action::Add),
            changed_count: plan.count(Action::Change),
            removed_count: plan.count(Action::Remove),
            etag,
        }))
    }

    #[instrument(name = "site.apply", skip_all)]
    async fn apply_site(
        &self,
        request: Request<pb::ApplySiteRequest>,
    ) -> Result<Response<pb::ApplySiteResponse>, Status> {
        let caller = caller(&request)?;
        let asked = request.into_inner();
        let write = Write {
            method: "ApplySite",
            caller: &caller,
            request_id: &asked.request_id,
            body: &asked,
        };
        let (uploads, author, body) = (Arc::clone(&self.uploads), caller.clone(), asked.clone());
        let answer = self.desk.write(write, move |desk, rules| {
            let now = desk.now();
            let parts = uploads.find(&author, PURPOSE, &body.upload, now.moment);
            let parts = parts.ok_or_else(|| not_found("upload"))?;
            apply(desk, rules, &parts, (&author, &body.etag))
        });
        let answer = answer.await?;
        self.uploads.forget(&caller, &asked.upload);
        Ok(Response::new(answer))
    }
}

/// The change that an upload stands for, and the answer that tells of it.
fn apply(
    desk: &RuleDesk,
    rules: &Rules,
    parts: &[pb::SitePart],
    (caller, etag): (&Caller, &str),
) -> Result<Outcome<pb::ApplySiteResponse>, Status> {
    if etag != site_etag(rules) {
        return Err(conflict());
    }
    let plan = plan(desk, rules, parts)?;
    let mut answer = pb::ApplySiteResponse {
        etag: site_etag(rules),
        added_count: plan.plan.count(Action::Add),
        changed_count: plan.plan.count(Action::Change),
        removed_count: plan.plan.count(Action::Remove),
    };
    if plan.plan.is_empty() {
        return Ok(Outcome {
            answer,
            change: None,
        });
    }
    let author = Author {
        caller,
        now: desk.now().utc,
    };
    let change = plan.build(desk.vault(), desk.reader(), author);
    let change = change.map_err(|e| build_fault(&e))?;
    answer.etag = site_etag(&change.rules);
    Ok(Outcome {
        answer,
        change: Some(change),
    })
}
