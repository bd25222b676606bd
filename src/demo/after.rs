//! What follows a step: lines in the customers' feeds, field events, an alarm at the desk.

use std::time::Duration;

use anyhow::Result;

use super::desk::Awaited;
use super::devices::SEEN_WITHIN;
use super::play::Player;
use super::story::Step;
use super::tell::{Outcome, Way};
use crate::types::{AccessPointId, DoorId};

impl Player<'_> {
    /// Waits until the feeds tell of the step. A reader says no more than yes or no, so why it
    /// was no is taken from there.
    pub(super) async fn told_to_feeds(
        &mut self,
        step: &Step,
        outcome: &mut Outcome,
    ) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        if outcome.took.is_none() && outcome.way != Way::Seen {
            return Ok(faults);
        }
        for customer in step.feeds.keys() {
            let what = (step.access_point.as_str(), outcome.decision.as_str());
            let found = self.feeds.wait_for(customer, what, SEEN_WITHIN).await?;
            let Some(line) = found else {
                faults.push(format!("{} has not come to {customer}", what.1));
                break;
            };
            outcome.reasons = line.reasons;
        }
        Ok(faults)
    }

    /// Waits for the events that follow, and for the alarm, and sets things right again.
    pub(super) async fn sequels(
        &mut self,
        step: &Step,
        (point, door): (&AccessPointId, &DoorId),
    ) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        let wired = self.devices.door(door).cloned();
        let held_after = wired.as_ref().map_or(Duration::ZERO, |w| w.held_after);
        let within = SEEN_WITHIN.saturating_add(held_after);
        let mut alarm = None;
        for sequel in &step.then {
            let event = sequel.event.as_str();
            if event == "DOOR_CLOSED" {
                alarm = self.raised(step, door, within).await?;
            }
            match &wired {
                Some(wired) if event == "DOOR_CLOSED" => {
                    wired.door.close();
                }
                Some(_) => {}
                None => self.report(event, point).await?,
            }
            for customer in &sequel.feeds {
                let what = (step.access_point.as_str(), event);
                let found = self.feeds.wait_for(customer, what, within).await?;
                if found.is_none() {
                    faults.push(format!("{event} has not come to {customer}"));
                    // The next step finds the door closed all the same.
                    if let Some(wired) = wired {
                        wired.door.close();
                    }
                    return Ok(faults);
                }
            }
            self.teller.sequel(step, event)?;
        }
        faults.extend(self.acknowledge(step, door, alarm).await?);
        Ok(faults)
    }

    /// Waits for the alarm of the step, if there must be one; answers its name.
    async fn raised(
        &mut self,
        step: &Step,
        door: &DoorId,
        within: Duration,
    ) -> Result<Option<String>> {
        let Some(kind) = &step.alarm else {
            return Ok(None);
        };
        let is_over = false;
        let awaited = Awaited {
            kind,
            door,
            is_over,
        };
        let alarm = self.desk.alarm(awaited, within).await?;
        if let Some(alarm) = &alarm {
            let took = self.since_begun();
            // After a card it depends on how long the door may stand open.
            let took = step.event.is_some().then_some(took);
            self.teller.alarm(step, alarm, took)?;
        }
        Ok(alarm.map(|alarm| alarm.name))
    }

    /// Waits until the alarm of the step has ended, and acknowledges it.
    async fn acknowledge(
        &mut self,
        step: &Step,
        door: &DoorId,
        raised: Option<String>,
    ) -> Result<Option<String>> {
        let Some(kind) = &step.alarm else {
            return Ok(None);
        };
        if raised.is_none() {
            return Ok(Some(format!("the alarm {kind} was not raised")));
        }
        let is_over = true;
        let awaited = Awaited {
            kind,
            door,
            is_over,
        };
        let Some(alarm) = self.desk.alarm(awaited, SEEN_WITHIN).await? else {
            return Ok(Some(format!("the alarm {kind} has not ended")));
        };
        let closed = self.desk.acknowledge(&alarm.name).await?;
        self.teller.alarm(step, &closed, None)?;
        Ok(None)
    }
}
