//! Layouts as in OSDP 2.2, clause 6; bytes written down by hand.

use super::*;
use crate::wire::osdp::TemporaryBlink;

#[track_caller]
fn check(command: &Command, code: u8, data: &[u8]) {
    assert_eq!(command.code().number(), code);
    assert_eq!(command.data(), data);
}

#[test]
fn questions_are_their_code() {
    check(&Command::Poll, 0x60, &[]);
    check(&Command::Id, 0x61, &[0]);
    check(&Command::Capabilities, 0x62, &[0]);
    check(&Command::LocalStatus, 0x64, &[]);
    check(&Command::Inputs, 0x65, &[]);
    check(&Command::Outputs, 0x66, &[]);
    check(&Command::Heads, 0x67, &[]);
    check(&Command::Abort, 0xA2, &[]);
    check(&Command::ReceiveSize(1_440), 0x7B, &[0xA0, 0x05]);
    check(&Command::KeepActive(7_000), 0xA7, &[0x58, 0x1B]);
    check(&Command::Challenge([1; 8]), 0x76, &[1; 8]);
    check(&Command::ServerCryptogram([2; 16]), 0x77, &[2; 16]);
}

#[test]
fn a_strike_goes_off_by_itself() {
    let out = |number, control| Command::Order(PeripheralOrder::Output { number, control });
    let timed = OutputControl::OnFor(300.try_into().unwrap());
    check(&out(0, timed), 0x68, &[0, 5, 0x2C, 0x01]);
    check(&out(1, OutputControl::Off), 0x68, &[1, 1, 0, 0]);
    check(&out(2, OutputControl::On), 0x68, &[2, 2, 0, 0]);
}

#[test]
fn a_light_shows_for_a_while_or_for_good() {
    let blink = Blink {
        on_color: LedColor::Green,
        on_tenths: 3,
        off_color: LedColor::Black,
        off_tenths: 2,
    };
    let temporary = Some(TemporaryBlink { blink, tenths: 258 });
    let led = |temporary, permanent| {
        let led = 1;
        Command::Order(PeripheralOrder::Led(LedOrder {
            led,
            temporary,
            permanent,
        }))
    };
    let data = [0, 1, 2, 3, 2, 2, 0, 2, 1, 0, 0, 0, 0, 0];
    check(&led(temporary, None), 0x69, &data);
    let steady = Some(Blink::steady(LedColor::Red));
    let data = [0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1];
    check(&led(None, steady), 0x69, &data);
}

#[test]
fn buzzer_and_text_are_laid_out_as_known() {
    let buzzer = BuzzerOrder {
        tone: Tone::Default,
        on_tenths: 0,
        off_tenths: 4,
        count: 3,
    };
    let buzzer = Command::Order(PeripheralOrder::Buzzer(buzzer));
    check(&buzzer, 0x6A, &[0, 2, 1, 4, 3]);
    let text = |seconds| {
        let text = TextOrder::new((2, 1), seconds, "Hi").unwrap();
        Command::Order(PeripheralOrder::Text(text))
    };
    check(&text(0), 0x6B, &[0, 1, 0, 2, 1, 2, b'H', b'i']);
    check(&text(9), 0x6B, &[0, 3, 9, 2, 1, 2, b'H', b'i']);
}

#[test]
fn a_text_has_32_printable_characters_at_most() {
    use crate::wire::osdp::InvalidText;
    let long = "x".repeat(33);
    let refused = TextOrder::new((1, 1), 0, &long).err();
    assert_eq!(refused, Some(InvalidText::Long { limit: 32 }));
    for text in ["\n", "å"] {
        let refused = TextOrder::new((1, 1), 0, text).err();
        assert_eq!(refused, Some(InvalidText::Character));
    }
    let refused = TextOrder::new((0, 1), 0, "x").err();
    assert_eq!(refused, Some(InvalidText::Place));
}
