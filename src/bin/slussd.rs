//! slussd
fn main() {}
