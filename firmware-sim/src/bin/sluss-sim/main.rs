//! `sluss-sim`: readers, lines, doors and controllers that are not there.

mod args;
mod controller;
mod lines;

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use sluss_sim::Scenario;

use args::{Command, Run, SlussSim};

fn main() -> ExitCode {
    let done = match SlussSim::parse().command {
        Command::Reader(args) => lines::reader(&args),
        Command::Bus(args) => lines::bus(&args),
        Command::Door(args) => lines::door(&args),
        Command::Controller(args) => controller::authorize(&args),
        Command::Run(args) => run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sluss-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Run) -> anyhow::Result<()> {
    let name = args.scenario.display();
    let text = fs::read_to_string(&args.scenario).with_context(|| format!("`{name}`"))?;
    let scenario = Scenario::parse(&text).with_context(|| format!("`{name}`"))?;
    if args.check {
        println!("`{name}` can be run");
        return Ok(());
    }
    scenario
        .run(&args.folder, &mut |line| println!("{line}"))
        .with_context(|| format!("`{name}`"))?;
    println!("all expectations were met");
    Ok(())
}
