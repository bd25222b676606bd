//! Dialogues at a reader, told as a list of what happens.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::types::CardFormat;
use crate::wire::card::{RawCard, read};

/// A sound card, told apart by its number.
fn card(number: u8) -> ReadCard {
    let uid = CardFormat::parse("UID").unwrap();
    let raw = RawCard::new(56, vec![4, 0, 0, 0, 0, 0, number]).unwrap();
    read(&[uid], raw).unwrap()
}

fn number_of(card: &ReadCard) -> u8 {
    *card.card.bits().last().unwrap()
}

fn at(ms: u64) -> Moment {
    Moment::from_start(Duration::from_millis(ms))
}

fn keys(text: &str) -> KeypadInput {
    KeypadInput::Keys(TypedKeys(Zeroizing::new(text.to_owned())))
}

/// What came out: `ask`, `clear`, or the card and its PIN.
fn told(outputs: &[KeypadOutput]) -> Vec<String> {
    let told = outputs.iter().map(|output| match output {
        KeypadOutput::Ask => "ask".to_owned(),
        KeypadOutput::Clear => "clear".to_owned(),
        KeypadOutput::Present { card, pin } => format!("{} {}", number_of(card), typed(pin)),
    });
    told.collect()
}

fn typed(pin: &PinTyped) -> String {
    match pin {
        PinTyped::NotGiven => "without".to_owned(),
        PinTyped::Given(pin) => String::from_utf8(pin.reveal().to_vec()).unwrap(),
        PinTyped::Malformed => "malformed".to_owned(),
    }
}

/// Lines of `milliseconds what -> outputs`: `card N` where a PIN is asked for, `badge N` where it
/// is not, `tick`, or keys.
fn check(lines: &[&str]) -> Dialogue {
    let mut dialogue = Dialogue::new();
    for line in lines {
        let (happened, expected) = line.split_once(" -> ").unwrap();
        let words: Vec<&str> = happened.split(' ').collect();
        let now = at(words[0].parse().unwrap());
        let input = match words[1] {
            "card" => presented(words[2], FactorRequirement::BadgeAndPin),
            "badge" => presented(words[2], FactorRequirement::Badge),
            "tick" => KeypadInput::Tick,
            text => keys(text),
        };
        let outputs = dialogue.step(input, now);
        assert_eq!(told(&outputs).join(", "), expected, "{line}");
    }
    dialogue
}

fn presented(number: &str, requirement: FactorRequirement) -> KeypadInput {
    KeypadInput::Card {
        card: card(number.parse().unwrap()),
        requirement,
        has_keypad: true,
    }
}

#[test]
fn a_pin_goes_with_the_card_before_it() {
    check(&["0 card 7 -> ask", "900 4711# -> clear, 7 4711"]);
    // Key by key, as most readers send them.
    check(&[
        "0 card 7 -> ask",
        "900 4 -> ",
        "1900 7 -> ",
        "2900 11 -> ",
        "3900 # -> clear, 7 4711",
        "4000 tick -> ",
        "99000 tick -> ",
    ]);
}

#[test]
fn a_card_goes_straight_through_where_no_pin_is_asked_for() {
    let dialogue = check(&["0 badge 7 -> 7 without", "10 4711# -> "]);
    assert_eq!(dialogue.next_deadline(), None);
    assert_eq!(dialogue.ignored_key_count(), 5);
}

#[test]
fn what_needs_no_pin_or_can_have_none_does_not_wait() {
    let straight = |card: ReadCard, requirement, has_keypad| {
        let input = KeypadInput::Card {
            card,
            requirement,
            has_keypad,
        };
        let outputs = Dialogue::new().step(input, at(0));
        assert!(
            matches!(
                &outputs[..],
                [KeypadOutput::Present {
                    pin: PinTyped::NotGiven,
                    ..
                }]
            ),
            "{outputs:?}"
        );
    };
    straight(card(1), FactorRequirement::BadgeAndFinger, true);
    // No keys: the denial comes at once and not after ten seconds.
    straight(card(1), FactorRequirement::BadgeAndPin, false);
    for check in [CardCheck::ParityFailed, CardCheck::FormatNotAccepted] {
        let unsound = ReadCard { check, ..card(1) };
        straight(unsound, FactorRequirement::BadgeAndPin, true);
    }
}

