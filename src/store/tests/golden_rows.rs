//! One row of every table with every field set, so that no field's number can change unseen.

use super::golden::Listing;
use crate::{pb::store::*, store::tables::*};

fn text(text: &str) -> String {
    text.to_owned()
}

fn sealed(key_id: u64) -> SealedBlob {
    SealedBlob {
        key_id,
        nonce: vec![0x11; 12],
        ciphertext: vec![0x22; 20],
    }
}

pub(super) fn list(out: &mut Listing) {
    places(out);
    parties(out);
    people(out);
    times(out);
    lists(out);
    heads(out);
    devices(out);
    log(out);
}

fn places(out: &mut Listing) {
    out.row::<Meta>(
        &(),
        &MetaRow {
            format: 3,
            site: text("north"),
            node: 1,
            journal_next: 70,
            directory_version: 12,
            last_removal_version: 11,
            last_written_at: 1_800_000_002,
        },
    );
    out.row::<Site>(
        &(),
        &SiteRow {
            id: text("north"),
            display_name: text("Norra hallen"),
            time_zone: text("Europe/Stockholm"),
            duress_pin: true,
        },
    );
    out.row::<Areas>(
        &text("hall-1"),
        &AreaRow {
            display_name: text("Hall 1"),
            protection_class: 3,
            customers: vec![text("acme"), text("bolt")],
        },
    );
    out.row::<Doors>(
        &text("d-1"),
        &DoorRow {
            display_name: text("Door 1"),
            // Never both in a store; here every field shows its number.
            controller: text("c-1"),
            wiring: Some(DoorWiringRow {
                reader: text("r-1"),
                strike_output: 1,
                contact_input: 2,
                request_to_exit_input: 3,
            }),
            strike_tenths: 50,
            held_after_seconds: 30,
            pre_alarm_seconds: 10,
        },
    );
    out.row::<AccessPoints>(
        &text("d-1-in"),
        &AccessPointRow {
            door: text("d-1"),
            from_area: text("yard"),
            to_area: text("hall-1"),
            direction: 1,
            default_requirement: 2,
            factor_rules: vec![FactorRuleRow {
                schedule: text("night"),
                requirement: 3,
            }],
        },
    );
}

fn parties(out: &mut Listing) {
    out.row::<Controllers>(
        &text("c-1"),
        &ControllerRow {
            display_name: text("Controller 1"),
        },
    );
    out.row::<Customers>(
        &text("acme"),
        &CustomerRow {
            display_name: text("Acme"),
            precision: 2,
            shared_area_grants: true,
        },
    );
}

fn people(out: &mut Listing) {
    out.row::<Persons>(
        &text("p-1"),
        &PersonRow {
            state: 1,
            memberships: vec![MembershipRow {
                customer: text("acme"),
                may_approve: true,
            }],
            valid_from: Some(1_600_000_000),
            valid_until: Some(1_900_000_000),
            contact: Some(sealed(4)),
            access_ended: Some(1_700_000_000),
            restricted: true,
            from_list: true,
        },
    );
    out.row::<Badges>(
        &text("b-1"),
        &BadgeRow {
            person: text("p-1"),
            state: 1,
            valid_from: Some(1_600_000_000),
            valid_until: Some(1_900_000_000),
            card_key: vec![0x33; 16],
            number: Some(sealed(5)),
            number_key: vec![0x44; 16],
            card_format: text("H10301"),
            card_bit_length: 26,
        },
    );
    out.row::<Pins>(
        &text("p-1"),
        &PinRow {
            salt: vec![0x55; 16],
            tag: vec![0x66; 32],
        },
    );
    out.row::<PinFailures>(
        &text("p-1"),
        &PinFailuresRow {
            count: 3,
            last_at: 1_700_000_000,
        },
    );
}

