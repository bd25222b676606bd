//! A customer's access list as a CSV file (docs/access-list-file.md).

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::fault::{FaultList, FileFaults};
use super::local_time::{Edge, parse_instant, timestamp};
use super::safe_text::from_csv_cell;
use super::site_file::read_text;
use crate::pb::v1::AccessListLine;
use crate::types::{
    AreaId, BadgeNumber, DisplayName, DoorId, InvalidId, PersonId, ScheduleId, SiteZone,
};

/// What an upload may hold; the server refuses more.
const LINES_MAX: usize = 20_000;

/// Columns that are understood, as `list show -o csv` writes them.
const COLUMNS: [&str; 9] = [
    "badge",
    "person",
    "name",
    "areas",
    "doors",
    "schedule",
    "valid_from",
    "valid_until",
    "approver",
];

/// Reads a list file. Dates and times without an offset are read in the site's zone.
pub fn read(path: &Path, zone: SiteZone) -> Result<Vec<AccessListLine>, FileFaults> {
    let text = read_text(path)?;
    parse(&path.display().to_string(), &text, zone)
}

/// Reads the text of a list file; `file` is what faults call it.
pub fn parse(file: &str, text: &str, zone: SiteZone) -> Result<Vec<AccessListLine>, FileFaults> {
    let mut faults = FaultList::default();
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter_of(text))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(header) => columns_of(header, &mut faults),
        Err(error) => {
            faults.push(1, "header", error.to_string());
            Vec::new()
        }
    };
    // What no header says cannot be read, and every line would only say so again.
    if !faults.is_empty() {
        return faults.finish(file, Vec::new());
    }
    let mut lines = Vec::new();
    for record in reader.records().take(LINES_MAX.saturating_add(1)) {
        match record {
            Ok(record) if record.iter().all(str::is_empty) => {}
            Ok(record) => {
                let row = Row {
                    line: line_of(&record),
                    columns: &columns,
                    record: &record,
                    zone,
                };
                lines.extend(row.entry(&mut faults));
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                faults.push(
                    u32::try_from(line).unwrap_or(u32::MAX),
                    "csv",
                    error.to_string(),
                );
            }
        }
    }
    if lines.len() > LINES_MAX {
        faults.push(1, "file", format!("expected at most {LINES_MAX} lines"));
    }
    faults.finish(file, lines)
}

/// Spreadsheets of half of Europe write `;` between cells.
fn delimiter_of(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    if header.contains(';') && !header.contains(',') {
        b';'
    } else {
        b','
    }
}

fn line_of(record: &StringRecord) -> u32 {
    let line = record.position().map_or(0, csv::Position::line);
    u32::try_from(line).unwrap_or(u32::MAX)
}

/// The columns of the header, in its order; every fault of it noted.
fn columns_of(header: &StringRecord, faults: &mut FaultList) -> Vec<Option<&'static str>> {
    let mut columns: Vec<Option<&'static str>> = Vec::new();
    for title in header {
        let name = title.to_lowercase().replace(' ', "_");
        let known = COLUMNS.into_iter().find(|column| *column == name);
        if known.is_none() {
            let what = format!("is not known; expected {}", COLUMNS.join(", "));
            faults.push(1, format!("column `{title}`"), what);
        } else if columns.contains(&known) {
            faults.push(1, format!("column `{title}`"), "stands there twice");
        }
        columns.push(known);
    }
    let has = |name| columns.contains(&Some(name));
    if !has("badge") && !has("person") {
        faults.push(1, "header", "expected a column `badge` or `person`");
    }
    if !has("areas") && !has("doors") {
        faults.push(1, "header", "expected a column `areas` or `doors`");
    }
    if !has("approver") {
        faults.push(1, "header", "expected a column `approver`");
    }
    columns
}

/// One line, with what reading it needs.
struct Row<'r> {
    line: u32,
    columns: &'r [Option<&'static str>],
    record: &'r StringRecord,
    zone: SiteZone,
}

