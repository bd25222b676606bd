//! The file of a scenario.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::orders::{Expectation, Order};
use super::words::duration;
use crate::{
    BusSettings, CardReport, DoorWiring, InvalidSettings, Person, ReaderSettings, SecureKey,
};

/// A scenario's file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is not TOML, or has other keys and values than a scenario.
    #[error("{0}")]
    Toml(String),
    /// Something in it does not fit the rest.
    #[error("line {line}: {what}")]
    Step {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A reader cannot be as it is set.
    #[error("line `{bus}`: {error}")]
    Reader {
        /// The serial line's name.
        bus: String,
        /// What is wrong.
        error: InvalidSettings,
    },
    /// A name stands for two things or for none.
    #[error("{0}")]
    Name(String),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Time(Duration);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        duration(&text).map(Self)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    line: Vec<LineTable>,
    #[serde(default)]
    door: Vec<DoorTable>,
    #[serde(default)]
    step: Vec<StepTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineTable {
    name: String,
    path: PathBuf,
    baud: u32,
    turnaround: Option<Time>,
    reader: Vec<ReaderTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReaderTable {
    address: u8,
    key: Option<String>,
    enforces_security: Option<bool>,
    install_mode: Option<bool>,
    accepts_comset: Option<bool>,
    reports_outputs: Option<bool>,
    hands_over_text: Option<bool>,
    inputs: Option<u8>,
    outputs: Option<u8>,
    serial: Option<u32>,
    turnaround: Option<Time>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DoorTable {
    name: String,
    line: String,
    reader: u8,
    strike_output: u8,
    contact_input: Option<u8>,
    request_to_exit_input: Option<u8>,
    opens_after: Option<Time>,
    open_for: Option<Time>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    at: Option<Time>,
    after: Option<Time>,
    line: Option<String>,
    reader: Option<u8>,
    door: Option<String>,
    #[serde(rename = "do")]
    order: Option<Spanned<Order>>,
    expect: Option<Spanned<Expectation>>,
    expect_not: Option<Spanned<Expectation>>,
    within: Option<Time>,
}

/// A serial line of a scenario.
#[derive(Debug)]
pub(crate) struct LinePart {
    pub(crate) name: String,
    pub(crate) settings: BusSettings,
    pub(crate) readers: Vec<ReaderSettings>,
}

/// A door of a scenario.
#[derive(Debug)]
pub(crate) struct DoorPart {
    pub(crate) name: String,
    pub(crate) line: String,
    pub(crate) reader: u8,
    pub(crate) wiring: DoorWiring,
    pub(crate) person: Person,
}

/// When a step happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// So long after the beginning.
    At(Duration),
    /// So long after the step before.
    After(Duration),
}

/// What happens in a step.
#[derive(Debug)]
pub(crate) enum What {
    Order(Order),
    Expect(Expectation, Duration),
    ExpectNot(Expectation, Duration),
}

/// A step of a scenario.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line_number: usize,
    pub(crate) when: When,
    /// The serial line's name.
    pub(crate) line: String,
    pub(crate) reader: Option<u8>,
    pub(crate) door: Option<String>,
    pub(crate) what: What,
}

/// Lines, doors, and what happens to them.
#[derive(Debug)]
pub struct Scenario {
    pub(crate) lines: Vec<LinePart>,
    pub(crate) doors: Vec<DoorPart>,
    pub(crate) steps: Vec<Step>,
}

impl Scenario {
    /// Reads a scenario. The error names the line of the file.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let told = |error: toml::de::Error| ScenarioError::Toml(error.to_string());
        let file: File = toml::from_str(text).map_err(told)?;
        let lines = file.line.into_iter().map(line_part);
        let mut scenario = Self {
            lines: lines.collect::<Result<_, _>>()?,
            doors: file.door.into_iter().map(door_part).collect(),
            steps: Vec::new(),
        };
        scenario.check_names()?;
        for table in file.step {
            let step = scenario.step(table, text)?;
            scenario.steps.push(step);
        }
        Ok(scenario)
    }

    fn check_names(&self) -> Result<(), ScenarioError> {
        let mut names = HashSet::new();
        let lines = self.lines.iter().map(|line| line.name.as_str());
        for name in lines.chain(self.doors.iter().map(|door| door.name.as_str())) {
            if !names.insert(name) {
                return Err(ScenarioError::Name(format!("`{name}` is there twice")));
            }
        }
        for door in &self.doors {
            if !self.has_reader(&door.line, door.reader) {
                let what = format!("door `{}`: no reader {}", door.name, door.reader);
                return Err(ScenarioError::Name(format!(
                    "{what} on line `{}`",
                    door.line
                )));
            }
        }
        Ok(())
    }

    fn has_reader(&self, line: &str, address: u8) -> bool {
        let line = self.lines.iter().find(|other| other.name == line);
        line.is_some_and(|line| line.readers.iter().any(|r| r.address == address))
    }

    fn step(&self, table: StepTable, text: &str) -> Result<Step, ScenarioError> {
        let within = table.within.map(|time| time.0);
        let (at, what) = match (table.order, table.expect, table.expect_not) {
            (Some(order), None, None) if within.is_none() => {
                (order.span().start, Some(What::Order(order.into_inner())))
            }
            (None, Some(expected), None) => {
                let at = expected.span().start;
                (
                    at,
                    within.map(|time| What::Expect(expected.into_inner(), time)),
                )
            }
            (None, None, Some(expected)) => {
                let at = expected.span().start;
                (
                    at,
                    within.map(|time| What::ExpectNot(expected.into_inner(), time)),
                )
            }
            (order, expected, _) => {
                let at = order.map(|o| o.span().start);
                (at.or(expected.map(|e| e.span().start)).unwrap_or(0), None)
            }
        };
        let line_number = text
            .bytes()
            .take(at)
            .filter(|byte| *byte == b'\n')
            .count()
            .saturating_add(1);
        let wrong = |what: &str| ScenarioError::Step {
            line: line_number,
            what: what.to_owned(),
        };
        let one = "a step has either `do`, or `expect` or `expect_not` with `within`";
        let step = Step {
            line_number,
            when: match (table.at, table.after) {
                (Some(_), Some(_)) => return Err(wrong("a step has `at` or `after`, not both")),
                (Some(at), None) => When::At(at.0),
                (None, after) => When::After(after.map(|time| time.0).unwrap_or_default()),
            },
            line: match (table.line, self.lines.as_slice()) {
                (Some(name), lines) if lines.iter().any(|line| line.name == name) => name,
                (None, [line]) => line.name.clone(),
                (Some(_), _) => return Err(wrong("there is no such line")),
                (None, _) => return Err(wrong("which `line`?")),
            },
            reader: table.reader,
            door: table.door,
            what: what.ok_or_else(|| wrong(one))?,
        };
        self.check_target(&step).map_err(wrong)?;
        Ok(step)
    }

    /// Whether what is done or expected has its reader or its door.
    fn check_target(&self, step: &Step) -> Result<(), &'static str> {
        let needs_reader = match &step.what {
            What::Order(Order::Reader(_)) | What::Expect(..) | What::ExpectNot(..) => true,
            What::Order(Order::Line(_) | Order::Door(_)) => false,
        };
        let needs_door = matches!(step.what, What::Order(Order::Door(_)));
        if needs_reader != step.reader.is_some() || needs_door != step.door.is_some() {
            return Err("a reader's step names its `reader`, a door's its `door`");
        }
        let is_there = |address| self.has_reader(&step.line, address);
        if !step.reader.is_none_or(is_there) {
            return Err("there is no such reader on the line");
        }
        let is_there = |name: &String| self.doors.iter().any(|door| door.name == *name);
        if !step.door.as_ref().is_none_or(is_there) {
            return Err("there is no such door");
        }
        Ok(())
    }
}

