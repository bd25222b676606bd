//! The site of the kill test: eight doors of two customers, a controller at each.

use std::fmt::Write as _;

use sluss_sim::Card;

/// Controllers that ask at once.
pub(crate) const STATIONS: usize = 8;
/// Customers; the stations stand at their doors in turn.
pub(crate) const CUSTOMERS: [&str; 2] = ["acme", "bolt"];

/// The customer whose door a station serves.
pub(crate) fn customer_of(station: usize) -> &'static str {
    let place = station % CUSTOMERS.len();
    CUSTOMERS.get(place).copied().unwrap_or_default()
}

/// The card in the badge that belongs to a station.
pub(crate) fn badge_card(station: usize) -> Card {
    Card::h10301(7, u16::try_from(station).unwrap_or(0))
}

/// Two customers with an area each, and eight doors into them with a controller each.
pub(crate) fn site() -> String {
    let mut text = String::from("[site]\nname = \"Kills\"\ntime_zone = \"Europe/Stockholm\"\n");
    text.push_str("[[area]]\nid = \"lobby\"\nname = \"Lobby\"\nclass = 1\n");
    for customer in CUSTOMERS {
        let _ = write!(
            text,
            "[[customer]]\nid = \"{customer}\"\nname = \"{customer}\"\n\
             [[area]]\nid = \"{customer}\"\nname = \"Hall\"\nclass = 3\n\
             customers = [\"{customer}\"]\n\
             [[person]]\nid = \"chief-{customer}\"\nname = \"Chief\"\n\
             may_approve_for = [\"{customer}\"]\n"
        );
    }
    for number in 0..STATIONS {
        let customer = customer_of(number);
        let card = badge_card(number);
        let _ = write!(
            text,
            "[[controller]]\nid = \"gate-{number}\"\nname = \"Gate\"\n\
             [[door]]\nid = \"door-{number}\"\nname = \"Door\"\ncontroller = \"gate-{number}\"\n\
             entry = {{ from = \"lobby\", to = \"{customer}\" }}\n\
             [[person]]\nid = \"p-{number}\"\nname = \"Person\"\ncustomers = [\"{customer}\"]\n\
             [[badge]]\nid = \"b-{number}\"\nnumber = \"B-{number}\"\nperson = \"p-{number}\"\n\
             card = {{ format = \"H10301\", bits = 26, hex = \"{}\" }}\n",
            data_encoding::HEXLOWER.encode(card.bits())
        );
    }
    text
}

/// The list of a customer: everybody of it, everywhere in it.
pub(crate) fn list(customer: &str) -> String {
    let lines = (0..STATIONS)
        .filter(|n| customer_of(*n) == customer)
        .map(|n| format!("B-{n},{customer},persons/chief-{customer}\n"));
    format!("badge,areas,approver\n{}", lines.collect::<String>())
}
