//! The one way to standard output: rows as a table, JSON, JSON lines or CSV.

use std::io::{self, BufWriter, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::safe_text::{csv_cell, json_string, visible};

/// Rows gathered before a table is laid out; more would hold back what is there already.
const TABLE_ROWS_MAX: usize = 500;
/// Spaces between the columns of a table.
const PADDING: u16 = 2;
/// Words up to this length are not cut in two where a terminal is narrow: ids, dates, serials.
const WORD_WHOLE_MAX: usize = 32;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// Columns for reading.
    Table,
    /// One JSON array.
    Json,
    /// One JSON object per line.
    Jsonl,
    /// CSV with a header, safe to open in a spreadsheet.
    Csv,
}

/// Where a column is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In every format.
    Everywhere,
    /// In JSON and CSV only.
    DataOnly,
    /// In tables only.
    TableOnly,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its key in JSON and CSV; in a table `_` is shown as a space.
    pub name: &'static str,
    /// Its least width in a table, so that rows written one by one stay in line.
    pub width: u16,
    /// Where it is written.
    pub place: Place,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing: null in JSON.
    Empty,
    /// Text from anywhere.
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// True or false.
    Flag(bool),
    /// Several texts: an array in JSON, joined by `;` in CSV.
    List(Vec<String>),
}

impl Cell {
    /// Text, or nothing if it is empty.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(text)
        }
    }

    /// A number.
    pub fn number(number: impl Into<serde_json::Number>) -> Self {
        Self::Number(number.into())
    }

    fn for_table(&self) -> String {
        match self {
            Self::Empty => "-".to_owned(),
            Self::Text(text) => visible(text).into_owned(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::List(texts) if texts.is_empty() => "-".to_owned(),
            Self::List(texts) => visible(&texts.join(", ")).into_owned(),
        }
    }

    fn for_json(&self) -> String {
        match self {
            Self::Empty => "null".to_owned(),
            Self::Text(text) => json_string(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(texts) => {
                let inner: Vec<String> = texts.iter().map(|t| json_string(t)).collect();
                format!("[{}]", inner.join(","))
            }
        }
    }

    fn for_csv(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => csv_cell(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(texts) => csv_cell(&texts.join(";")),
        }
    }
}

/// Standard output that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader has left (`| head`): a quiet end.
    #[error("the reader of the output has left")]
    Closed,
    /// Anything else, such as a full disk.
    #[error("cannot write the output: {0}")]
    Write(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Write(error)
        }
    }
}

/// Writes rows in one format.
#[derive(Debug)]
pub struct Printer<W: Write> {
    out: BufWriter<W>,
    format: OutputFormat,
    columns: &'static [Column],
    row_count: u64,
    header_written: bool,
    waiting: Vec<Vec<Cell>>,
}

impl Printer<io::Stdout> {
    /// Writes to standard output.
    pub fn stdout(format: OutputFormat, columns: &'static [Column]) -> Self {
        Self::new(io::stdout(), format, columns)
    }
}

impl<W: Write> Printer<W> {
    /// Writes to anything.
    pub fn new(out: W, format: OutputFormat, columns: &'static [Column]) -> Self {
        Self {
            out: BufWriter::new(out),
            format,
            columns,
            row_count: 0,
            header_written: false,
            waiting: Vec::new(),
        }
    }

    /// Whether no row was given so far.
    pub fn is_empty(&self) -> bool {
        self.row_count == 0
    }

    /// Takes one row, a cell for each column. It is out after [`flush`](Self::flush).
    ///
    /// # Panics
    ///
    /// If there is another number of cells than of columns.
    pub fn row(&mut self, cells: Vec<Cell>) -> Result<(), OutputError> {
        assert!(cells.len() == self.columns.len(), "a cell for each column");
        let first = self.row_count == 0;
        self.row_count = self.row_count.saturating_add(1);
        match self.format {
            OutputFormat::Table => {
                self.waiting.push(cells);
                if self.waiting.len() >= TABLE_ROWS_MAX {
                    self.write_table()?;
                }
            }
            OutputFormat::Json => {
                self.out.write_all(if first { b"[\n" } else { b",\n" })?;
                self.out.write_all(self.object(&cells).as_bytes())?;
            }
            OutputFormat::Jsonl => {
                self.out.write_all(self.object(&cells).as_bytes())?;
                self.out.write_all(b"\n")?;
            }
            OutputFormat::Csv => {
                self.write_csv_header()?;
                let record = self
                    .placed(&cells)
                    .map(|(_, cell)| cell.for_csv())
                    .collect();
                self.write_csv(record)?;
            }
        }
        Ok(())
    }

