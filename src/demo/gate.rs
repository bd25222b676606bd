//! The controller at its post: it asks, reports, and carries out what comes on its session.

use anyhow::{Context as _, Result};
use sluss_sim::{Controller, Session};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::site::Scene;

/// A simulated controller with an open session.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) controller: Controller,
    leave: oneshot::Sender<()>,
    session: JoinHandle<()>,
}

impl Gate {
    /// Connects, as this run of the device, and opens the session.
    pub(super) async fn open(scene: &Scene, boot_id: &str) -> Result<Self> {
        let settings = scene.controller_settings()?;
        let connected = Controller::connect(&settings, boot_id).await;
        let controller = connected.context("the controller")?;
        let session = controller.open_session().await.context("its session")?;
        let (leave, leaving) = oneshot::channel();
        Ok(Self {
            controller,
            leave,
            session: tokio::spawn(attend(session, leaving)),
        })
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        drop(self.leave);
        // What went wrong at a goodbye changes nothing any more.
        let _ = self.session.await;
    }
}

/// Takes note of commands, which the device has carried out by itself, until the end.
async fn attend(mut session: Session, mut leaving: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            command = session.next() => {
                if command.is_none() {
                    return;
                }
            }
            _ = &mut leaving => {
                // The server may have ended it already.
                let _ = session.leave().await;
                return;
            }
        }
    }
}
