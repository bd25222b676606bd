//! Text from elsewhere, made safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character may move the cursor, change colours, hide or reorder text.
pub(super) fn is_unsafe(c: char) -> bool {
    let reorders_or_hides = matches!(
        c,
        '\u{061c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    );
    c.is_control() || reorders_or_hides
}

/// The text with every control, bidirectional or invisible character shown as `\u{..}`.
///
/// Names come from files that others wrote; a name that clears the screen of a guard would hide
/// the lines before it.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// The text as a JSON string, with the same characters escaped as JSON escapes them.
pub fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len().saturating_add(2));
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            // All characters meant here lie in the first plane: four digits are enough.
            c if is_unsafe(c) => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// Whether a spreadsheet would read a cell with this text as a formula.
fn starts_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// The text as a cell of a CSV file: visible, and never a formula.
///
/// A leading `'` makes spreadsheets take the rest as text; [`from_csv_cell`] takes it off again.
pub fn csv_cell(text: &str) -> String {
    let safe = visible(text);
    if starts_formula(text) {
        format!("'{safe}")
    } else {
        safe.into_owned()
    }
}

/// A cell as it was before [`csv_cell`] put a `'` in front of it.
pub fn from_csv_cell(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if starts_formula(rest) => rest,
        Some(_) | None => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+46", "'+46"),
            ("-1", "'-1"),
            ("@a", "'@a"),
            ("\tx", "'\\u{9}x"),
            ("\rx", "'\\u{d}x"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
        assert_eq!(from_csv_cell("'=1+1"), "=1+1");
        assert_eq!(from_csv_cell("'quoted'"), "'quoted'");
    }

    #[test]
    fn a_name_cannot_drive_the_terminal() {
        assert_eq!(
            visible("a\u{1b}[2Jb\u{202e}\u{9b}c"),
            "a\\u{1b}[2Jb\\u{202e}\\u{9b}c"
        );
        assert_eq!(visible("Åsa Öberg"), "Åsa Öberg");
    }

    #[test]
    fn json_strings_read_back_as_they_were() {
        let text = "a\"\\\u{1b}\u{7f}\u{9b}\u{202e}\n😀";
        let json = json_string(text);
        assert!(!json.chars().any(is_unsafe), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
