//! A checked leaf as a row of output.

use super::feed_check::CheckedLeaf;
use super::print::{Cell, Column, Place};
use super::words;
use crate::ledger::LeafKind;
use crate::ledger::record::Record;
use crate::pb::v1::subject::Subject;
use crate::pb::v1::{DoorEventRecord, EntryRecord, FeedDisplay, FeedTime};
use crate::types::CustomerId;

const fn data(name: &'static str) -> Column {
    Column {
        name,
        width: 0,
        place: Place::DataOnly,
    }
}

const fn shown(name: &'static str, width: u16, place: Place) -> Column {
    Column { name, width, place }
}

/// As wide as the longest of them, `card ~c-` and sixteen characters: rows that come one by one
/// stay in line.
const WHO_WIDTH: u16 = 24;

/// The columns of a feed, the same for every kind of leaf.
pub const COLUMNS: [Column; 29] = [
    data("kind"),
    data("customer"),
    shown("index", 6, Place::Everywhere),
    data("date"),
    data("hour"),
    data("minute"),
    data("second"),
    data("utc_offset_min"),
    shown("time", 16, Place::TableOnly),
    shown("who", WHO_WIDTH, Place::TableOnly),
    data("badge_number"),
    data("pseudonym"),
    data("card_format"),
    data("card_bit_length"),
    shown("access_point", 14, Place::Everywhere),
    data("door"),
    data("direction"),
    shown("what", 11, Place::TableOnly),
    data("decision"),
    shown("reasons", 10, Place::Everywhere),
    data("verified"),
    data("list_entry"),
    data("approver"),
    data("decided_by"),
    data("handed_in_later"),
    data("event"),
    data("source_counter"),
    data("present"),
    data("person_name"),
];

/// What a row says, before it is laid out in columns.
#[derive(Debug, Default)]
struct Content {
    time: Option<FeedTime>,
    badge_number: String,
    pseudonym: String,
    card: Option<(String, u32)>,
    access_point: String,
    door: String,
    direction: String,
    what: String,
    decision: String,
    reasons: Vec<String>,
    verified: Vec<String>,
    list_entry: String,
    approver: String,
    decided_by: String,
    handed_in_later: Option<bool>,
    event: String,
    source_counter: Option<u64>,
}

/// The row of a leaf; names come from `display`, which is no part of what was committed.
pub fn row(customer: &CustomerId, leaf: &CheckedLeaf, display: Option<&FeedDisplay>) -> Vec<Cell> {
    let kind = kind_word(leaf.kind);
    let content = match &leaf.record {
        Some(Record::Entry(entry)) => of_entry(entry),
        Some(Record::DoorEvent(event)) => of_event(event),
        Some(Record::Genesis(_) | Record::Other { .. }) => Content {
            what: kind.to_owned(),
            ..Content::default()
        },
        None => Content {
            what: "not present".to_owned(),
            ..Content::default()
        },
    };
    cells(kind, customer, leaf, content, display)
}

fn cells(
    kind: &str,
    customer: &CustomerId,
    leaf: &CheckedLeaf,
    content: Content,
    display: Option<&FeedDisplay>,
) -> Vec<Cell> {
    let time = content.time.as_ref();
    let number = |value: Option<u32>| value.map_or(Cell::Empty, Cell::number);
    let (card_format, card_bits) = content.card.clone().unzip();
    let who = who(&content);
    let is_attempt = !content.decision.is_empty();
    let list = |texts: Vec<String>| {
        if is_attempt {
            Cell::List(texts)
        } else {
            Cell::Empty
        }
    };
    vec![
        Cell::text(kind),
        Cell::text(customer.as_str()),
        Cell::number(leaf.index),
        Cell::text(time.map(|t| t.date.clone()).unwrap_or_default()),
        number(time.map(|t| t.hour)),
        number(time.and_then(|t| t.minute)),
        number(time.and_then(|t| t.second)),
        time.map_or(Cell::Empty, |t| Cell::number(t.utc_offset_min)),
        Cell::text(time.map(read_time).unwrap_or_default()),
        Cell::text(who),
        Cell::text(content.badge_number),
        Cell::text(content.pseudonym),
        Cell::text(card_format.unwrap_or_default()),
        number(card_bits),
        Cell::text(content.access_point),
        Cell::text(content.door),
        Cell::text(content.direction),
        Cell::text(content.what),
        Cell::text(content.decision),
        list(content.reasons),
        list(content.verified),
        Cell::text(content.list_entry),
        Cell::text(content.approver),
        Cell::text(content.decided_by),
        content.handed_in_later.map_or(Cell::Empty, Cell::Flag),
        Cell::text(content.event),
        content.source_counter.map_or(Cell::Empty, Cell::number),
        Cell::Flag(leaf.record.is_some()),
        Cell::text(display.map(|d| d.person.clone()).unwrap_or_default()),
    ]
}

fn of_entry(entry: &EntryRecord) -> Content {
    let mut content = Content {
        time: entry.time.clone(),
        access_point: words::bare_id(&entry.access_point).to_owned(),
        door: words::bare_id(&entry.door).to_owned(),
        direction: words::direction(entry.direction),
        what: words::decision(entry.decision),
        decision: words::decision(entry.decision),
        reasons: entry.reasons.iter().map(|r| words::reason(*r)).collect(),
        verified: entry.verified.iter().map(|f| words::factor(*f)).collect(),
        list_entry: entry.list_entry.clone(),
        approver: entry.approver.clone(),
        decided_by: words::decided_by(entry.decided_by),
        handed_in_later: Some(entry.handed_in_later),
        source_counter: Some(entry.source_counter),
        ..Content::default()
    };
    match entry.subject.as_ref().and_then(|s| s.subject.as_ref()) {
        Some(Subject::BadgeNumber(number)) => content.badge_number.clone_from(number),
        Some(Subject::Pseudonym(pseudonym)) => content.pseudonym.clone_from(pseudonym),
        Some(Subject::UnknownCard(card)) => {
            content.pseudonym.clone_from(&card.pseudonym);
            content.card = Some((card.format.clone(), card.bit_length));
        }
        None => {}
    }
    content
}

