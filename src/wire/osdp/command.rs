//! What a control panel says.

use super::PeripheralOrder;
use super::order::{Blink, BuzzerOrder, LedColor, LedOrder, OutputControl, TextOrder, Tone};
use crate::wire::Writer;

/// Commands by their names and codes in OSDP 2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandCode {
    /// `osdp_POLL`.
    Poll,
    /// `osdp_ID`.
    Id,
    /// `osdp_CAP`.
    Cap,
    /// `osdp_LSTAT`.
    LStat,
    /// `osdp_ISTAT`.
    IStat,
    /// `osdp_OSTAT`.
    OStat,
    /// `osdp_RSTAT`.
    RStat,
    /// `osdp_OUT`.
    Out,
    /// `osdp_LED`.
    Led,
    /// `osdp_BUZ`.
    Buz,
    /// `osdp_TEXT`.
    Text,
    /// `osdp_COMSET`.
    ComSet,
    /// `osdp_BIOREAD`.
    BioRead,
    /// `osdp_BIOMATCH`.
    BioMatch,
    /// `osdp_KEYSET`.
    KeySet,
    /// `osdp_CHLNG`.
    Chlng,
    /// `osdp_SCRYPT`.
    SCrypt,
    /// `osdp_ACURXSIZE`.
    AcuRxSize,
    /// `osdp_ABORT`.
    Abort,
    /// `osdp_KEEPACTIVE`.
    KeepActive,
}

impl CommandCode {
    /// Its number on the line.
    pub fn number(self) -> u8 {
        match self {
            Self::Poll => 0x60,
            Self::Id => 0x61,
            Self::Cap => 0x62,
            Self::LStat => 0x64,
            Self::IStat => 0x65,
            Self::OStat => 0x66,
            Self::RStat => 0x67,
            Self::Out => 0x68,
            Self::Led => 0x69,
            Self::Buz => 0x6A,
            Self::Text => 0x6B,
            Self::ComSet => 0x6E,
            Self::BioRead => 0x73,
            Self::BioMatch => 0x74,
            Self::KeySet => 0x75,
            Self::Chlng => 0x76,
            Self::SCrypt => 0x77,
            Self::AcuRxSize => 0x7B,
            Self::Abort => 0xA2,
            Self::KeepActive => 0xA7,
        }
    }
}

/// One command. Debug shows no more than its code.
#[derive(Clone, PartialEq, Eq)]
pub enum Command {
    /// Anything new?
    Poll,
    /// Who are you?
    Id,
    /// What can you do?
    Capabilities,
    /// Tamper and power?
    LocalStatus,
    /// The inputs?
    Inputs,
    /// The outputs?
    Outputs,
    /// The read heads?
    Heads,
    /// Do this.
    Order(PeripheralOrder),
    /// First half of the handshake: our random number.
    Challenge([u8; 8]),
    /// Second half of the handshake: our cryptogram.
    ServerCryptogram([u8; 16]),
    /// So many bytes can be received in one frame.
    ReceiveSize(u16),
    /// Keep the card's field on for so many milliseconds.
    KeepActive(u16),
    /// Stop what takes long.
    Abort,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Command({:?})", self.code())
    }
}

impl Command {
    /// Its code.
    pub fn code(&self) -> CommandCode {
        match self {
            Self::Poll => CommandCode::Poll,
            Self::Id => CommandCode::Id,
            Self::Capabilities => CommandCode::Cap,
            Self::LocalStatus => CommandCode::LStat,
            Self::Inputs => CommandCode::IStat,
            Self::Outputs => CommandCode::OStat,
            Self::Heads => CommandCode::RStat,
            Self::Order(PeripheralOrder::Output { .. }) => CommandCode::Out,
            Self::Order(PeripheralOrder::Led(_)) => CommandCode::Led,
            Self::Order(PeripheralOrder::Buzzer(_)) => CommandCode::Buz,
            Self::Order(PeripheralOrder::Text(_)) => CommandCode::Text,
            Self::Challenge(_) => CommandCode::Chlng,
            Self::ServerCryptogram(_) => CommandCode::SCrypt,
            Self::ReceiveSize(_) => CommandCode::AcuRxSize,
            Self::KeepActive(_) => CommandCode::KeepActive,
            Self::Abort => CommandCode::Abort,
        }
    }

