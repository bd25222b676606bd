//! `sluss`: commands for operators and customers.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluss::client::commands::run(std::env::args_os())
}