    /// Hands everything taken so far to the operating system.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        self.write_table()?;
        self.out.flush()?;
        Ok(())
    }

    /// Ends the output: closes the array, writes the header of an empty CSV.
    pub fn finish(mut self) -> Result<(), OutputError> {
        match (self.format, self.is_empty()) {
            (OutputFormat::Json, true) => self.out.write_all(b"[]\n")?,
            (OutputFormat::Json, false) => self.out.write_all(b"\n]\n")?,
            (OutputFormat::Csv, true) => self.write_csv_header()?,
            (OutputFormat::Csv, false) | (OutputFormat::Table | OutputFormat::Jsonl, _) => {}
        }
        self.flush()
    }

    fn placed<'c>(&self, cells: &'c [Cell]) -> impl Iterator<Item = (&'static Column, &'c Cell)> {
        let hidden = match self.format {
            OutputFormat::Table => Place::DataOnly,
            OutputFormat::Json | OutputFormat::Jsonl | OutputFormat::Csv => Place::TableOnly,
        };
        let columns = self.columns;
        columns
            .iter()
            .zip(cells)
            .filter(move |(column, _)| column.place != hidden)
    }

    fn object(&self, cells: &[Cell]) -> String {
        let members: Vec<String> = self
            .placed(cells)
            .map(|(column, cell)| format!("\"{}\":{}", column.name, cell.for_json()))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn write_csv_header(&mut self) -> Result<(), OutputError> {
        if self.header_written {
            return Ok(());
        }
        self.header_written = true;
        let names = self
            .columns
            .iter()
            .filter(|column| column.place != Place::TableOnly)
            .map(|column| column.name.to_owned())
            .collect();
        self.write_csv(names)
    }

    fn write_csv(&mut self, record: Vec<String>) -> Result<(), OutputError> {
        // Through memory: the writer's own flush would reach the operating system row by row.
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer
            .write_record(record)
            .map_err(|error| OutputError::from(io::Error::from(error)))?;
        let line = writer
            .into_inner()
            .map_err(|error| OutputError::Write(error.into_error()))?;
        self.out.write_all(&line)?;
        Ok(())
    }

    fn write_table(&mut self) -> Result<(), OutputError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        if !self.header_written {
            self.header_written = true;
            table.set_header(
                self.shown()
                    .map(|c| c.name.replace('_', " ").to_uppercase()),
            );
        }
        let mut longest: Vec<usize> = self.shown().map(|column| column.name.len()).collect();
        for row in &rows {
            let texts: Vec<String> = self.placed(row).map(|(_, cell)| cell.for_table()).collect();
            for (longest, text) in longest.iter_mut().zip(&texts) {
                *longest = longest_word(text).max(*longest);
            }
            table.add_row(texts);
        }
        for ((column, shape), longest) in table.column_iter_mut().zip(self.shown()).zip(longest) {
            let least = u16::try_from(longest).map_or(shape.width, |n| n.max(shape.width));
            let padded = Width::Fixed(least.saturating_add(PADDING));
            column.set_padding((0, PADDING));
            column.set_constraint(ColumnConstraint::LowerBoundary(padded));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn shown(&self) -> impl Iterator<Item = &'static Column> + use<W> {
        self.columns
            .iter()
            .filter(|column| column.place != Place::DataOnly)
    }
}

/// Characters of the longest word that is to stay whole.
fn longest_word(text: &str) -> usize {
    let words = text.split_whitespace().map(|word| word.chars().count());
    words
        .filter(|count| *count <= WORD_WHOLE_MAX)
        .max()
        .unwrap_or(0)
}

