//! sluss
fn main() {}
