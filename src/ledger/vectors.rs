//! The golden feed of `tests/vectors`, computed by a script that shares no code with this.

use ring::hmac;
use serde_json::Value;

use super::record::{
    self, DoorEventPieces, EntryPieces, GenesisPieces, Grounds, Outcome, Place, Record, Subject,
    ToldTime,
};
use super::*;
use crate::types::{
    AccessPointId, BadgeNumber, CardFormat, CardKey, CustomerId, DecidedBy, DenialReason,
    Direction, DoorEventKind, DoorId, EntryNumber, EntryRef, Factor, FactorSet, LocalTime,
    PersonId, Precision, SiteZone,
};

fn feed() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/feed.json")).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(value.as_str().unwrap().as_bytes())
        .unwrap()
}

fn leaf_of(leaf: &Value) -> (Hash, Hash) {
    let number = u32::try_from(leaf["kind"].as_u64().unwrap()).unwrap();
    let made = leaf_hash(
        leaf["index"].as_u64().unwrap(),
        LeafKind::from_number(number).unwrap(),
        &hex(&leaf["record"]),
        &Salt::parse(&hex(&leaf["salt"])).unwrap(),
    );
    (made, Hash::parse(&hex(&leaf["leaf_hash"])).unwrap())
}

#[test]
fn leaves_and_roots_are_the_golden_ones() {
    let feed = feed();
    let roots = feed["roots"].as_array().unwrap();
    let leaves = feed["leaves"].as_array().unwrap();
    assert_eq!((leaves.len(), roots.len()), (8, 9));
    let mut frontier = Frontier::default();
    assert_eq!(Hash::parse(&hex(&roots[0])), Ok(frontier.root()));
    for (leaf, root) in leaves.iter().zip(&roots[1..]) {
        let (made, golden) = leaf_of(leaf);
        assert_eq!(made, golden, "{}", leaf["about"]);
        frontier.push(made);
        assert_eq!(Hash::parse(&hex(root)), Ok(frontier.root()));
    }
    let (made, golden) = leaf_of(&feed["far_leaf"]);
    assert_eq!(made, golden);
}

#[test]
fn checkpoint_and_note_are_the_golden_ones() {
    let feed = feed();
    let golden = &feed["checkpoint"];
    let text = |key: &str| golden[key].as_str().unwrap();
    let seed = hex(&golden["seed"]).try_into().unwrap();
    let key = SigningKey::from_seed(KeyName::parse(text("name")).unwrap(), &seed).unwrap();
    let checkpoint = Checkpoint {
        origin: Origin::parse(text("origin")).unwrap(),
        size: golden["size"].as_u64().unwrap(),
        root: Hash::parse(&hex(feed["roots"].as_array().unwrap().last().unwrap())).unwrap(),
    };
    assert_eq!(key.verifying_key().text(), text("verifying_key"));
    assert_eq!(checkpoint.text(), text("text"));
    assert_eq!(checkpoint.sign(&key), text("note"));
    let trusted = VerifyingKey::parse(text("verifying_key")).unwrap();
    assert_eq!(Checkpoint::verify(text("note"), &[trusted]), Ok(checkpoint));
}

/// What the script's records are about, in our own words.
struct Story {
    acme: CustomerId,
    hall: DoorId,
    hall_in: AccessPointId,
    hall_out: AccessPointId,
    stranger: Pseudonym,
    card: Pseudonym,
}

impl Story {
    fn new() -> Self {
        let golden = &feed()["pseudonyms"];
        let key = hmac::Key::new(hmac::HMAC_SHA256, &hex(&golden["key"]));
        let acme = CustomerId::parse(golden["feed"].as_str().unwrap()).unwrap();
        let person = PersonId::parse(golden["person"].as_str().unwrap()).unwrap();
        let card = CardKey::from_bytes(hex(&golden["card"]).try_into().unwrap());
        let stranger = pseudonym(&key, &acme, PseudonymOf::Person(&person));
        let card = pseudonym(&key, &acme, PseudonymOf::Card(&card));
        assert_eq!(stranger.as_str(), golden["person_text"].as_str().unwrap());
        assert_eq!(card.as_str(), golden["card_text"].as_str().unwrap());
        Self {
            acme,
            hall: DoorId::parse("hall").unwrap(),
            hall_in: AccessPointId::parse("hall-in").unwrap(),
            hall_out: AccessPointId::parse("hall-out").unwrap(),
            stranger,
            card,
        }
    }

    fn entry(&self) -> EntryPieces<'_> {
        EntryPieces {
            feed: &self.acme,
            time: time("2026-10-25", 150, 60, Precision::Hour),
            subject: Subject::Stranger(&self.stranger),
            place: Place {
                access_point: &self.hall_in,
                door: &self.hall,
            },
            direction: Direction::Entry,
            outcome: Outcome::Grant { grounds: None },
            verified: factors(&[Factor::Badge]),
            decided_by: DecidedBy::Server,
            handed_in_later: false,
            source_counter: 1,
        }
    }
}

fn time(date: &str, minute_of_day: u32, utc_offset_min: i32, precision: Precision) -> ToldTime {
    let local = LocalTime {
        date: date.parse().unwrap(),
        minute_of_day,
        second: 0,
        utc_offset_min,
    };
    ToldTime { local, precision }
}