fn line_part(table: LineTable) -> Result<LinePart, ScenarioError> {
    let mut settings = BusSettings::new(table.path, table.baud);
    if let Some(turnaround) = table.turnaround {
        settings.turnaround = turnaround.0;
    }
    let readers = table.reader.into_iter().map(|reader| {
        let made = reader_settings(&reader).and_then(|made| made.check().map(|()| made));
        made.map_err(|error| ScenarioError::Reader {
            bus: table.name.clone(),
            error,
        })
    });
    Ok(LinePart {
        readers: readers.collect::<Result<_, _>>()?,
        name: table.name.clone(),
        settings,
    })
}

fn reader_settings(table: &ReaderTable) -> Result<ReaderSettings, InvalidSettings> {
    let key = table.key.as_deref().map(SecureKey::from_hex).transpose()?;
    let plain = ReaderSettings::plain(table.address);
    let mut identity = plain.identity;
    identity.serial = table.serial.unwrap_or(identity.serial);
    Ok(ReaderSettings {
        key,
        is_secure_enforced: table.enforces_security.unwrap_or(key.is_some()),
        is_install_mode: table.install_mode.unwrap_or_default(),
        accepts_comset: table.accepts_comset.unwrap_or_default(),
        reports_outputs: table.reports_outputs.unwrap_or_default(),
        card_report: match table.hands_over_text {
            Some(true) => CardReport::Fmt,
            Some(false) | None => CardReport::Raw,
        },
        inputs: table.inputs.unwrap_or(plain.inputs),
        outputs: table.outputs.unwrap_or(plain.outputs),
        turnaround: table.turnaround.map(|time| time.0),
        identity,
        ..plain
    })
}

fn door_part(table: DoorTable) -> DoorPart {
    let person = table
        .opens_after
        .map_or(Person::Stays, |after| Person::Opens {
            after: after.0,
            open_for: table.open_for.map(|time| time.0),
        });
    DoorPart {
        name: table.name,
        line: table.line,
        reader: table.reader,
        wiring: DoorWiring {
            strike_output: table.strike_output,
            contact_input: table.contact_input,
            request_to_exit_input: table.request_to_exit_input,
        },
        person,
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
