//! The story: what happens, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use chrono::{Datelike as _, Days, NaiveDate};
use serde::Deserialize;

use crate::env::System;
use crate::types::{CustomerId, SiteZone, UtcTime, World as _};

/// The zone that the story's hours are told in; the site file's is the same.
const ZONE: &str = "Europe/Stockholm";

/// A day at a site.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) steps: Vec<Step>,
    /// Keys that simulated readers have instead of those that the server was given.
    pub(super) keys: BTreeMap<String, String>,
    pub(super) date: NaiveDate,
    zone: SiteZone,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    step: Vec<Step>,
    #[serde(default)]
    reader: Vec<OddReader>,
}

/// A reader that was given another key than the server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OddReader {
    id: String,
    key: String,
}

/// Something that happens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Time of day, `HH:MM`.
    pub(super) at: String,
    pub(super) says: String,
    pub(super) access_point: String,
    /// A card that is presented; none for a field event.
    pub(super) card: Option<CardNumbers>,
    pub(super) pin: Option<String>,
    /// A field event, as the API names it.
    pub(super) event: Option<String>,
    #[serde(default)]
    pub(super) decision: String,
    #[serde(default)]
    pub(super) reasons: Vec<String>,
    /// Who it is in each feed that must tell of it.
    #[serde(default)]
    pub(super) feeds: BTreeMap<String, String>,
    /// What whoever is let in does.
    #[serde(default)]
    pub(super) person: Passing,
    /// The field events that must follow, in this order.
    #[serde(default)]
    pub(super) then: Vec<Sequel>,
    /// The alarm that it must raise, as the API names it.
    pub(super) alarm: Option<String>,
}

/// What somebody does at a door that was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Passing {
    /// Opens it and lets it close.
    #[default]
    Passes,
    /// Opens it, and it is not closed until its alarm stands.
    KeepsItOpen,
    /// Does not open it.
    Stays,
}

/// A field event that follows a step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sequel {
    /// What, as the API names it.
    pub(super) event: String,
    /// The feeds that must tell of it.
    pub(super) feeds: BTreeSet<String>,
}

/// One line of a feed, as the story tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) date: String,
    pub(super) hour: u32,
    pub(super) who: String,
    pub(super) access_point: String,
    /// The decision or the event.
    pub(super) decision: String,
    pub(super) reasons: Vec<String>,
}

/// An H10301 card.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardNumbers {
    pub(super) facility: u8,
    pub(super) number: u16,
}

impl Line {
    /// The line in one row.
    pub(super) fn words(&self) -> String {
        let (date, hour, who) = (&self.date, self.hour, &self.who);
        let (point, decision) = (&self.access_point, &self.decision);
        let reasons = self.reasons.join(", ");
        let words = format!("`{date} {hour:02}h {who} {point} {decision} {reasons}");
        format!("{}`", words.trim_end())
    }
}

impl Story {
    /// Reads the story of a folder, or the one that comes along.
    pub(super) fn read(folder: Option<&Path>) -> Result<Self> {
        let text = text(
            folder,
            "story.toml",
            include_str!("../../deploy/demo/story.toml"),
        )?;
        let file: File = toml::from_str(&text).context("story.toml")?;
        let zone = SiteZone::parse(ZONE)?;
        let keys = file.reader.into_iter().map(|odd| (odd.id, odd.key));
        Ok(Self {
            steps: file.step,
            keys: keys.collect(),
            date: last_monday(zone),
            zone,
        })
    }

    /// When the day begins: early in the morning.
    pub(super) fn day(&self) -> Result<UtcTime> {
        Ok(self.zone.instant(self.date, 5 * 60)?)
    }

    /// When a step happens.
    pub(super) fn instant(&self, step: &Step) -> Result<UtcTime> {
        Ok(self.zone.instant(self.date, step.minute_of_day()?)?)
    }

    /// The customers whose feeds are read.
    pub(super) fn customers(&self) -> BTreeSet<CustomerId> {
        let sequels = self.steps.iter().flat_map(|step| &step.then);
        let named = self.steps.iter().flat_map(|step| step.feeds.keys());
        let named = named.chain(sequels.flat_map(|sequel| &sequel.feeds));
        named.filter_map(|id| CustomerId::parse(id).ok()).collect()
    }

    /// What the feed of a customer must tell, in this order.
    pub(super) fn lines(&self, customer: &CustomerId) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        for step in &self.steps {
            let hour = step.minute_of_day()? / 60;
            let line = |who: &str, decision: &str, reasons: &[String]| Line {
                date: self.date.format("%Y-%m-%d").to_string(),
                hour,
                who: who.to_owned(),
                access_point: step.access_point.clone(),
                decision: decision.to_owned(),
                reasons: reasons.to_vec(),
            };
            if let Some(who) = step.feeds.get(customer.as_str()) {
                lines.push(line(who, step.expected(), &step.reasons));
            }
            let told = |sequel: &&Sequel| sequel.feeds.contains(customer.as_str());
            let sequels = step.then.iter().filter(told);
            lines.extend(sequels.map(|sequel| line("-", &sequel.event, &[])));
        }
        Ok(lines)
    }
}

impl Step {
    /// The decision or the event that must come of it.
    pub(super) fn expected(&self) -> &str {
        self.event.as_deref().unwrap_or(&self.decision)
    }

    pub(super) fn minute_of_day(&self) -> Result<u32> {
        let wrong = || anyhow!("`{}`: expected a time of day as HH:MM", self.at);
        let (hour, minute) = self.at.split_once(':').ok_or_else(wrong)?;
        let (hour, minute): (u32, u32) = (hour.parse()?, minute.parse()?);
        (hour < 24 && minute < 60)
            .then_some(hour * 60 + minute)
            .ok_or_else(wrong)
    }
}

/// A file of the folder, or the one that comes along.
pub(super) fn text(folder: Option<&Path>, name: &str, ours: &str) -> Result<String> {
    let Some(folder) = folder else {
        return Ok(ours.to_owned());
    };
    let path = folder.join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The last Monday that has passed whole: a working day, and in the past for every clock.
fn last_monday(zone: SiteZone) -> NaiveDate {
    let today = zone.local(System::start().now().utc).date;
    let days = u64::from(today.weekday().num_days_from_monday());
    let back = if days == 0 { 7 } else { days };
    today.checked_sub_days(Days::new(back)).unwrap_or(today)
}
