//! Fills the site through the front door: the site file as the operator, lists as their customers.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use tokio_stream::iter;

use super::site::{Scene, told};
use super::story::text;
use crate::client::{list_file, site_file};
use crate::pb::v1::access_list_service_client::AccessListServiceClient;
use crate::pb::v1::site_service_client::SiteServiceClient;
use crate::pb::v1::{
    AccessListLine, ApplyAccessListRequest, ApplySiteRequest, PlanAccessListRequest,
    PlanSiteRequest, SitePart, UploadAccessListRequest, UploadSiteRequest,
};
use crate::types::{CallerKind, SiteZone};

/// Items in one message of an upload.
const ITEMS_PER_MESSAGE: usize = 50;
/// The lists that come along.
const LISTS: [(&str, &str); 2] = [
    ("acme", include_str!("../../deploy/demo/acme.csv")),
    ("bolt", include_str!("../../deploy/demo/bolt.csv")),
];

/// The parts of the site file of a folder, or of the one that comes along.
pub(super) fn parts(from: Option<&Path>) -> Result<Vec<SitePart>> {
    let ours = include_str!("../../deploy/demo/site.toml");
    let site = text(from, "site.toml", ours)?;
    site_file::parse("site.toml", &site).map_err(|f| anyhow!(f.lines().join("\n")))
}

/// Applies the site and each list.
pub(super) async fn fill(scene: &Scene, parts: &[SitePart], from: Option<&Path>) -> Result<()> {
    apply_site(scene, parts).await?;
    for (customer, ours) in LISTS {
        let file = format!("{customer}.csv");
        let csv = text(from, &file, ours)?;
        let zone = SiteZone::parse("Europe/Stockholm")?;
        let lines = list_file::parse(&file, &csv, zone);
        let lines = lines.map_err(|f| anyhow!(f.lines().join("\n")))?;
        let applied = apply_list(scene, customer, &lines).await;
        applied.with_context(|| file)?;
    }
    Ok(())
}

async fn apply_site(scene: &Scene, parts: &[SitePart]) -> Result<()> {
    let channel = scene.channel(CallerKind::Operator, "first").await?;
    let mut client = SiteServiceClient::new(channel);
    let messages: Vec<_> = parts
        .chunks(ITEMS_PER_MESSAGE)
        .map(|parts| UploadSiteRequest {
            parts: parts.to_vec(),
        })
        .collect();
    let uploaded = client.upload_site(iter(messages)).await.map_err(told)?;
    let upload = uploaded.into_inner().upload;
    let plan = PlanSiteRequest {
        upload: upload.clone(),
    };
    let planned = client.plan_site(plan).await.map_err(told)?;
    let apply = ApplySiteRequest {
        upload,
        etag: planned.into_inner().etag,
        request_id: "demo-site".to_owned(),
    };
    client.apply_site(apply).await.map_err(told)?;
    Ok(())
}

async fn apply_list(scene: &Scene, customer: &str, lines: &[AccessListLine]) -> Result<()> {
    let channel = scene.channel(CallerKind::Customer, customer).await?;
    let mut client = AccessListServiceClient::new(channel);
    let parent = format!("customers/{customer}/accessList");
    let messages: Vec<_> = lines
        .chunks(ITEMS_PER_MESSAGE)
        .map(|lines| UploadAccessListRequest {
            parent: parent.clone(),
            lines: lines.to_vec(),
        })
        .collect();
    let uploaded = client
        .upload_access_list(iter(messages))
        .await
        .map_err(told)?;
    let upload = uploaded.into_inner().upload;
    let plan = PlanAccessListRequest {
        parent: parent.clone(),
        upload: upload.clone(),
    };
    let planned = client.plan_access_list(plan).await.map_err(told)?;
    let apply = ApplyAccessListRequest {
        parent,
        upload,
        etag: planned.into_inner().etag,
        request_id: format!("demo-{customer}"),
    };
    client.apply_access_list(apply).await.map_err(told)?;
    Ok(())
}