fn of_event(event: &DoorEventRecord) -> Content {
    let what = words::door_event(event.kind);
    Content {
        time: event.time.clone(),
        access_point: words::bare_id(&event.access_point).to_owned(),
        door: words::bare_id(&event.door).to_owned(),
        event: what.clone(),
        what,
        source_counter: Some(event.source_counter),
        ..Content::default()
    }
}

/// The badge number, or what stands for somebody whose number this customer may not know.
fn who(content: &Content) -> String {
    if !content.badge_number.is_empty() {
        return content.badge_number.clone();
    }
    match (&content.card, content.pseudonym.as_str()) {
        (_, "") => String::new(),
        (Some(_), pseudonym) => format!("card ~{pseudonym}"),
        (None, pseudonym) => format!("~{pseudonym}"),
    }
}

/// As fine as the contract tells it: `2026-11-23 08h`, `2026-11-23 08:15`, `.. 08:15:30`.
fn read_time(time: &FeedTime) -> String {
    let (date, hour) = (&time.date, time.hour);
    match (time.minute, time.second) {
        (Some(minute), Some(second)) => format!("{date} {hour:02}:{minute:02}:{second:02}"),
        (Some(minute), None) => format!("{date} {hour:02}:{minute:02}"),
        (None, _) => format!("{date} {hour:02}h"),
    }
}

fn kind_word(kind: LeafKind) -> &'static str {
    match kind {
        LeafKind::Genesis => "genesis",
        LeafKind::Entry => "entry",
        LeafKind::DoorEvent => "door_event",
        LeafKind::ListChange => "list_change",
        LeafKind::Approval => "approval",
        LeafKind::Correction => "correction",
        LeafKind::Gap => "gap",
        LeafKind::CompleteThrough => "complete_through",
        LeafKind::KeyRotation => "key_rotation",
        LeafKind::RetentionMoved => "retention_moved",
        LeafKind::Restore => "restore",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::print::{OutputFormat, Printer};
    use crate::pb::v1;

    fn printed(format: OutputFormat, leaf: &CheckedLeaf) -> String {
        let mut bytes = Vec::new();
        let mut printer = Printer::new(&mut bytes, format, &COLUMNS);
        let acme = CustomerId::parse("acme").unwrap();
        printer.row(row(&acme, leaf, None)).unwrap();
        printer.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn denial() -> CheckedLeaf {
        CheckedLeaf {
            index: 12,
            kind: LeafKind::Entry,
            record: Some(Record::Entry(EntryRecord {
                time: Some(FeedTime {
                    date: "2026-11-23".into(),
                    hour: 8,
                    utc_offset_min: 60,
                    ..FeedTime::default()
                }),
                subject: Some(v1::Subject {
                    subject: Some(Subject::BadgeNumber("B-1042".into())),
                }),
                access_point: "accessPoints/d1-in".into(),
                decision: v1::Decision::Denial.into(),
                reasons: vec![v1::DenialReason::NotOnAccessList.into()],
                ..EntryRecord::default()
            })),
        }
    }

    #[test]
    fn a_json_line_carries_what_is_promised() {
        let line = printed(OutputFormat::Jsonl, &denial());
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "kind": "entry", "customer": "acme", "index": 12, "date": "2026-11-23", "hour": 8,
            "minute": null, "badge_number": "B-1042", "pseudonym": null,
            "access_point": "d1-in", "decision": "denial",
            "reasons": ["not_on_access_list"], "present": true,
        });
        for (key, wanted) in expected.as_object().unwrap() {
            assert_eq!(&value[key], wanted, "{key}");
        }
        assert!(value.get("time").is_none());
    }

    #[test]
    fn a_table_row_is_read_at_a_glance() {
        let table = printed(OutputFormat::Table, &denial());
        let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            row,
            [
                "12",
                "2026-11-23",
                "08h",
                "B-1042",
                "d1-in",
                "denial",
                "not_on_access_list"
            ]
        );
    }

    #[test]
    fn a_misread_card_is_told_by_its_format_and_length() {
        let card = v1::UnknownCard {
            format: "H10301".into(),
            bit_length: 26,
            pseudonym: "c-abcdefghijklmnop".into(),
        };
        let entry = EntryRecord {
            subject: Some(v1::Subject {
                subject: Some(Subject::UnknownCard(card)),
            }),
            decision: v1::Decision::Denial.into(),
            reasons: vec![v1::DenialReason::CardParity.into()],
            ..EntryRecord::default()
        };
        let misread = CheckedLeaf {
            record: Some(Record::Entry(entry)),
            ..denial()
        };
        let table = printed(OutputFormat::Table, &misread);
        let row = table.lines().nth(1).unwrap();
        assert!(row.contains("card ~c-abcdefghijklmnop") && row.contains("card_parity"));
        let line = printed(OutputFormat::Jsonl, &misread);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&value["card_format"], &value["card_bit_length"]),
            (&"H10301".into(), &26.into())
        );
    }

    #[test]
    fn an_erased_leaf_keeps_its_place() {
        let mut leaf = denial();
        leaf.record = None;
        let line = printed(OutputFormat::Jsonl, &leaf);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&value["index"], &value["present"]),
            (&12.into(), &false.into())
        );
        assert!(value["reasons"].is_null());
    }
}
