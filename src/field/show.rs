//! What a reader shows and sounds for each indication: the one table of lights and tones.

use crate::control::lines::Indication;
use crate::wire::osdp::{
    Blink, BuzzerOrder, Capabilities, LedColor, LedOrder, PeripheralOrder, TemporaryBlink,
    TextOrder, Tone,
};

/// Codes of what a reader can do (OSDP 2.2, `osdp_PDCAP`).
const LED_CONTROL: u8 = 4;
const AUDIBLE_OUTPUT: u8 = 5;
const TEXT_OUTPUT: u8 = 6;

/// What is shown, for how long, with how many beeps and which words.
struct Row {
    color: LedColor,
    is_blinking: bool,
    tenths: u16,
    beeps: u8,
    text: &'static str,
}

/// The table. Between indications a reader is steady red: locked.
fn row(indication: Indication) -> Row {
    let (color, is_blinking, tenths, beeps, text) = match indication {
        // As short as can be: it ends what is shown for a while.
        Indication::Idle => (LedColor::Red, false, 1, 0, " "),
        Indication::AskPin => (LedColor::Amber, true, 150, 1, "PIN?"),
        Indication::Granted => (LedColor::Green, false, 30, 1, "OK"),
        Indication::Denied => (LedColor::Red, true, 20, 3, "DENIED"),
        Indication::Trouble => (LedColor::Amber, false, 30, 4, "ASK THE DESK"),
        Indication::HeldWarning => (LedColor::Amber, true, 100, 10, "CLOSE THE DOOR"),
    };
    Row {
        color,
        is_blinking,
        tenths,
        beeps,
        text,
    }
}

/// The orders that show something on a reader, as far as it says that it can.
pub(super) fn orders(indication: Indication, can: &Capabilities) -> Vec<PeripheralOrder> {
    let has = |function| {
        let listed = |c: &&crate::wire::osdp::Capability| c.function == function;
        can.0.iter().find(listed).is_some_and(|c| c.compliance > 0)
    };
    let row = row(indication);
    let mut orders = Vec::new();
    if has(LED_CONTROL) {
        orders.push(PeripheralOrder::Led(led(&row)));
    }
    if has(AUDIBLE_OUTPUT) && row.beeps > 0 {
        orders.push(PeripheralOrder::Buzzer(BuzzerOrder {
            tone: Tone::Default,
            on_tenths: 1,
            off_tenths: 1,
            count: row.beeps,
        }));
    }
    if has(TEXT_OUTPUT) {
        let seconds = u8::try_from(row.tenths.div_ceil(10)).unwrap_or(u8::MAX);
        orders.extend(
            TextOrder::new((1, 1), seconds, row.text)
                .ok()
                .map(PeripheralOrder::Text),
        );
    }
    orders
}

fn led(row: &Row) -> LedOrder {
    let (off_color, off_tenths) = if row.is_blinking {
        (LedColor::Black, 2)
    } else {
        (row.color, 0)
    };
    LedOrder {
        led: 0,
        temporary: Some(TemporaryBlink {
            blink: Blink {
                on_color: row.color,
                on_tenths: 2,
                off_color,
                off_tenths,
            },
            tenths: row.tenths,
        }),
        permanent: Some(Blink::steady(LedColor::Red)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::osdp::Capability;

    const ALL: [Indication; 6] = [
        Indication::Idle,
        Indication::AskPin,
        Indication::Granted,
        Indication::Denied,
        Indication::Trouble,
        Indication::HeldWarning,
    ];

    fn can(functions: &[u8]) -> Capabilities {
        let able = |function: &u8| Capability {
            function: *function,
            compliance: 1,
            count: 1,
        };
        Capabilities(functions.iter().map(able).collect())
    }

    #[test]
    fn a_reader_is_asked_for_nothing_it_cannot_do() {
        for indication in ALL {
            assert_eq!(orders(indication, &can(&[1, 2])), []);
            let lights = orders(indication, &can(&[LED_CONTROL]));
            assert!(matches!(lights.as_slice(), [PeripheralOrder::Led(_)]));
        }
    }

    #[test]
    fn every_indication_has_a_light_and_a_text_and_no_output() {
        let everything = can(&[LED_CONTROL, AUDIBLE_OUTPUT, TEXT_OUTPUT]);
        let mut seen = Vec::new();
        for indication in ALL {
            let shown = orders(indication, &everything);
            let is_output = |order: &PeripheralOrder| match order {
                PeripheralOrder::Output { .. } => true,
                PeripheralOrder::Led(_) | PeripheralOrder::Buzzer(_) | PeripheralOrder::Text(_) => {
                    false
                }
            };
            assert!(shown.len() >= 2 && !shown.iter().any(is_output));
            assert!(!seen.contains(&shown), "{indication:?} looks like another");
            seen.push(shown);
        }
    }
}