impl Row<'_> {
    fn cell(&self, column: &'static str) -> &str {
        self.columns
            .iter()
            .position(|found| *found == Some(column))
            .and_then(|at| self.record.get(at))
            .map(from_csv_cell)
            .unwrap_or_default()
    }

    /// The line, unless it has more or fewer cells than the header: then nothing in it is where
    /// it should be.
    fn entry(&self, faults: &mut FaultList) -> Option<AccessListLine> {
        if self.record.len() != self.columns.len() {
            let (wanted, found) = (self.columns.len(), self.record.len());
            faults.push(
                self.line,
                "line",
                format!("expected {wanted} cells as in the header, found {found}"),
            );
            return None;
        }
        let badge = self.checked(faults, "badge", BadgeNumber::parse);
        let person = self.name(faults, "person", PersonId::COLLECTION, person_name);
        if self.cell("badge").is_empty() && self.cell("person").is_empty() {
            faults.push(self.line, "badge", "expected a badge number or a person");
        }
        let areas = self.names(faults, "areas", AreaId::COLLECTION, area_name);
        let doors = self.names(faults, "doors", DoorId::COLLECTION, door_name);
        if self.cell("areas").is_empty() && self.cell("doors").is_empty() {
            faults.push(self.line, "areas", "expected at least one area or door");
        }
        if self.cell("approver").is_empty() {
            faults.push(
                self.line,
                "approver",
                "expected a badge number or `persons/ID`",
            );
        }
        Some(AccessListLine {
            line: self.line,
            badge_number: badge,
            person,
            display_name: self.checked(faults, "name", DisplayName::parse),
            areas,
            doors,
            schedule: self.name(faults, "schedule", ScheduleId::COLLECTION, schedule_name),
            valid_from: self.instant(faults, "valid_from", Edge::From),
            valid_until: self.instant(faults, "valid_until", Edge::Until),
            approver: self.checked(faults, "approver", approver),
        })
    }

    /// The cell if it is empty or `check` accepts it. What was found is not repeated: it may be
    /// a name.
    fn checked<T, E: std::fmt::Display>(
        &self,
        faults: &mut FaultList,
        column: &'static str,
        check: impl Fn(&str) -> Result<T, E>,
    ) -> String {
        let cell = self.cell(column);
        if cell.is_empty() {
            return String::new();
        }
        match check(cell) {
            Ok(_) => cell.to_owned(),
            Err(error) => {
                faults.push(self.line, shown(column), error.to_string());
                String::new()
            }
        }
    }

    fn name(
        &self,
        faults: &mut FaultList,
        column: &'static str,
        collection: &str,
        name: fn(&str) -> Result<String, InvalidId>,
    ) -> String {
        self.names(faults, column, collection, name)
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    /// Ids or resource names, separated by `;` or spaces, as resource names.
    fn names(
        &self,
        faults: &mut FaultList,
        column: &'static str,
        collection: &str,
        name: fn(&str) -> Result<String, InvalidId>,
    ) -> Vec<String> {
        let prefix = format!("{collection}/");
        let mut names = Vec::new();
        let ids = self.cell(column).split([';', ' ']);
        for id in ids.filter(|id| !id.is_empty()) {
            match name(id.strip_prefix(&prefix).unwrap_or(id)) {
                Ok(name) => names.push(name),
                Err(error) => {
                    let what = format!("expected ids, found `{id}`: {error}");
                    faults.push(self.line, shown(column), what);
                }
            }
        }
        names
    }

    fn instant(
        &self,
        faults: &mut FaultList,
        column: &'static str,
        edge: Edge,
    ) -> Option<prost_types::Timestamp> {
        let cell = self.cell(column);
        if cell.is_empty() {
            return None;
        }
        match parse_instant(self.zone, cell, edge) {
            Ok(instant) => Some(timestamp(instant)),
            Err(error) => {
                faults.push(self.line, shown(column), error.to_string());
                None
            }
        }
    }
}

