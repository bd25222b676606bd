//! Uploaded files: parts and lines into drafts, all faults collected.

use super::{Line, Reading, door, list, person, place, time};
use crate::pb::v1 as pb;
use crate::pb::v1::site_part::Part;
use crate::store::directory::{DraftItem, Faults, Lined, Problem};
use crate::store::lists::DraftLine;

/// Reads all parts of a site file.
pub(in crate::service) fn site_items(
    parts: &[pb::SitePart],
) -> Result<Vec<Lined<DraftItem>>, Faults> {
    let mut faults = Faults::new();
    let mut items = Vec::with_capacity(parts.len());
    for part in parts {
        let item = site_item(part, &mut faults);
        items.extend(item.map(|item| Lined {
            line: part.line,
            item,
        }));
    }
    faults.or(items)
}

fn site_item(part: &pb::SitePart, faults: &mut Faults) -> Reading<DraftItem> {
    let mut line = Line {
        number: part.line,
        root: root(part.part.as_ref()),
        faults,
    };
    let line = &mut line;
    match part.part.as_ref() {
        Some(Part::Site(m)) => place::site(line, m).map(DraftItem::Site),
        Some(Part::Area(m)) => place::area(line, m).map(DraftItem::Area),
        Some(Part::Door(m)) => door::door(line, m).map(DraftItem::Door),
        Some(Part::AccessPoint(m)) => place::access_point(line, m).map(DraftItem::AccessPoint),
        Some(Part::Reader(m)) => door::reader(line, m).map(DraftItem::Reader),
        Some(Part::Controller(m)) => place::controller(line, m).map(DraftItem::Controller),
        Some(Part::Customer(m)) => place::customer(line, m).map(DraftItem::Customer),
        Some(Part::Person(m)) => person::person(line, m).map(DraftItem::Person),
        Some(Part::Badge(m)) => person::badge(line, m).map(DraftItem::Badge),
        Some(Part::Schedule(m)) => time::schedule(line, m).map(DraftItem::Schedule),
        Some(Part::SpecialDays(m)) => time::special_days(line, m).map(DraftItem::SpecialDays),
        None => {
            line.fault("part", Problem::Missing);
            None
        }
    }
}

fn root(part: Option<&Part>) -> &'static str {
    match part {
        Some(Part::Site(_)) => "site",
        Some(Part::Area(_)) => "area",
        Some(Part::Door(_)) => "door",
        Some(Part::AccessPoint(_)) => "access_point",
        Some(Part::Reader(_)) => "reader",
        Some(Part::Controller(_)) => "controller",
        Some(Part::Customer(_)) => "customer",
        Some(Part::Person(_)) => "person",
        Some(Part::Badge(_)) => "badge",
        Some(Part::Schedule(_)) => "schedule",
        Some(Part::SpecialDays(_)) => "special_days",
        None => "",
    }
}

/// Reads all lines of a list.
pub(in crate::service) fn list_lines(
    lines: &[pb::AccessListLine],
) -> Result<Vec<Lined<DraftLine>>, Faults> {
    let mut faults = Faults::new();
    let mut items = Vec::with_capacity(lines.len());
    for message in lines {
        let mut line = Line {
            number: message.line,
            root: "",
            faults: &mut faults,
        };
        let item = list::list_line(&mut line, message);
        items.extend(item.map(|item| Lined {
            line: message.line,
            item,
        }));
    }
    faults.or(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_all_parts_come_by_line() {
        let area = pb::Area {
            name: "areas/A".to_owned(),
            display_name: "A".to_owned(),
            protection_class: 5,
            customers: vec!["customers/acme".to_owned(), "acme".to_owned()],
        };
        let parts = [
            pb::SitePart {
                line: 9,
                part: None,
            },
            pb::SitePart {
                line: 4,
                part: Some(Part::Area(area)),
            },
        ];
        let faults = site_items(&parts).unwrap_err();
        let fields: Vec<_> = faults
            .list()
            .iter()
            .map(|f| (f.line, f.field.as_str()))
            .collect();
        assert_eq!(
            fields,
            [
                (4, "area.name"),
                (4, "area.protection_class"),
                (4, "area.customers[1]"),
                (9, "part"),
            ]
        );
    }
}