#[test]
fn a_card_without_keys_is_presented_after_ten_seconds() {
    let dialogue = check(&["1000 card 7 -> ask", "10999 tick -> "]);
    assert_eq!(dialogue.next_deadline(), Some(at(11_000)));
    check(&["1000 card 7 -> ask", "11000 tick -> clear, 7 without"]);
}

#[test]
fn a_pause_of_five_seconds_between_keys_ends_the_entry() {
    check(&[
        "0 card 7 -> ask",
        "9000 47 -> ",
        "13999 1 -> ",
        "18998 tick -> ",
        "18999 tick -> clear, 7 without",
    ]);
}

#[test]
fn what_comes_too_late_does_not_count_even_if_no_tick_came() {
    let dialogue = check(&[
        "0 card 7 -> ask",
        "9000 4711 -> ",
        "14000 # -> clear, 7 without",
    ]);
    assert_eq!(dialogue.ignored_key_count(), 1);
    check(&["0 card 7 -> ask", "10000 card 8 -> clear, 7 without, ask"]);
}

#[test]
fn leaning_on_the_keys_holds_a_card_back_for_a_minute_at_most() {
    let mut dialogue = Dialogue::new();
    dialogue.step(presented("7", FactorRequirement::BadgeAndPin), at(0));
    for second in 1..60 {
        assert!(dialogue.step(keys("0"), at(second * 1_000)).is_empty());
    }
    let outputs = dialogue.step(keys("0"), at(60_000));
    assert_eq!(told(&outputs), ["clear", "7 without"]);
}

#[test]
fn another_card_presents_the_first_without_a_pin() {
    check(&[
        "0 card 7 -> ask",
        "1000 47 -> ",
        "2000 card 8 -> 7 without, ask",
        "3000 1234# -> clear, 8 1234",
    ]);
    // The schedule has changed meanwhile, and the second needs none.
    check(&[
        "0 card 7 -> ask",
        "2000 badge 8 -> clear, 7 without, 8 without",
    ]);
}

#[test]
fn a_star_begins_again() {
    check(&[
        "0 card 7 -> ask",
        "1000 99*4711# -> ask, clear, 7 4711",
        "5000 card 8 -> ask",
        "5000 1234567890123*4711# -> ask, clear, 8 4711",
    ]);
}

#[test]
fn what_cannot_be_a_pin_is_told_as_such() {
    let check_typed = |text: &str, expected: &str| {
        check(&[
            "0 card 7 -> ask",
            &format!("1000 {text}# -> clear, 7 {expected}"),
        ]);
    };
    check_typed("1", "malformed");
    check_typed("123", "malformed");
    check_typed("1234", "1234");
    check_typed("123456789012", "123456789012");
    check_typed("1234567890123", "malformed");
    // The first twelve are not taken for all of it.
    check_typed(&"4711".repeat(50), "malformed");
    // A reader may send what is no digit.
    check_typed("a", "malformed");
    check_typed("4711a", "malformed");
}

#[test]
fn ending_an_entry_that_was_not_begun_gives_no_pin() {
    check(&["0 card 7 -> ask", "1000 # -> clear, 7 without"]);
    check(&["0 card 7 -> ask", "1000 47*# -> ask, clear, 7 without"]);
}

#[test]
fn keys_after_the_end_are_not_the_next_cards() {
    let dialogue = check(&[
        "0 card 7 -> ask",
        "1000 4711#98 -> clear, 7 4711",
        "2000 card 8 -> ask",
        "3000 7654# -> clear, 8 7654",
    ]);
    assert_eq!(dialogue.ignored_key_count(), 2);
}

