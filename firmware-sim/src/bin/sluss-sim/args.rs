//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Simulated devices for an access control site: OSDP readers on serial lines, doors, controllers.
#[derive(Debug, Parser)]
#[command(name = "sluss-sim", version)]
pub(crate) struct SlussSim {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One OSDP reader on a line of its own
    #[command(after_help = READER_HELP)]
    Reader(Reader),
    /// A line with several OSDP readers
    #[command(after_help = BUS_HELP)]
    Bus(Bus),
    /// One OSDP reader with a door wired to it
    #[command(after_help = DOOR_HELP)]
    Door(Door),
    /// A door controller that asks once whether a card may pass
    #[command(after_help = CONTROLLER_HELP)]
    Controller(Controller),
    /// Runs a scenario; ends with 1 at the first expectation that is not met
    #[command(after_help = RUN_HELP)]
    Run(Run),
}

const READER_HELP: &str = "\
Orders are read from standard input, one in a line:
  present H10301 42 12345    present N10002 42 12345    present H10304 42 12345
  present H10302 12345    present UID 04a1b2c3d4e5f6    present raw H10301 26 95181cc1
  text 0012345    keys 1234#    tamper on|off    power_failed on|off    input 1 on|off
  restart    install_mode on|off    fault KIND [TIMES]    clear_faults
  unplug    replug    noise 2s    echo on|off    quit
Kinds of faults: reply_lost, reply_late TIME, reply_corrupted, reply_truncated, reply_duplicated,
wrong_sequence, wrong_address, wrong_mac, busy, silence, restart, no_security, default_key_only,
same_random, never_stops. Without TIMES a fault stays until clear_faults.

Examples:
  sluss-sim reader --port ./gate --key-file keys/readers/gate-in.key
  sluss-sim reader --port ./gate --baud 9600 --address 3 --plain";

const BUS_HELP: &str = "\
Orders are those of `sluss-sim reader`; an order to a reader begins with its address:
  5 present H10301 42 12345
  noise 2s

Examples:
  sluss-sim bus --port ./line-a --reader 1=keys/readers/gate-in.key --reader 2=keys/readers/gate-out.key
  sluss-sim bus --port ./line-b --baud 115200 --turnaround-ms 10 --plain-reader 7";

const DOOR_HELP: &str = "\
Orders are those of `sluss-sim reader`, and these to the door:
  force [TIME]    hold    close    press_exit TIME    person stays    person opens AFTER [OPEN_FOR]

Example:
  sluss-sim door --port ./gate --key-file keys/readers/gate-in.key --contact-input 0 --exit-input 1";

const CONTROLLER_HELP: &str = "\
Example:
  sluss-sim controller --server https://127.0.0.1:7443 --server-name sluss.example \\
    --papers papers/gate-1 --access-point accessPoints/gate-in --card 'H10301 42 12345'";

const RUN_HELP: &str = "\
A scenario is a TOML file: lines with readers, doors, and steps in their order.
  [[line]]
  name = \"a\"
  path = \"line-a\"
  baud = 115200
  reader = [{ address = 1, key = \"9f026cd14483e07b15aa38f65d21bc70\" }]
  [[step]]
  reader = 1
  expect = \"secure_channel_up\"
  within = \"10s\"
  [[step]]
  after = \"500ms\"
  reader = 1
  do = \"present H10301 42 12345\"
  [[step]]
  reader = 1
  expect = \"output 0 on\"
  within = \"2s\"
Orders are those of `sluss-sim reader` and `sluss-sim door`. Expected can be: output N on|off,
text TEXT, led, buzzer, secure_channel_up, secure_channel_down, handshake_refused, online, offline,
key_set, comset, card_reported, keys_reported, restarted, door_released, door_locked, door_open,
door_closed; `expect_not` says what must not come `within` a time.

Examples:
  sluss-sim run firmware-sim/scenarios/granted.toml --folder /run/user/1000
  sluss-sim run my.toml --check";

/// The line of a reader, a door or several readers.
#[derive(Debug, Args)]
pub(crate) struct Line {
    /// Where the serial port is to be: a symbolic link that is made, and removed at the end
    #[arg(long, value_name = "PATH")]
    pub(crate) port: PathBuf,
    /// Speed of the line
    #[arg(long, default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(300..))]
    pub(crate) baud: u32,
    /// Time from a command to the reply
    #[arg(long, value_name = "MS", default_value_t = 3)]
    pub(crate) turnaround_ms: u32,
}

/// A reader that is alone on its line.
#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    pub(crate) line: Line,
    /// The reader's address, 0 to 126
    #[arg(long, default_value_t = 0)]
    pub(crate) address: u8,
    /// File with the reader's key, 32 hexadecimal digits
    #[arg(long, value_name = "FILE", required_unless_present_any = ["plain", "install_mode"])]
    pub(crate) key_file: Option<PathBuf>,
    /// Without a key: everything in clear
    #[arg(long, conflicts_with = "key_file")]
    pub(crate) plain: bool,
    /// Answers the default key, and takes one of its own over it
    #[arg(long, conflicts_with = "plain")]
    pub(crate) install_mode: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reader {
    #[command(flatten)]
    pub(crate) one: One,
}

#[derive(Debug, Args)]
pub(crate) struct Bus {
    #[command(flatten)]
    pub(crate) line: Line,
    /// A reader with the secure channel: its address and the file with its key
    #[arg(long = "reader", value_name = "ADDRESS=FILE", value_parser = secure_reader)]
    pub(crate) readers: Vec<(u8, PathBuf)>,
    /// A reader without a key
    #[arg(long = "plain-reader", value_name = "ADDRESS")]
    pub(crate) plain_readers: Vec<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct Door {
    #[command(flatten)]
    pub(crate) one: One,
    /// The reader's output that releases the door
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) strike_output: u8,
    /// The reader's input that is active while the door is open
    #[arg(long, value_name = "NUMBER")]
    pub(crate) contact_input: Option<u8>,
    /// The reader's input that is active while the exit button is pressed
    #[arg(long, value_name = "NUMBER")]
    pub(crate) exit_input: Option<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct Controller {
    /// The server, https://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub(crate) server: String,
    /// The name in the server's certificate
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: String,
    /// Folder with ca.pem, cert.pem and key.pem
    #[arg(long, value_name = "FOLDER")]
    pub(crate) papers: PathBuf,
    /// Where the card is presented, accessPoints/ID
    #[arg(long, value_name = "NAME")]
    pub(crate) access_point: String,
    /// The card: `H10301 FACILITY NUMBER`, `UID HEX`, `raw FORMAT BITS HEX` and so on
    #[arg(long)]
    pub(crate) card: String,
    /// The PIN typed with it
    #[arg(long)]
    pub(crate) pin: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The scenario's file
    pub(crate) scenario: PathBuf,
    /// Relative paths of ports are taken from here
    #[arg(long, default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Reads the file and runs nothing
    #[arg(long)]
    pub(crate) check: bool,
}

fn secure_reader(text: &str) -> Result<(u8, PathBuf), String> {
    let (address, file) = text.split_once('=').ok_or("not ADDRESS=FILE")?;
    let address = address
        .parse()
        .map_err(|_| format!("`{address}` is not an address from 0 to 126"))?;
    Ok((address, PathBuf::from(file)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        SlussSim::command().debug_assert();
    }
}