fn factors(factors: &[Factor]) -> FactorSet {
    let mut set = FactorSet::EMPTY;
    for factor in factors {
        set.insert(*factor);
    }
    set
}

fn check(about: &str, record: &Record) {
    let feed = feed();
    let leaves = feed["leaves"].as_array().unwrap();
    let golden = leaves.iter().find(|leaf| leaf["about"] == about).unwrap();
    assert_eq!(
        u64::from(record.kind().number()),
        golden["kind"].as_u64().unwrap()
    );
    let bytes = hex(&golden["record"]);
    assert_eq!(record.encode(), bytes, "{about}");
    assert_eq!(
        record::decode(record.kind(), &bytes).as_ref(),
        Ok(record),
        "{about}"
    );
}

#[test]
fn genesis_has_the_golden_bytes() {
    let record = record::genesis(&GenesisPieces {
        origin: &Origin::parse("dc1.example/feed/acme/e1").unwrap(),
        zone: SiteZone::parse("Europe/Stockholm").unwrap(),
        precision: Precision::Hour,
    });
    check("genesis", &record);
}

#[test]
fn a_grant_has_the_golden_bytes() {
    let story = Story::new();
    let entry = EntryRef {
        customer: story.acme.clone(),
        number: EntryNumber(4711),
    };
    let approver = PersonId::parse("boss").unwrap();
    let grounds = Grounds {
        entry: &entry,
        approver: &approver,
    };
    let number = BadgeNumber::parse("B-1042").unwrap();
    let record = record::entry(&EntryPieces {
        time: time("2026-10-25", 150, 120, Precision::Hour),
        subject: Subject::Badge(&number),
        outcome: Outcome::Grant {
            grounds: Some(grounds),
        },
        verified: factors(&[Factor::Pin, Factor::Badge]),
        ..story.entry()
    });
    check("grant", &record);
}

#[test]
fn a_grant_on_anothers_list_does_not_name_it() {
    let story = Story::new();
    let entry = EntryRef {
        customer: CustomerId::parse("umbra").unwrap(),
        number: EntryNumber(9),
    };
    let approver = PersonId::parse("their-boss").unwrap();
    let grounds = Some(Grounds {
        entry: &entry,
        approver: &approver,
    });
    let record = record::entry(&EntryPieces {
        time: time("2026-11-23", 480, 60, Precision::Second),
        outcome: Outcome::Grant { grounds },
        source_counter: 3,
        ..story.entry()
    });
    check("foreign grant", &record);
}

#[test]
fn a_denial_has_the_golden_bytes_with_all_its_reasons() {
    let story = Story::new();
    let reasons = [
        DenialReason::PinRequired,
        DenialReason::NotOnAccessList,
        DenialReason::CredentialNotEnabled,
    ];
    let record = record::entry(&EntryPieces {
        outcome: Outcome::Denial {
            reasons: reasons.into_iter().collect(),
        },
        source_counter: 2,
        ..story.entry()
    });
    check("denial", &record);
}

#[test]
fn an_unknown_card_handed_in_later_has_the_golden_bytes() {
    let story = Story::new();
    let record = record::entry(&EntryPieces {
        time: time("2026-11-23", 480, 60, Precision::Minute),
        subject: Subject::UnknownCard {
            format: &CardFormat::parse("H10301").unwrap(),
            bit_length: 26,
            pseudonym: &story.card,
        },
        place: Place {
            access_point: &story.hall_out,
            door: &story.hall,
        },
        direction: Direction::Exit,
        outcome: Outcome::Denial {
            reasons: [DenialReason::UnknownCard].into_iter().collect(),
        },
        verified: FactorSet::EMPTY,
        decided_by: DecidedBy::Controller,
        handed_in_later: true,
        source_counter: 300,
        ..story.entry()
    });
    check("unknown card", &record);
}

#[test]
fn a_door_event_has_the_golden_bytes() {
    let story = Story::new();
    let record = record::door_event(&DoorEventPieces {
        time: time("2027-01-01", 5, -210, Precision::Hour),
        place: story.entry().place,
        kind: DoorEventKind::DoorForced,
        source_counter: 4,
    });
    check("door event", &record);
}

#[test]
fn kinds_without_a_record_keep_their_bytes() {
    let record = record::decode(LeafKind::Restore, b"\xFF").unwrap();
    assert_eq!(
        (record.kind(), record.encode()),
        (LeafKind::Restore, vec![0xFF])
    );
    let kind = LeafKind::Entry;
    assert_eq!(
        record::decode(kind, b"\xFF"),
        Err(record::RecordError { kind })
    );
}

#[test]
fn minute_and_second_are_told_only_where_the_contract_allows() {
    let story = Story::new();
    for (precision, told) in [
        (Precision::Hour, (None, None)),
        (Precision::Minute, (Some(59), None)),
        (Precision::Second, (Some(59), Some(0))),
    ] {
        let time = time("2026-11-23", 23 * 60 + 59, 60, precision);
        let record = record::entry(&EntryPieces {
            time,
            ..story.entry()
        });
        let Record::Entry(entry) = record else {
            panic!("not an entry")
        };
        let time = entry.time.unwrap();
        assert_eq!((time.hour, (time.minute, time.second)), (23, told));
    }
}
