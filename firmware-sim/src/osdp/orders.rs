//! Orders with records: outputs, lights, buzzer, text.

use std::time::Duration;

use super::codes::Nak;
use super::observed::{LedOrder, LedPattern, Seen};
use super::outputs::OutputControl;

/// Bytes of one record of OUT (OSDP 2.2, 6.9).
const OUT_BYTES: usize = 4;
/// Bytes of one record of LED (OSDP 2.2, 6.10).
const LED_BYTES: usize = 14;
/// Times count in these.
const TICK: Duration = Duration::from_millis(100);

fn ticks(count: u8) -> Duration {
    TICK * u32::from(count)
}

/// Splits data into whole records, at least one.
fn records<const N: usize>(data: &[u8]) -> Result<&[[u8; N]], Nak> {
    let (records, rest) = data.as_chunks::<N>();
    if records.is_empty() || !rest.is_empty() {
        return Err(Nak::Length);
    }
    Ok(records)
}

/// Numbers of outputs and what they are told; all of them or none.
pub(crate) fn outputs(data: &[u8], count: usize) -> Result<Vec<(u8, OutputControl)>, Nak> {
    let read = |[number, code, low, high]: &[u8; OUT_BYTES]| {
        let time = u16::from_le_bytes([*low, *high]);
        let control = OutputControl::from_record(*code, time).ok_or(Nak::Record)?;
        if usize::from(*number) >= count {
            return Err(Nak::Record);
        }
        Ok((*number, control))
    };
    records(data)?.iter().map(read).collect()
}

/// Lights and how they shine.
pub(crate) fn lights(data: &[u8]) -> Result<Vec<Seen>, Nak> {
    let pattern = |on_time, off_time, on_color, off_color| LedPattern {
        on_color,
        on_time: ticks(on_time),
        off_color,
        off_time: ticks(off_time),
    };
    let read = |record: &[u8; LED_BYTES]| {
        let [
            _reader,
            number,
            now,
            now_on,
            now_off,
            now_color,
            now_other,
            low,
            high,
            then,
            then_on,
            then_off,
            then_color,
            then_other,
        ] = *record;
        // 00 leaves it, 01 cancels what shines for a while, 02 sets it.
        let length = TICK * u32::from(u16::from_le_bytes([low, high]));
        let temporary =
            (now == 2).then(|| (pattern(now_on, now_off, now_color, now_other), length));
        let permanent = (then == 1).then(|| pattern(then_on, then_off, then_color, then_other));
        if now > 2 || then > 1 {
            return Err(Nak::Record);
        }
        Ok(Seen::Led(LedOrder {
            number,
            temporary,
            permanent,
        }))
    };
    records(data)?.iter().map(read).collect()
}

/// The buzzer.
pub(crate) fn buzzer(data: &[u8]) -> Result<Seen, Nak> {
    let [_reader, tone, _on_time, _off_time, count] = *data else {
        return Err(Nak::Length);
    };
    Ok(Seen::Buzzer { tone, count })
}

/// A text; characters that are not ASCII are shown as question marks.
pub(crate) fn text(data: &[u8]) -> Result<Seen, Nak> {
    let [_reader, _how, _time, _row, _column, len, characters @ ..] = data else {
        return Err(Nak::Length);
    };
    if characters.len() != usize::from(*len) {
        return Err(Nak::Length);
    }
    let shown = |byte: &u8| match *byte {
        0x20..=0x7E => char::from(*byte),
        _ => '?',
    };
    Ok(Seen::Text(characters.iter().map(shown).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_record_of_outputs_refuses_all() {
        assert_eq!(outputs(&[], 2), Err(Nak::Length));
        assert_eq!(outputs(&[0, 5, 30], 2), Err(Nak::Length));
        assert_eq!(outputs(&[0, 5, 30, 0, 2, 5, 30, 0], 2), Err(Nak::Record));
        assert_eq!(outputs(&[0, 7, 30, 0], 2), Err(Nak::Record));
        assert_eq!(outputs(&[1, 5, 30, 0, 0, 1, 0, 0], 2).unwrap().len(), 2);
    }

    #[test]
    fn a_light_has_a_pattern_for_a_while_and_one_for_good() {
        let record = [0, 1, 2, 5, 5, 2, 0, 30, 0, 1, 1, 0, 1, 1];
        let Seen::Led(order) = lights(&record).unwrap().remove(0) else {
            panic!("no light");
        };
        let (pattern, length) = order.temporary.unwrap();
        assert_eq!((order.number, pattern.on_color, length), (1, 2, ticks(30)));
        assert_eq!(order.permanent.unwrap().on_color, 1);
        assert_eq!(lights(&record[..13]), Err(Nak::Length));
    }

    #[test]
    fn a_text_has_as_many_characters_as_it_says() {
        let seen = text(&[0, 1, 0, 1, 1, 3, b'a', 0xFF, b'c']);
        assert_eq!(seen, Ok(Seen::Text("a?c".to_owned())));
        assert_eq!(text(&[0, 1, 0, 1, 1, 4, b'a']), Err(Nak::Length));
    }
}