#[test]
fn keys_without_a_card_are_counted_and_nothing_else() {
    let dialogue = check(&[
        "0 4711# -> ",
        "10 *# -> ",
        "20 card 7 -> ask",
        "30 # -> clear, 7 without",
    ]);
    assert_eq!(dialogue.ignored_key_count(), 7);
}

#[test]
fn twelve_digits_are_kept_and_never_moved() {
    let mut dialogue = Dialogue::new();
    dialogue.step(presented("7", FactorRequirement::BadgeAndPin), at(0));
    for _ in 0..40 {
        dialogue.step(keys("123"), at(0));
        let kept = &dialogue.waiting.as_ref().unwrap().digits.ascii;
        // A buffer that grew would leave its digits behind where it was.
        assert!(kept.len() <= 12 && kept.capacity() == 12);
    }
}

#[test]
fn debug_redacts() {
    let mut dialogue = Dialogue::new();
    dialogue.step(presented("7", FactorRequirement::BadgeAndPin), at(0));
    dialogue.step(keys("98765"), at(0));
    let shown = format!("{dialogue:?} {:?}", keys("98765#"));
    let outputs = dialogue.step(keys("#"), at(0));
    assert_eq!(told(&outputs), ["clear", "7 98765"]);
    let shown = format!("{shown} {outputs:?}");
    for secret in ["98765", "57, 56", "9, 8"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// Something that may happen: whether a PIN is asked for, or keys, or nothing; and the pause.
#[derive(Debug, Clone)]
enum Happening {
    Card(FactorRequirement),
    Keys(String),
    Tick,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Card(FactorRequirement::BadgeAndPin)),
        Just(Happening::Card(FactorRequirement::Badge)),
        vec(
            prop::sample::select(b"01234567890123456789*#a".to_vec()),
            0..20
        )
        .prop_map(|keys| Happening::Keys(String::from_utf8(keys).unwrap())),
        Just(Happening::Tick),
    ]
}

proptest! {
    #[test]
    fn every_card_is_presented_once_and_nothing_without_a_card(
        happenings in vec((happening(), prop_oneof![0_u64..4_000, 4_000_u64..12_000]), 0..60),
    ) {
        let mut dialogue = Dialogue::new();
        let (mut now, mut shown, mut out) = (0, 0_u8, Vec::new());
        let mut since_card = String::new();
        for (happening, pause) in happenings {
            now += pause;
            let presented_before = out.len();
            let outputs = match happening {
                Happening::Card(requirement) => {
                    shown += 1;
                    since_card.clear();
                    let (card, has_keypad) = (card(shown), true);
                    dialogue.step(KeypadInput::Card { card, requirement, has_keypad }, at(now))
                }
                Happening::Keys(text) => {
                    since_card.push_str(&text);
                    dialogue.step(keys(&text), at(now))
                }
                Happening::Tick => dialogue.step(KeypadInput::Tick, at(now)),
            };
            for output in outputs {
                let KeypadOutput::Present { card, pin } = output else { continue };
                out.push(number_of(&card));
                // A PIN was typed as it is, after its card, and ended.
                if let PinTyped::Given(_) = &pin {
                    let ended = format!("{}#", typed(&pin));
                    prop_assert!(since_card.contains(&ended), "{since_card}");
                    prop_assert_eq!(number_of(&card), shown);
                }
            }
            prop_assert!(out.len() <= presented_before + 2);
            let waits = usize::from(dialogue.next_deadline().is_some());
            prop_assert_eq!(out.len() + waits, usize::from(shown));
            prop_assert!(dialogue.next_deadline().is_none_or(|deadline| deadline > at(now)));
        }
        let last = dialogue.step(KeypadInput::Tick, at(now + 10_000));
        for output in last {
            if let KeypadOutput::Present { card, .. } = output {
                out.push(number_of(&card));
            }
        }
        prop_assert_eq!(out, (1..=shown).collect::<Vec<_>>());
        prop_assert_eq!(dialogue.next_deadline(), None);
    }
}
