//! Reads what door controllers send: cards, instants, kinds, reasons.

use tonic::Status;

use super::convert::instant;
use super::status::invalid;
use crate::control::keypad::PinTyped;
use crate::pb::v1;
use crate::types::{
    BootId, Card, CardCheck, CardFormat, DenialReason, DoorEventKind, InvalidCard, Pin, ReasonSet,
    UtcTime,
};
use crate::wire::card::ReadCard;

/// The card of a request. A controller hands over cards that it has found to be sound.
pub(super) fn card(card: Option<&v1::Card>, field: &str) -> Result<ReadCard, Status> {
    let card = card.ok_or_else(|| invalid(field, "is required"))?;
    let wrong = |error: InvalidCard| {
        let part = match error {
            InvalidCard::Format => "format",
            InvalidCard::BitLength => "bit_length",
            InvalidCard::ByteLength => "bits",
        };
        invalid(format!("{field}.{part}"), error.to_string())
    };
    let format = CardFormat::parse(&card.format).map_err(wrong)?;
    let card = Card::new(format, card.bit_length, card.bits.clone()).map_err(wrong)?;
    Ok(ReadCard {
        card,
        check: CardCheck::Sound,
    })
}

/// The number of an event. 0 is what a field holds that was not set, so that it is none.
pub(super) fn counter(number: u64, field: &str) -> Result<u64, Status> {
    if number == 0 {
        return Err(invalid(field, "is required, and counts from 1"));
    }
    Ok(number)
}

/// The PIN of a request.
pub(super) fn pin(digits: &str) -> Result<PinTyped, Status> {
    if digits.is_empty() {
        return Ok(PinTyped::NotGiven);
    }
    Pin::parse(digits)
        .map(PinTyped::Given)
        .map_err(|error| invalid("pin", error.to_string()))
}

/// The name of a controller's run.
pub(super) fn boot_id(text: &str) -> Result<BootId, Status> {
    BootId::parse(text).map_err(|error| invalid("boot_id", error.to_string()))
}

/// A required instant.
pub(super) fn time(time: Option<&prost_types::Timestamp>, field: &str) -> Result<UtcTime, Status> {
    let time = time.ok_or_else(|| invalid(field, "is required"))?;
    instant(time).map_err(|error| invalid(field, error.to_string()))
}

/// A kind of field event.
pub(super) fn door_event_kind(number: i32, field: &str) -> Result<DoorEventKind, Status> {
    let kind = u8::try_from(number)
        .ok()
        .and_then(DoorEventKind::from_number)
        .filter(|kind| kind.is_of_field());
    kind.ok_or_else(|| invalid(field, "is no kind of door event"))
}

/// Whether a controller granted.
pub(super) fn is_grant(number: i32, field: &str) -> Result<bool, Status> {
    match v1::Decision::try_from(number) {
        Ok(v1::Decision::Grant) => Ok(true),
        Ok(v1::Decision::Denial) => Ok(false),
        Ok(v1::Decision::Unspecified) | Err(_) => Err(invalid(field, "must be GRANT or DENIAL")),
    }
}

/// Reasons by their numbers.
pub(super) fn reasons(numbers: &[i32], field: &str) -> Result<ReasonSet, Status> {
    let unknown = || invalid(field, "holds an unknown reason");
    let known = |number: &i32| {
        u8::try_from(*number)
            .ok()
            .and_then(DenialReason::from_number)
            .ok_or_else(unknown)
    };
    numbers.iter().map(known).collect()
}
