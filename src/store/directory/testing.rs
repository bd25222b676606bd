//! A small site for tests: two customers, each with a cage behind the shared lobby.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;

use super::{
    Author, CurrentSite, DraftBadge, DraftItem, DraftPerson, DraftSite, Faults, Lined, SitePlan,
    Vault, empty_rules, plan_site,
};
use crate::ledger::KeyName;
use crate::pb::store as pb;
use crate::policy::RosterParts;
use crate::store::base::BaseTables;
use crate::store::batch::Batch;
use crate::store::disk::RealDisk;
use crate::store::keyring::Keyring;
use crate::store::rule_change::RuleChange;
use crate::store::rules_cell::Rules;
use crate::store::seal::testing::CountingWorld;
use crate::store::secrets::Secrets;
use crate::store::tables::Site;
use crate::types::*;

/// Noon of a working day.
pub(in crate::store) const NOON: i64 = 1_795_600_800;

pub(in crate::store) fn at(unix: i64) -> UtcTime {
    UtcTime::from_unix(unix).unwrap()
}

/// A store without files, the rules in force and the keys, driven without a writer.
#[derive(Debug)]
pub(in crate::store) struct Bench {
    pub(in crate::store) base: BaseTables,
    pub(in crate::store) rules: Rules,
    pub(in crate::store) vault: Vault,
    pub(in crate::store) keyring: Arc<Keyring>,
    pub(in crate::store) now: UtcTime,
    pub(in crate::store) caller: Caller,
    _home: TempDir,
}

impl Bench {
    /// A site in which there is nothing but its row.
    pub(in crate::store) fn empty() -> Self {
        let home = tempfile::tempdir().unwrap();
        let world = Arc::new(CountingWorld::default());
        let name = KeyName::parse("north.example").unwrap();
        let secrets = Secrets::create(&home.path().join("secrets"), &*world, name).unwrap();
        let path = home.path().join("keyring");
        let keyring = Keyring::create(Arc::new(RealDisk), &path, &secrets.kek).unwrap();
        let keyring = Arc::new(keyring);
        let mut batch = Batch::new();
        let row = pb::SiteRow {
            id: "north".to_owned(),
            display_name: "North".to_owned(),
            time_zone: "Europe/Stockholm".to_owned(),
            duress_pin: false,
        };
        batch.put::<Site>(&(), &row);
        let mut base = BaseTables::default();
        base.apply(&batch);
        let zone = SiteZone::parse("Europe/Stockholm").unwrap();
        Self {
            base,
            rules: empty_rules(RosterParts::new(zone), 1).unwrap(),
            vault: Vault::new(Arc::clone(&keyring), Arc::new(secrets), world),
            keyring,
            now: at(NOON),
            caller: Caller::Operator("ops".into()),
            _home: home,
        }
    }

    /// The site of [`file`], applied.
    pub(in crate::store) fn with_site() -> Self {
        let mut bench = Self::empty();
        bench.apply_site(file());
        bench
    }

    pub(in crate::store) fn author(&self) -> Author<'_> {
        Author {
            caller: &self.caller,
            now: self.now,
        }
    }

    pub(in crate::store) fn plan_site(&self, file: File) -> Result<SitePlan, Faults> {
        let rows = CurrentSite::read(&self.base).unwrap();
        let version = self.rules.roster.version();
        plan_site(&self.rules.parts, version, rows, &self.vault, file.items())
    }

    /// What is wrong with a file.
    pub(in crate::store) fn faults(&self, file: File) -> Vec<String> {
        let faults = self.plan_site(file).map(|_| ()).unwrap_err();
        faults.list().iter().map(ToString::to_string).collect()
    }

    /// What a file would change.
    pub(in crate::store) fn planned(&self, file: File) -> Vec<String> {
        let lines = self.plan_site(file).unwrap().plan.lines;
        lines
            .iter()
            .map(|l| format!("{:?} {}: {}", l.action, l.resource, l.detail))
            .collect()
    }

    pub(in crate::store) fn apply_site(&mut self, file: File) {
        let plan = self.plan_site(file).unwrap();
        let change = plan.build(&self.vault, &self.base, self.author()).unwrap();
        self.commit(change);
    }

    /// Does what the one writer does with a change.
    pub(in crate::store) fn commit(&mut self, change: RuleChange) {
        assert_eq!(change.base_version, self.rules.roster.version());
        assert_eq!(change.rules.roster.version(), change.base_version + 1);
        self.base.apply(&change.batch);
        self.rules = change.rules;
    }
}

