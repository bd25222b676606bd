//! Plays the story: cards and keys at simulated readers, a simulated controller over mTLS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sluss_sim::{Card, DoorEvent, DoorEventKind, Verdict};

use super::clock::StoryClock;
use super::desk::Desk;
use super::devices::Devices;
use super::gate::Gate;
use super::live::LiveFeeds;
use super::site::Scene;
use super::story::{Step, Story};
use super::swipe::{Swipe, swipe};
use super::tell::{Outcome, Teller, Way};
use crate::types::{AccessPointId, DoorId, Moment, ReaderId, World as _};

/// What the story is played with.
pub(super) struct Stage<'a> {
    pub(super) scene: &'a Scene,
    pub(super) devices: &'a mut Devices,
    pub(super) clock: &'a Arc<StoryClock>,
    pub(super) is_json: bool,
}

/// Plays every step; answers what came out otherwise.
pub(super) async fn play(stage: Stage<'_>, story: &Story) -> Result<Vec<String>> {
    let Stage {
        scene,
        devices,
        clock,
        is_json,
    } = stage;
    let desk = Desk::open(scene).await?;
    let mut offline = BTreeMap::new();
    for reader in devices.all_online().await {
        let why = desk.trouble(&reader).await?;
        offline.insert(reader, why);
    }
    if offline.is_empty() {
        let is_known = desk.all_closed(&devices.watched_doors()).await?;
        anyhow::ensure!(
            is_known,
            "the server did not learn whether doors are closed"
        );
    }
    let mut player = Player {
        devices,
        clock,
        desk,
        offline,
        gate: Gate::open(scene, "demo-1").await?,
        feeds: LiveFeeds::open(scene, story).await?,
        teller: Teller::new(is_json),
        faults: Vec::new(),
        begun: clock.now().moment,
    };
    for (step, number) in story.steps.iter().zip(1_u32..) {
        let instant = story.instant(step)?;
        clock.set(instant);
        player.gate.controller.set_clock(instant.unix());
        let told = player.step(step).await?;
        let named = |fault| format!("step {number} ({} {}): {fault}", step.at, step.says);
        player.faults.extend(told.into_iter().map(named));
    }
    player.teller.times()?;
    player.gate.close().await;
    Ok(player.faults)
}

/// Who plays the story.
pub(super) struct Player<'a> {
    pub(super) devices: &'a mut Devices,
    pub(super) clock: &'a Arc<StoryClock>,
    pub(super) desk: Desk,
    pub(super) gate: Gate,
    pub(super) feeds: LiveFeeds,
    pub(super) teller: Teller,
    faults: Vec<String>,
    /// Readers that did not come online, and why.
    offline: BTreeMap<ReaderId, String>,
    /// When what happens in this step began.
    pub(super) begun: Moment,
}

impl Player<'_> {
    pub(super) fn since_begun(&self) -> Duration {
        self.clock.now().moment.since(self.begun)
    }

    /// Plays a step; answers what came out otherwise.
    async fn step(&mut self, step: &Step) -> Result<Vec<String>> {
        self.teller.step(step)?;
        let point = AccessPointId::parse(&step.access_point)?;
        let door = self.devices.plan().door_of(&point)?.clone();
        self.begun = self.clock.now().moment;
        let mut outcome = match (&step.event, step.card) {
            (Some(event), _) => self.happen(event, &point, &door).await?,
            (None, Some(card)) => {
                let card = Card::h10301(card.facility, card.number);
                self.present(step, (&point, &door), &card).await?
            }
            (None, None) => anyhow::bail!("{}: expected `card` or `event`", step.at),
        };
        let mut faults = self.told_to_feeds(step, &mut outcome).await?;
        if step.event.is_some() && outcome.took.is_none() {
            outcome.took = Some(self.since_begun());
        }
        self.teller.outcome(step, &outcome)?;
        if (outcome.decision.as_str(), &outcome.reasons) != (step.expected(), &step.reasons) {
            let (expected, reasons) = (step.expected(), &step.reasons);
            let (found, why) = (&outcome.decision, &outcome.reasons);
            faults.push(format!(
                "expected {expected} {reasons:?}, found {found} {why:?}"
            ));
            // What should have followed will not.
            return Ok(faults);
        }
        faults.extend(self.sequels(step, (&point, &door)).await?);
        Ok(faults)
    }

    /// Holds a card against the reader there, or has the controller ask.
    async fn present(
        &mut self,
        step: &Step,
        (point, door): (&AccessPointId, &DoorId),
        card: &Card,
    ) -> Result<Outcome> {
        let Some(reader) = self.devices.plan().reader_at(point).cloned() else {
            let (name, pin) = (point.name(), step.pin.as_deref());
            let answer = self.gate.controller.authorize(&name, card, pin).await?;
            let decision = match answer.decision {
                Verdict::Grant => "GRANT",
                Verdict::Denial => "DENIAL",
            };
            return Ok(Outcome {
                decision: decision.to_owned(),
                reasons: answer.reasons,
                took: Some(self.since_begun()),
                way: Way::Asked,
            });
        };
        if let Some(why) = self.offline.get(&reader) {
            return Ok(Outcome {
                decision: format!("nothing, as reader {reader} is {why}"),
                reasons: Vec::new(),
                took: None,
                way: Way::Swiped,
            });
        }
        let by = Swipe {
            reader: &reader,
            door,
            card,
            pin: step.pin.as_deref(),
            person: step.person,
        };
        swipe(self.devices, &by).await
    }

    /// Lets something happen at a door without a card.
    async fn happen(
        &mut self,
        event: &str,
        point: &AccessPointId,
        door: &DoorId,
    ) -> Result<Outcome> {
        let wired = self.devices.door(door).cloned();
        let (took, way) = match (event, wired) {
            ("OPENED_BY_ORDER", _) => {
                self.desk.open_door(door).await?;
                (Some(self.since_begun()), Way::Ordered)
            }
            ("DOOR_FORCED", Some(wired)) => {
                self.devices.deserted(&wired).await;
                self.begun = self.clock.now().moment;
                wired.door.force(None);
                (None, Way::Seen)
            }
            (_, Some(_)) => anyhow::bail!("at a reader's door `{event}` cannot be played"),
            (_, None) => {
                self.report(event, point).await?;
                (Some(self.since_begun()), Way::Reported)
            }
        };
        Ok(Outcome {
            decision: event.to_owned(),
            reasons: Vec::new(),
            took,
            way,
        })
    }

    pub(super) async fn report(&mut self, event: &str, point: &AccessPointId) -> Result<()> {
        let access_point = point.name();
        let kind = kind(event).with_context(|| format!("no controller reports `{event}`"))?;
        let event = DoorEvent { access_point, kind };
        let done = self.gate.controller.report(&[event]).await?;
        anyhow::ensure!(!done.is_empty(), "the event was not acknowledged");
        Ok(())
    }
}

/// The field event of that name that a controller reports.
fn kind(event: &str) -> Option<DoorEventKind> {
    Some(match event {
        "ACCESS_TAKEN" => DoorEventKind::AccessTaken,
        "ACCESS_NOT_TAKEN" => DoorEventKind::AccessNotTaken,
        "REQUEST_TO_EXIT" => DoorEventKind::RequestToExit,
        "DOOR_FORCED" => DoorEventKind::DoorForced,
        "DOOR_HELD" => DoorEventKind::DoorHeld,
        "DOOR_CLOSED" => DoorEventKind::DoorClosed,
        "TAMPER" => DoorEventKind::Tamper,
        _ => return None,
    })
}