fn shown(column: &str) -> String {
    column.replace('_', " ")
}

fn person_name(id: &str) -> Result<String, InvalidId> {
    PersonId::parse(id).map(|id| id.name())
}

fn area_name(id: &str) -> Result<String, InvalidId> {
    AreaId::parse(id).map(|id| id.name())
}

fn door_name(id: &str) -> Result<String, InvalidId> {
    DoorId::parse(id).map(|id| id.name())
}

fn schedule_name(id: &str) -> Result<String, InvalidId> {
    ScheduleId::parse(id).map(|id| id.name())
}

fn approver(text: &str) -> Result<(), String> {
    if text.starts_with("persons/") {
        PersonId::from_name(text)
            .map(|_| ())
            .map_err(|error| error.to_string())
    } else {
        BadgeNumber::parse(text)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<AccessListLine>, FileFaults> {
        parse(
            "list.csv",
            text,
            SiteZone::parse("Europe/Stockholm").unwrap(),
        )
    }

    #[test]
    fn a_line_says_who_where_when_and_on_whose_word() {
        let text = "Badge,Person,Name,Areas,Doors,Schedule,Valid from,Valid until,Approver\n\
                    B-1,,Person One,cage-a; hall,d-1,office,2026-01-01,2026-12-31,persons/p-9\n";
        let lines = read(text).unwrap();
        let line = &lines[0];
        assert_eq!((line.line, line.badge_number.as_str()), (2, "B-1"));
        assert_eq!(line.areas, ["areas/cage-a", "areas/hall"]);
        assert_eq!(line.doors, ["doors/d-1"]);
        assert_eq!(line.schedule, "schedules/office");
        assert_eq!(line.valid_from.unwrap().seconds, 1_767_222_000);
        // The day in `valid until` still belongs to it.
        assert_eq!(line.valid_until.unwrap().seconds, 1_798_758_000);
    }

    #[test]
    fn semicolons_between_cells_and_a_neutralised_name_are_read() {
        let text = "person;name;areas;approver\npersons/p-1;'=Ett;\"cage-a;hall\";B-9\n\n";
        let lines = read(text).unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (lines[0].person.as_str(), lines[0].display_name.as_str()),
            ("persons/p-1", "=Ett")
        );
        assert_eq!(lines[0].areas.len(), 2);
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let text = "badge,areas,valid until,approver\n\
                    ,CAGE,2026-13-01,\n\
                    B-1,,,B-9\n\
                    B-1,hall,\n";
        assert_eq!(
            read(text).unwrap_err().lines(),
            [
                "list.csv:2: approver: expected a badge number or `persons/ID`",
                "list.csv:2: areas: expected ids, found `CAGE`: an id is 1 to 40 characters of \
                 a-z, 0-9 and -, beginning with a letter or digit",
                "list.csv:2: badge: expected a badge number or a person",
                "list.csv:2: valid until: expected YYYY-MM-DD, YYYY-MM-DD HH:MM or \
                 2026-11-23T08:15:00Z, found `2026-13-01`",
                "list.csv:3: areas: expected at least one area or door",
                "list.csv:4: line: expected 4 cells as in the header, found 3",
            ]
        );
    }

    #[test]
    fn a_header_that_cannot_be_read_is_refused_before_the_lines() {
        let faults = read("name\nPerson One\n").unwrap_err();
        let lines = faults.lines();
        assert!(lines[0].contains("expected a column"));
        assert!(lines.iter().all(|line| line.starts_with("list.csv:1: ")));
        let faults = read("badge,areas,approver,colour\n,,,\n").unwrap_err();
        assert_eq!(
            faults.lines(),
            [
                "list.csv:1: column `colour`: is not known; expected badge, person, name, areas, \
                 doors, schedule, valid_from, valid_until, approver"
            ]
        );
        assert!(read("").is_err());
    }
}
