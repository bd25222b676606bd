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
    pub(super) date: NaiveDate,
    zone: SiteZone,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    step: Vec<Step>,
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
}

/// An H10301 card.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardNumbers {
    pub(super) facility: u8,
    pub(super) number: u16,
}

impl Story {
    /// Reads the story of a folder, or the one that comes along.
    pub(super) fn read(folder: Option<&Path>) -> Result<Self> {
        let text = text(
            folder,
            "story.toml",
            include_str!("../../deploy/demo/story.toml"),
        )?;
        let File { step: steps } = toml::from_str(&text).context("story.toml")?;
        let zone = SiteZone::parse(ZONE)?;
        Ok(Self {
            steps,
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
        let named = self.steps.iter().flat_map(|step| step.feeds.keys());
        named.filter_map(|id| CustomerId::parse(id).ok()).collect()
    }
}

impl Step {
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
