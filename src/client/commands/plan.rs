//! What plans of sites and of lists share.

use prost::Message;

use crate::client::exit::Failure;
use crate::client::print::{Cell, Column, OutputFormat, Place, Printer, note};
use crate::client::words;
use crate::pb::v1::PlannedChange;

/// Items in one message of an upload.
const CHUNK_ITEMS_MAX: usize = 100;
/// Bytes in one message of an upload; the server takes 64 KiB.
const CHUNK_BYTES_MAX: usize = 32 * 1024;

const COLUMNS: [Column; 4] = [
    column("action", 6),
    column("resource", 20),
    column("line", 4),
    column("detail", 10),
];

const fn column(name: &'static str, width: u16) -> Column {
    Column {
        name,
        width,
        place: Place::Everywhere,
    }
}

/// Cuts an upload into messages that the server takes, in order.
pub(super) fn chunks<T: Message>(items: Vec<T>) -> Vec<Vec<T>> {
    let mut chunks = vec![Vec::new()];
    let mut bytes = 0_usize;
    for item in items {
        let size = item.encoded_len();
        let full = chunks.last().is_some_and(|chunk| {
            let filled = bytes.saturating_add(size) > CHUNK_BYTES_MAX;
            chunk.len() >= CHUNK_ITEMS_MAX || (filled && !chunk.is_empty())
        });
        if full {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(item);
        }
    }
    chunks
}

/// Prints what would change; says so where nothing would.
pub(super) fn print(format: OutputFormat, changes: &[PlannedChange]) -> Result<(), Failure> {
    let mut printer = Printer::stdout(format, &COLUMNS);
    for change in changes {
        let line = match change.line {
            0 => Cell::Empty,
            line => Cell::number(line),
        };
        printer.row(vec![
            Cell::text(words::action(change.action)),
            Cell::text(change.resource.as_str()),
            line,
            Cell::text(change.detail.as_str()),
        ])?;
    }
    if printer.is_empty() {
        note("nothing would change");
    }
    printer.finish()?;
    Ok(())
}

/// Says how many of all changes a plan shows, where it does not show all.
pub(super) fn note_rest(shown: usize, counts: [u32; 3]) {
    let all = counts
        .iter()
        .fold(0_u64, |sum, count| sum.saturating_add(u64::from(*count)));
    let shown = u64::try_from(shown).unwrap_or(u64::MAX);
    if all > shown {
        note(&format!("and {} more changes", all.saturating_sub(shown)));
    }
}

/// Refuses to apply a plan made against something else than the caller has seen.
pub(super) fn same_etag(seen: Option<&str>, planned: &str) -> Result<(), Failure> {
    match seen {
        Some(seen) if seen != planned => Err(Failure::Conflict(format!(
            "it changed since: the etag is `{planned}` now, not `{seen}`"
        ))),
        Some(_) | None => Ok(()),
    }
}

/// A request id that is the same whenever the same upload is applied again.
pub(super) fn request_id(upload: &str) -> String {
    let id: String = upload
        .chars()
        .filter(char::is_ascii_graphic)
        .take(58)
        .collect();
    format!("apply-{}", words::bare_id(&id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::v1::AccessListLine;

    #[test]
    fn uploads_are_cut_by_count_and_by_size_and_keep_their_order() {
        let line = |number: u32, chars: usize| AccessListLine {
            line: number,
            display_name: "x".repeat(chars),
            ..AccessListLine::default()
        };
        let small: Vec<_> = (0..250).map(|n| line(n, 1)).collect();
        let cut = chunks(small);
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
        let large: Vec<_> = (0..10).map(|n| line(n, 10_000)).collect();
        let cut = chunks(large);
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 3, 1]);
        let order: Vec<u32> = cut.into_iter().flatten().map(|l| l.line).collect();
        assert_eq!(order, (0..10).collect::<Vec<_>>());
        assert_eq!(chunks(Vec::<AccessListLine>::new()).len(), 1);
    }

    #[test]
    fn a_plan_of_something_else_is_not_applied() {
        assert!(same_etag(None, "7").is_ok() && same_etag(Some("7"), "7").is_ok());
        assert_eq!(same_etag(Some("6"), "7").unwrap_err().exit().code(), 6);
    }
}
