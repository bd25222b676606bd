//! What ends a frame: a CRC of 16 bits, or a sum of 8.

/// What the CRC starts with (OSDP 2.2, packet format).
const INITIAL: u16 = 0x1D0F;

/// The CRC of frame bytes, sent low byte first: generator x^16 + x^12 + x^5 + 1, highest bit
/// first.
///
/// A byte at a time: what leaves at the top comes back at bits 12, 5 and 0, and since it is a
/// byte wide, its upper half falls onto its lower one first.
pub(super) fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(INITIAL, |crc, byte| {
        let leaving = (crc >> 8) ^ u16::from(*byte);
        let folded = leaving ^ (leaving >> 4);
        (crc << 8) ^ (folded << 12) ^ (folded << 5) ^ folded
    })
}

/// The sum of frame bytes, negated, so that all bytes with it add up to 0.
pub(super) fn checksum(bytes: &[u8]) -> u8 {
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    sum.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_the_one_with_initial_value_1d0f() {
        // CRC-16/SPI-FUJITSU of the catalogue of parametrised CRC algorithms: its check value.
        assert_eq!(crc(b"123456789"), 0xE5CC);
    }

    #[test]
    fn bytes_and_their_checksum_add_up_to_zero() {
        assert_eq!(checksum(&[0x53, 0x00, 0x07, 0x00, 0x00, 0x60]), 0x46);
        assert_eq!(checksum(&[]), 0);
    }
}