    /// What follows its code on the line, at most 38 bytes.
    pub fn data(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Self::Poll
            | Self::LocalStatus
            | Self::Inputs
            | Self::Outputs
            | Self::Heads
            | Self::Abort => {}
            // Both ask for the standard form of the answer, number 0.
            Self::Id | Self::Capabilities => writer.u8(0),
            Self::Order(PeripheralOrder::Output { number, control }) => {
                write_output(&mut writer, *number, *control);
            }
            Self::Order(PeripheralOrder::Led(led)) => write_led(&mut writer, led),
            Self::Order(PeripheralOrder::Buzzer(buzzer)) => write_buzzer(&mut writer, *buzzer),
            Self::Order(PeripheralOrder::Text(text)) => write_text(&mut writer, text),
            Self::Challenge(random) => writer.bytes(random),
            Self::ServerCryptogram(cryptogram) => writer.bytes(cryptogram),
            Self::ReceiveSize(number) | Self::KeepActive(number) => writer.u16_le(*number),
        }
        writer.into_bytes()
    }
}

/// The read head that is meant; a device here has one.
const HEAD: u8 = 0;

fn write_output(writer: &mut Writer, number: u8, control: OutputControl) {
    let (code, tenths) = match control {
        OutputControl::Off => (0x01, 0),
        OutputControl::On => (0x02, 0),
        OutputControl::OnFor(tenths) => (0x05, tenths.get()),
    };
    writer.u8(number);
    writer.u8(code);
    writer.u16_le(tenths);
}

fn write_led(writer: &mut Writer, led: &LedOrder) {
    writer.u8(HEAD);
    writer.u8(led.led);
    // 02 shows a temporary state, 00 leaves one alone; 01 sets the permanent one.
    match led.temporary {
        Some(temporary) => {
            writer.u8(0x02);
            write_blink(writer, temporary.blink);
            writer.u16_le(temporary.tenths);
        }
        None => writer.bytes(&[0; 7]),
    }
    match led.permanent {
        Some(permanent) => {
            writer.u8(0x01);
            write_blink(writer, permanent);
        }
        None => writer.bytes(&[0; 5]),
    }
}

/// A light that is on and off for no time at all is one that is on.
fn write_blink(writer: &mut Writer, blink: Blink) {
    let is_still = blink.on_tenths == 0 && blink.off_tenths == 0;
    writer.u8(if is_still { 1 } else { blink.on_tenths });
    writer.u8(blink.off_tenths);
    writer.u8(color_code(blink.on_color));
    writer.u8(color_code(blink.off_color));
}

fn color_code(color: LedColor) -> u8 {
    match color {
        LedColor::Black => 0,
        LedColor::Red => 1,
        LedColor::Green => 2,
        LedColor::Amber => 3,
        LedColor::Blue => 4,
        LedColor::Magenta => 5,
        LedColor::Cyan => 6,
        LedColor::White => 7,
    }
}

fn write_buzzer(writer: &mut Writer, buzzer: BuzzerOrder) {
    let tone = match buzzer.tone {
        Tone::Off => 1,
        Tone::Default => 2,
    };
    writer.bytes(&[
        HEAD,
        tone,
        buzzer.on_tenths.max(1),
        buzzer.off_tenths,
        buzzer.count,
    ]);
}

fn write_text(writer: &mut Writer, text: &TextOrder) {
    // 01 shows for good, 03 for a while; both without wrapping lines.
    let code = if text.seconds() == 0 { 0x01 } else { 0x03 };
    let shown = text.text().as_bytes();
    let len_bytes = u8::try_from(shown.len()).unwrap_or(0);
    writer.bytes(&[
        HEAD,
        code,
        text.seconds(),
        text.row(),
        text.column(),
        len_bytes,
    ]);
    writer.bytes(shown);
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
