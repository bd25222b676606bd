use super::*;

#[test]
fn guessable_keys_are_refused() {
    let default: [u8; 16] = *b"0123456789:;<=>?";
    assert_eq!(SecureKey::new(default).err(), Some(WeakKey::Run));
    let mut down = default;
    down.reverse();
    assert_eq!(SecureKey::new(down).err(), Some(WeakKey::Run));
    assert_eq!(SecureKey::new([0xFF; 16]).err(), Some(WeakKey::Run));
    let twice = *b"\x9b\x01\x42\xd7\x66\x2c\xe0\x58\x9b\x01\x42\xd7\x66\x2c\xe0\x58";
    assert_eq!(SecureKey::new(twice).err(), Some(WeakKey::Repeated));
    let few = *b"\x00\x01\x00\x00\x02\x01\x00\x03\x00\x00\x03\x01\x02\x02\x00\x00";
    assert_eq!(SecureKey::new(few).err(), Some(WeakKey::Repeated));
}

#[test]
fn a_random_key_is_taken() {
    let key = *b"\x9b\x01\x42\xd7\x66\x2c\xe0\x58\x13\xfa\x7f\x35\xc4\x8e\xa9\x20";
    assert_eq!(SecureKey::new(key).map(|key| *key.bytes()).ok(), Some(key));
}
