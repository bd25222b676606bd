//! Plays the story with a simulated controller, over mTLS.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::json;
use sluss_sim::{Card, Controller, DoorEvent, DoorEventKind, Verdict};

use super::clock::StoryClock;
use super::site::Scene;
use super::story::{Step, Story};

/// Plays every step; answers what came out otherwise.
pub(super) async fn play(
    scene: &Scene,
    story: &Story,
    clock: &StoryClock,
    json: bool,
) -> Result<Vec<String>> {
    let settings = scene.controller_settings()?;
    let mut gate = Controller::connect(&settings, "demo-1")
        .await
        .context("the controller")?;
    let mut faults = Vec::new();
    for (step, number) in story.steps.iter().zip(1_u32..) {
        let instant = story.instant(step)?;
        clock.set(instant);
        gate.set_clock(instant.unix());
        let (decision, reasons) = act(&mut gate, step).await?;
        tell(step, &decision, &reasons, json)?;
        if (decision.as_str(), &reasons) != (step.expected(), &step.reasons) {
            faults.push(format!(
                "step {number} ({} {}): expected {} {:?}, found {decision} {reasons:?}",
                step.at,
                step.says,
                step.expected(),
                step.reasons,
            ));
        }
    }
    Ok(faults)
}

async fn act(gate: &mut Controller, step: &Step) -> Result<(String, Vec<String>)> {
    let access_point = format!("accessPoints/{}", step.access_point);
    let Some(card) = step.card else {
        let kind = DoorEventKind::DoorForced;
        let done = gate.report(&[DoorEvent { access_point, kind }]).await?;
        anyhow::ensure!(!done.is_empty(), "the event was not acknowledged");
        return Ok(("DOOR_FORCED".to_owned(), Vec::new()));
    };
    let card = Card::h10301(card.facility, card.number);
    let answer = gate
        .authorize(&access_point, &card, step.pin.as_deref())
        .await?;
    let decision = match answer.decision {
        Verdict::Grant => "GRANT",
        Verdict::Denial => "DENIAL",
    };
    Ok((decision.to_owned(), answer.reasons))
}

impl Step {
    fn expected(&self) -> &str {
        self.event.as_deref().unwrap_or(&self.decision)
    }
}

fn tell(step: &Step, decision: &str, reasons: &[String], json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let line = json!({
            "kind": "attempt", "at": step.at, "access_point": step.access_point,
            "decision": decision, "reasons": reasons, "says": step.says,
        });
        writeln!(out, "{line}")?;
    } else {
        let reasons = reasons.join(", ");
        let (at, point, says) = (&step.at, &step.access_point, &step.says);
        writeln!(out, "{at}  {point:<13} {decision:<12} {reasons:<33} {says}")?;
    }
    Ok(())
}