fn times(out: &mut Listing) {
    out.row::<Schedules>(
        &text("office"),
        &ScheduleRow {
            display_name: text("Office"),
            weekly: vec![WeeklySpanRow {
                weekday: 1,
                from_minute: 480,
                until_minute: 1020,
            }],
            special: vec![SpecialSpansRow {
                special_days: text("holidays"),
                spans: vec![DaySpanRow {
                    from_minute: 600,
                    until_minute: 720,
                }],
            }],
        },
    );
    out.row::<SpecialDaysSets>(
        &text("holidays"),
        &SpecialDaysRow {
            display_name: text("Holidays"),
            dates: vec![text("2026-12-24")],
        },
    );
}

fn lists(out: &mut Listing) {
    out.row::<ListEntries>(
        &(text("acme"), 7),
        &ListEntryRow {
            person: text("p-1"),
            areas: vec![text("hall-1")],
            doors: vec![text("d-1")],
            schedule: text("office"),
            valid_from: Some(1_600_000_000),
            valid_until: Some(1_900_000_000),
            approver: text("p-2"),
            added_in: 3,
            removed_in: Some(5),
            added_at: 1_650_000_000,
            removed_at: Some(1_660_000_000),
            badge: text("b-1"),
        },
    );
    out.row::<ListVersions>(
        &(text("acme"), 3),
        &ListVersionRow {
            created_at: 1_650_000_000,
            applied_by: text("spiffe://north/customer/acme"),
            added_count: 2,
            removed_count: 1,
            entry_count: 9,
            next_entry: 10,
        },
    );
    out.row::<Templates>(
        &(text("p-1"), text("b-1")),
        &TemplateRow {
            pepper_epoch: 1,
            algorithm: 2,
            finger: 7,
            salt: vec![0x77; 16],
            tag: vec![0x88; 32],
            custody: 1,
            enrolled_by: text("p-3"),
            approver: text("p-2"),
            enrolled_at: 1_650_000_000,
            expires_at: 1_750_000_000,
        },
    );
}

fn heads(out: &mut Listing) {
    out.row::<FeedHeads>(
        &text("acme"),
        &FeedHeadRow {
            epoch: 1,
            size: 3,
            root: vec![0x99; 32],
            frontier: vec![vec![0xAA; 32], vec![0xBB; 32]],
        },
    );
    out.row::<FeedLeafHashes>(
        &(text("acme"), 2),
        &LeafHashRow {
            hash: vec![0xCC; 32],
        },
    );
    out.row::<SourceCounters>(
        &(text("acme"), text("d-1-in")),
        &SourceCounterRow { last: 12 },
    );
    out.row::<ControllerRuns>(
        &(text("c-1"), text("boot-1")),
        &ControllerRunRow {
            highest_counter: 99,
            complete_through: 1_700_000_000,
        },
    );
    out.row::<Requests>(
        &(text("spiffe://north/operator/o"), text("r-1")),
        &RequestRow {
            body_hash: vec![0xDD; 16],
            response: vec![1, 2, 3],
            done_at: 1_700_000_000,
        },
    );
}

fn devices(out: &mut Listing) {
    out.row::<Readers>(
        &text("r-1"),
        &ReaderRow {
            display_name: text("Reader 1"),
            access_point: text("d-1-in"),
            bus: text("north"),
            address: 7,
            security: 1,
            card_formats: vec![text("H10301"), text("UID")],
            has_keypad: true,
        },
    );
}

fn log(out: &mut Listing) {
    out.row::<Journal>(
        &69,
        &JournalRow {
            kind: 1,
            recorded_at: 1_700_000_000,
            body: Some(sealed(6)),
        },
    );
    out.row::<FeedLeaves>(
        &(text("acme"), 2),
        &FeedLeafRow {
            kind: 1,
            secret: Some(sealed(7)),
            journal: 69,
        },
    );
    out.row::<SourceEvents>(
        &(text("c-1"), (text("boot-1"), 99)),
        &SourceEventRow {
            journal: 69,
            body_hash: vec![0xEE; 16],
            decision: 1,
        },
    );
}
