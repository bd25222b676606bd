//! What a power cut leaves: whether everything acknowledged is still there.
//!
//! `cargo test --test crash -- [--images N] [--kills N] [--seed N] [--long]`
//!
//! A whole log with its keyring works on a disk that records every write, sync and change of
//! names. Images are made of that, cut at random; what was not synced is dropped, torn or
//! reordered. Three controls leave a sync out and must lose.
//! Then the real server is killed under load again and again, with a control of its own.

mod args;
mod random;

mod site;
mod staged_world;

mod held;
mod inline_task;
mod running;
mod workload;

mod recording;
mod remains;
mod sled_files;

mod check;
mod images;
mod tally;

mod kills;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::Args::parse(std::env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => return ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("crash: {what}");
            return ExitCode::from(2);
        }
    };
    // Broken images make sled panic in the controls. That is caught; its words are of no use here.
    std::panic::set_hook(Box::new(|_| ()));
    println!("crash: seed {}", args.seed);
    // One line for each kind of crash.
    let sound = images::run(&args).and_then(|images| Ok(kills::run(&args)? && images));
    match sound {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}
