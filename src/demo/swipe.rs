//! Somebody at a simulated reader: card, keys if asked for, and what the reader does.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sluss_sim::{Card, LedOrder, Observed, Person, Seen};

use super::devices::{Devices, between, keeps_it_open, passes};
use super::story::Passing;
use super::tell::{Outcome, Way};
use crate::types::{DoorId, ReaderId};

/// Colours of lights as the standard numbers them (OSDP 2.2, LED).
const RED: u8 = 1;
const AMBER: u8 = 3;

/// Who does what, and where.
#[derive(Debug)]
pub(super) struct Swipe<'a> {
    pub(super) reader: &'a ReaderId,
    pub(super) door: &'a DoorId,
    pub(super) card: &'a Card,
    /// What is typed before `#` when the reader asks.
    pub(super) pin: Option<&'a str>,
    pub(super) person: Passing,
}

/// What a reader does in answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The strike is released.
    Released,
    /// It blinks amber: a PIN.
    AskPin,
    /// It blinks red: no.
    Denied,
    /// It shines amber: nothing could be decided.
    Trouble,
}

/// Holds the card against the reader, types what is asked for, and waits for what comes of it.
pub(super) async fn swipe(devices: &mut Devices, by: &Swipe<'_>) -> Result<Outcome> {
    let reader = devices.reader(by.reader).context("the reader")?.clone();
    let wired = devices.door(by.door).cloned();
    devices.forget();
    if let Some(wired) = &wired {
        devices.settled(wired).await;
        wired.door.person(match by.person {
            Passing::Passes => passes(),
            Passing::KeepsItOpen => keeps_it_open(),
            Passing::Stays => Person::Stays,
        });
    }
    let strike = wired.map(|wired| (wired.reader, wired.strike_output));
    let mut begun = reader.present(by.card);
    let mut way = Way::Swiped;
    loop {
        let seen = devices.wait_for(|at, observed| {
            let shown = if let Seen::Output { number, is_on } = &observed.what {
                let is_strike = strike.as_ref().is_some_and(|(r, n)| r == at && n == number);
                (*is_on && is_strike).then_some(Shown::Released)
            } else if let Seen::Led(order) = &observed.what {
                shown(order).filter(|_| at == by.reader)
            } else {
                None
            };
            shown.map(|shown| (shown, observed.at))
        });
        match seen.await {
            Some((Shown::AskPin, _)) if way == Way::Typed => {}
            Some((Shown::AskPin, _)) => {
                way = Way::Typed;
                // Nobody types before the tone and the words that come with the light.
                let words = |at: &ReaderId, observed: &Observed| {
                    (at == by.reader && matches!(observed.what, Seen::Text(_))).then_some(())
                };
                let _ = devices.wait_for(words).await;
                let keys = format!("{}#", by.pin.unwrap_or_default());
                begun = reader.type_keys(&keys).context("the story's `pin`")?;
            }
            Some((Shown::Released, at)) => return Ok(outcome("GRANT", (begun, at), way)),
            Some((Shown::Denied, at)) => return Ok(outcome("DENIAL", (begun, at), way)),
            Some((Shown::Trouble, _)) => return Ok(none("an amber light", way)),
            None => return Ok(none("nothing", way)),
        }
    }
}

fn outcome(decision: &str, (begun, at): (Instant, Instant), way: Way) -> Outcome {
    Outcome {
        took: Some(between(begun, at)),
        ..none(decision, way)
    }
}

fn none(seen: &str, way: Way) -> Outcome {
    Outcome {
        decision: seen.to_owned(),
        reasons: Vec::new(),
        took: None::<Duration>,
        way,
    }
}

/// What a light says, if it says something to whoever stands there.
fn shown(order: &LedOrder) -> Option<Shown> {
    let (pattern, _) = order.temporary?;
    let is_blinking = !pattern.off_time.is_zero();
    match (pattern.on_color, is_blinking) {
        (AMBER, true) => Some(Shown::AskPin),
        (AMBER, false) => Some(Shown::Trouble),
        (RED, true) => Some(Shown::Denied),
        _ => None,
    }
}