/// The items of a site file by resource name, to be changed by tests.
#[derive(Debug, Clone)]
pub(in crate::store) struct File(pub(in crate::store) BTreeMap<&'static str, DraftItem>);

impl File {
    /// The items, each in the line of its place.
    pub(in crate::store) fn items(self) -> Vec<Lined<DraftItem>> {
        let items = self.0.into_values().enumerate();
        items
            .map(|(index, item)| Lined {
                line: u32::try_from(index + 1).unwrap(),
                item,
            })
            .collect()
    }

    pub(in crate::store) fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| !names.contains(name));
        self
    }

    pub(in crate::store) fn with(mut self, name: &'static str, item: DraftItem) -> Self {
        self.0.insert(name, item);
        self
    }

    pub(in crate::store) fn person(mut self, name: &str, edit: impl Fn(&mut DraftPerson)) -> Self {
        let Some(DraftItem::Person(person)) = self.0.get_mut(name) else {
            panic!("no {name}");
        };
        edit(person);
        self
    }

    pub(in crate::store) fn badge(mut self, name: &str, edit: impl Fn(&mut DraftBadge)) -> Self {
        let Some(DraftItem::Badge(badge)) = self.0.get_mut(name) else {
            panic!("no {name}");
        };
        edit(badge);
        self
    }
}

pub(in crate::store) fn text(text: &str) -> DisplayName {
    DisplayName::parse(text).unwrap()
}

pub(in crate::store) fn customer(id: &str) -> CustomerId {
    CustomerId::parse(id).unwrap()
}

pub(in crate::store) fn person_id(id: &str) -> PersonId {
    PersonId::parse(id).unwrap()
}

pub(in crate::store) fn site(zone: &str) -> DraftItem {
    DraftItem::Site(DraftSite {
        display_name: text("North"),
        zone: SiteZone::parse(zone).unwrap(),
        duress_pin: false,
    })
}

pub(in crate::store) fn area(id: &str, owners: &[&str]) -> DraftItem {
    DraftItem::Area(Area {
        id: AreaId::parse(id).unwrap(),
        display_name: text(id),
        class: ProtectionClass::new(3).unwrap(),
        customers: owners.iter().map(|c| customer(c)).collect(),
    })
}

pub(in crate::store) fn door(id: &str) -> DraftItem {
    DraftItem::Door(Door {
        id: DoorId::parse(id).unwrap(),
        display_name: text(id),
        drive: DoorDrive::Controller(ControllerId::parse("c1").unwrap()),
        timing: DoorTiming::USUAL,
    })
}

/// The door `id`, driven by the reader `reader`; terminals 0, 0 and 1.
pub(in crate::store) fn wired_door(id: &str, reader: &str) -> DraftItem {
    DraftItem::Door(Door {
        id: DoorId::parse(id).unwrap(),
        display_name: text(id),
        drive: DoorDrive::Reader(DoorWiring {
            reader: ReaderId::parse(reader).unwrap(),
            strike_output: Terminal::new(0).unwrap(),
            contact_input: Some(Terminal::new(0).unwrap()),
            request_to_exit_input: Some(Terminal::new(1).unwrap()),
        }),
        timing: DoorTiming::USUAL,
    })
}

pub(in crate::store) fn reader(id: &str, point: &str, (bus, address): (&str, u32)) -> DraftItem {
    DraftItem::Reader(Reader {
        id: ReaderId::parse(id).unwrap(),
        display_name: text(id),
        access_point: AccessPointId::parse(point).unwrap(),
        bus: BusName::parse(bus).unwrap(),
        address: ReaderAddress::new(address).unwrap(),
        security: ReaderSecurity::SecureChannel,
        card_formats: vec![CardFormat::parse("H10301").unwrap()],
        has_keypad: false,
    })
}