/// Writes text to standard output as it is; its parts from elsewhere are to be made visible first.
pub fn text(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Waits until nobody reads standard output any more (`| head`), which writing would tell only
/// with the next row. Waits for ever where the output is a file or a terminal.
#[cfg(unix)]
pub async fn reader_left() {
    use std::os::fd::AsFd as _;
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;
    // Only asked whether it broke: it is never written to and stays in blocking mode.
    let pipe = io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(Sender::from_owned_fd_unchecked);
    if let Ok(pipe) = pipe
        && pipe.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Waits for ever; here only writing tells that the reader left.
#[cfg(not(unix))]
pub async fn reader_left() {
    std::future::pending::<()>().await;
}

/// Writes one line to standard error. That nobody reads it is no error.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column {
            name: "index",
            width: 6,
            place: Place::Everywhere,
        },
        Column {
            name: "badge_number",
            width: 8,
            place: Place::Everywhere,
        },
        Column {
            name: "reasons",
            width: 4,
            place: Place::DataOnly,
        },
        Column {
            name: "why",
            width: 4,
            place: Place::TableOnly,
        },
    ];

    fn printed(format: OutputFormat, rows: &[Vec<Cell>]) -> String {
        let mut bytes = Vec::new();
        let mut printer = Printer::new(&mut bytes, format, &COLUMNS);
        for row in rows {
            printer.row(row.clone()).unwrap();
        }
        printer.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn row(index: u64, badge: &str) -> Vec<Cell> {
        vec![
            Cell::number(index),
            Cell::text(badge),
            Cell::List(vec!["A".into(), "B".into()]),
            Cell::text("a\u{1b}b"),
        ]
    }

    #[test]
    fn csv_neutralises_formulas_and_leaves_numbers_alone() {
        let mut minus = row(1, "=HYPERLINK(\"x\")");
        minus[0] = Cell::number(-60);
        assert_eq!(
            printed(OutputFormat::Csv, &[minus]),
            "index,badge_number,reasons\n-60,\"'=HYPERLINK(\"\"x\"\")\",A;B\n"
        );
        assert_eq!(
            printed(OutputFormat::Csv, &[]),
            "index,badge_number,reasons\n"
        );
    }

    #[test]
    fn json_is_an_array_whatever_the_count() {
        assert_eq!(printed(OutputFormat::Json, &[]), "[]\n");
        let two = printed(OutputFormat::Json, &[row(0, ""), row(1, "B-1")]);
        let value: serde_json::Value = serde_json::from_str(&two).unwrap();
        assert_eq!(value[1]["badge_number"], "B-1");
        assert_eq!(value[0]["badge_number"], serde_json::Value::Null);
        assert_eq!(value[0]["reasons"][1], "B");
    }

    #[test]
    fn jsonl_is_a_line_per_row() {
        assert_eq!(
            printed(OutputFormat::Jsonl, &[row(7, "B-1")]),
            "{\"index\":7,\"badge_number\":\"B-1\",\"reasons\":[\"A\",\"B\"]}\n"
        );
    }

    #[test]
    fn a_table_has_one_header_and_safe_cells() {
        let mut bytes = Vec::new();
        let mut printer = Printer::new(&mut bytes, OutputFormat::Table, &COLUMNS);
        printer.row(row(1, "B-1")).unwrap();
        printer.flush().unwrap();
        printer.row(row(2, "")).unwrap();
        printer.finish().unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "INDEX   BADGE NUMBER  WHY\n1       B-1           a\\u{1b}b\n2       -             a\\u{1b}b\n"
        );
    }

    #[test]
    fn an_empty_list_is_shown_as_nothing_is() {
        let mut row = row(1, "");
        row[3] = Cell::List(Vec::new());
        assert_eq!(
            printed(OutputFormat::Table, &[row]),
            "INDEX   BADGE NUMBER  WHY\n1       -             -\n"
        );
        assert_eq!(longest_word("customers/acme 2026-11-23"), 14);
        assert_eq!(longest_word(&"x".repeat(40)), 0);
    }

    #[test]
    fn a_reader_that_left_is_told_apart() {
        #[derive(Debug)]
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut printer = Printer::new(Closed, OutputFormat::Csv, &COLUMNS);
        printer.row(row(1, "B")).unwrap();
        assert!(matches!(printer.flush(), Err(OutputError::Closed)));
    }
}
