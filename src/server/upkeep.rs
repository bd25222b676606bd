//! What runs beside the calls: heads are re-derived, certificates read again, health told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::papers::Papers;
use crate::control::{AlarmWatch, Alarms};
use crate::pki::PkiFolder;
use crate::service::auth::Revocations;
use crate::service::tls::ServerCertificate;
use crate::store::{LogHealth, Published, ReadState, Signer};
use crate::types::AlarmKind;

/// How often the register of certificates is read; a revocation counts after this at the latest.
const REGISTER_PERIOD: Duration = Duration::from_secs(1);
/// How often feeds are looked through for one that has to be re-derived.
const DERIVE_PERIOD: Duration = Duration::from_millis(250);

/// What upkeep works with.
pub(super) struct Upkeep {
    pub(super) published: Published,
    pub(super) signer: Arc<Signer>,
    pub(super) health: HealthReporter,
    pub(super) alarms: Alarms,
    pub(super) papers: Papers,
}

/// Starts the tasks; they end with the set.
pub(super) fn start(upkeep: Upkeep) -> JoinSet<()> {
    let Upkeep {
        published,
        signer,
        health,
        alarms,
        papers,
    } = upkeep;
    let Papers {
        pki,
        revocations,
        certificate,
    } = papers;
    let mut tasks = JoinSet::new();
    tasks.spawn(derive_heads(published.clone(), signer));
    tasks.spawn(tell_health(published, health.clone()));
    tasks.spawn(tell_alarms(alarms, health));
    tasks.spawn(read_register(pki, revocations, certificate));
    tasks
}

/// Re-derives the head of each feed once, behind the doors; a feed is not signed before.
async fn derive_heads(published: Published, signer: Arc<Signer>) {
    loop {
        for customer in published.doorbells.feeds() {
            if signer.is_derived(&customer) {
                continue;
            }
            let (signer, feed) = (Arc::clone(&signer), customer.clone());
            let derived = tokio::task::spawn_blocking(move || signer.re_derive(&feed)).await;
            if let Ok(Err(error)) = derived {
                tracing::warn!(%customer, %error, "a head cannot be re-derived yet");
            }
        }
        tokio::time::sleep(DERIVE_PERIOD).await;
    }
}

/// Tells the health service how log and store are. One line for each change.
async fn tell_health(published: Published, health: HealthReporter) {
    let mut changes = published.health.subscribe();
    loop {
        let now = changes.borrow_and_update().clone();
        let log = status(now.failure.is_none());
        let reads = status(matches!(now.store.reads, ReadState::Ready));
        for (service, status) in [
            ("", log),
            ("sluss.v1.DoorService", log),
            ("sluss.v1.DoorOrderService", log),
            ("sluss.v1.AlarmService", ServingStatus::Serving),
            ("sluss.v1.ReaderService", ServingStatus::Serving),
            ("sluss.v1.AccessListService", log),
            ("sluss.v1.SiteService", log),
            ("sluss.v1.FeedService", reads),
            ("sluss.v1.DirectoryService", reads),
            ("sluss.v1.ExplainService", reads),
        ] {
            health.set_service_status(service, status).await;
        }
        note(&now);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Names under which the health service tells of alarms, besides those of the services.
const ALARMS: &str = "alarms";
const READERS: &str = "readers";

/// Tells the health service whether alarms stand: any at all, and those of readers and lines.
async fn tell_alarms(alarms: Alarms, health: HealthReporter) {
    let AlarmWatch { mut changes, .. } = alarms.watch();
    loop {
        let standing: Vec<_> = alarms
            .list()
            .into_iter()
            .filter(|alarm| alarm.cleared_at.is_none())
            .collect();
        let is_well = standing.is_empty();
        health.set_service_status(ALARMS, status(is_well)).await;
        let are_heard = !standing.iter().any(|alarm| is_of_reader(alarm.kind));
        health.set_service_status(READERS, status(are_heard)).await;
        // Whoever has lagged behind looks at the list all the same.
        if changes.recv().await == Err(RecvError::Closed) {
            return;
        }
    }
}

fn is_of_reader(kind: AlarmKind) -> bool {
    match kind {
        AlarmKind::Tamper
        | AlarmKind::ReaderPower
        | AlarmKind::ReaderOffline
        | AlarmKind::ReaderSecurity
        | AlarmKind::BusDown => true,
        AlarmKind::DoorForced
        | AlarmKind::DoorHeld
        | AlarmKind::ControllerOffline
        | AlarmKind::StoreTrouble
        | AlarmKind::Duress => false,
    }
}

fn note(health: &LogHealth) {
    if let Some(failure) = &health.failure {
        tracing::error!(
            failure,
            "the log takes no entries: doors decide by their own rules"
        );
    }
    if health.store.reads != ReadState::Ready {
        tracing::warn!(reads = ?health.store.reads, "the store is not read now");
    }
    if let Some(failure) = &health.store.next_segment {
        tracing::warn!(%failure, "the next segment cannot be prepared");
    }
    if let Some(trouble) = &health.store.upkeep {
        tracing::warn!(trouble, "snapshot or marker could not be written");
    }
}

fn status(is_serving: bool) -> ServingStatus {
    if is_serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

/// Takes note of revoked certificates and of a new certificate of the server.
async fn read_register(
    pki: PkiFolder,
    revocations: Arc<Revocations>,
    certificate: Arc<ServerCertificate>,
) {
    let pki = Arc::new(pki);
    loop {
        tokio::time::sleep(REGISTER_PERIOD).await;
        let (pki, revocations, certificate) = (
            Arc::clone(&pki),
            Arc::clone(&revocations),
            Arc::clone(&certificate),
        );
        let read = move || {
            pki.register().refresh(&revocations)?;
            pki.refresh_server(&certificate)
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(read).await {
            tracing::error!(%error, "certificates cannot be read again; those known go on");
        }
    }
}