pub(in crate::store) fn point(id: &str, door: &str, (from, to): (&str, &str)) -> DraftItem {
    DraftItem::AccessPoint(AccessPoint {
        id: AccessPointId::parse(id).unwrap(),
        door: DoorId::parse(door).unwrap(),
        from_area: AreaId::parse(from).unwrap(),
        to_area: AreaId::parse(to).unwrap(),
        direction: Direction::Entry,
        default_requirement: FactorRequirement::Badge,
        factor_rules: Vec::new(),
    })
}

pub(in crate::store) fn tenant(id: &str) -> DraftItem {
    DraftItem::Customer(Customer {
        id: customer(id),
        display_name: text(id),
        precision: Precision::Hour,
        shared_area_grants: false,
    })
}

pub(in crate::store) fn person(id: &str, of: &str, may_approve: bool) -> DraftItem {
    DraftItem::Person(DraftPerson {
        person: Person {
            id: person_id(id),
            state: PersonState::Active,
            validity: Validity::ALWAYS,
            memberships: vec![Membership {
                customer: customer(of),
                may_approve,
            }],
        },
        display_name: text(&format!("Name of {id}")),
        pin: None,
    })
}

pub(in crate::store) fn card(number: u8) -> Card {
    Card::new(CardFormat::parse("UID").unwrap(), 32, vec![9, 9, 9, number]).unwrap()
}

pub(in crate::store) fn badge(id: &str, of: &str, (number, bits): (&str, u8)) -> DraftItem {
    DraftItem::Badge(DraftBadge {
        id: BadgeId::parse(id).unwrap(),
        person: person_id(of),
        state: BadgeState::Active,
        validity: Validity::ALWAYS,
        number: BadgeNumber::parse(number).unwrap(),
        card: card(bits),
    })
}

pub(in crate::store) fn schedule(id: &str) -> DraftItem {
    DraftItem::Schedule(Schedule {
        id: ScheduleId::parse(id).unwrap(),
        display_name: text(id),
        weekly: vec![WeeklySpan {
            weekday: Weekday::new(1).unwrap(),
            span: DaySpan::new(480, 1020).unwrap(),
        }],
        special: Vec::new(),
    })
}

/// A lobby that is shared, a cage for each of two customers, two people for each.
pub(in crate::store) fn file() -> File {
    let controller = DraftItem::Controller(Controller {
        id: ControllerId::parse("c1").unwrap(),
        display_name: text("c1"),
    });
    File(BTreeMap::from([
        ("site", site("Europe/Stockholm")),
        ("controllers/c1", controller),
        ("customers/acme", tenant("acme")),
        ("customers/bolt", tenant("bolt")),
        ("areas/lobby", area("lobby", &[])),
        ("areas/cage-a", area("cage-a", &["acme"])),
        ("areas/cage-b", area("cage-b", &["bolt"])),
        ("doors/d-a", door("d-a")),
        ("doors/d-b", door("d-b")),
        (
            "accessPoints/a-in",
            point("a-in", "d-a", ("lobby", "cage-a")),
        ),
        (
            "accessPoints/b-in",
            point("b-in", "d-b", ("lobby", "cage-b")),
        ),
        ("schedules/office", schedule("office")),
        ("persons/ann", person("ann", "acme", true)),
        ("persons/adam", person("adam", "acme", false)),
        ("persons/bo", person("bo", "bolt", true)),
        ("persons/bea", person("bea", "bolt", false)),
        ("badges/ann", badge("ann", "ann", ("A-1", 1))),
        ("badges/adam", badge("adam", "adam", ("A-2", 2))),
        ("badges/bo", badge("bo", "bo", ("B-1", 3))),
        ("badges/bea", badge("bea", "bea", ("B-2", 4))),
    ]))
}
