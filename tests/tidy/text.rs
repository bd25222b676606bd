//! Reading source text: what is code, what is a test, which words stand in it.

use std::path::{Path, PathBuf};

/// A file of the tree.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Path from the root of the tree, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// The root of the tree.
pub(crate) fn root() -> PathBuf {
    // Asked of cargo when the test runs: trees that share a build folder share this program.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Files at or under a path whose names end in one of `endings`, sorted; none if it is not there.
pub(crate) fn files_under(path: &str, endings: &[&str]) -> Vec<SourceFile> {
    let mut found = Vec::new();
    collect(&root().join(path), endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(path: &Path, endings: &[&str], found: &mut Vec<SourceFile>) {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let inside: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        for path in inside {
            collect(&path, endings, found);
        }
        return;
    }
    let name = path.to_string_lossy();
    if endings.iter().any(|ending| name.ends_with(ending))
        && let (Ok(relative), Ok(text)) = (path.strip_prefix(root()), std::fs::read_to_string(path))
    {
        let path = relative.to_string_lossy().into_owned();
        found.push(SourceFile { path, text });
    }
}

/// The text with comments, strings and character literals blanked; lines stay lines.
pub(crate) fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(*c);
            at += 1;
        } else {
            let skipped = chars.iter().take(end).skip(at);
            out.extend(skipped.map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal ends that begins at `at`; `at` itself where none begins.
fn literal_end(chars: &[char], at: usize) -> usize {
    let char_at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    match (char_at(at), char_at(at + 1)) {
        ('/', '/') => find(chars, at, "\n"),
        ('/', '*') => find(chars, at + 2, "*/") + 2,
        ('"', _) => quote_end(chars, at + 1, '"'),
        ('\'', '\\') => quote_end(chars, at + 1, '\''),
        ('\'', _) if char_at(at + 2) == '\'' => at + 3,
        ('r', '"' | '#') if !continues_word(chars, at) => raw_end(chars, at),
        _ => at,
    }
}

/// Whether a letter belongs to a longer word; the prefixes of byte and C strings do not count.
fn continues_word(chars: &[char], at: usize) -> bool {
    let word = |i: Option<usize>| {
        i.and_then(|i| chars.get(i))
            .is_some_and(|c| c.is_alphanumeric() || *c == '_')
    };
    let prefix = at
        .checked_sub(1)
        .and_then(|i| chars.get(i))
        .is_some_and(|c| matches!(c, 'b' | 'c'));
    word(at.checked_sub(1)) && (!prefix || word(at.checked_sub(2)))
}

fn raw_end(chars: &[char], at: usize) -> usize {
    let hashes = chars.iter().skip(at + 1).take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    find(chars, at + 2 + hashes, &close) + close.len()
}

fn quote_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while let Some(c) = chars.get(at) {
        match c {
            '\\' => at += 2,
            c if *c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn find(chars: &[char], from: usize, wanted: &str) -> usize {
    (from..chars.len())
        .find(|at| {
            wanted
                .chars()
                .eq(chars.iter().copied().skip(*at).take(wanted.len()))
        })
        .unwrap_or(chars.len())
}

/// Blanked source, parted.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// What is compiled into the program.
    pub(crate) code: String,
    /// Items under `#[cfg(test)]`, one after the other.
    pub(crate) tests: Vec<String>,
}

/// Parts blanked source into code and the items under `#[cfg(test)]`.
pub(crate) fn part(blanked: &str) -> Parts {
    let mut parts = Parts::default();
    let mut rest = blanked;
    loop {
        let begin = ["#[cfg(test)]", "#[cfg(all(test"]
            .iter()
            .filter_map(|mark| rest.find(mark))
            .min();
        let Some((before, item)) = begin.and_then(|at| rest.split_at_checked(at)) else {
            parts.code.push_str(rest);
            return parts;
        };
        let Some((item, after)) = item.split_at_checked(item_end(item)) else {
            return parts;
        };
        parts.code.push_str(before);
        parts.tests.push(item.to_owned());
        rest = after;
    }
}

/// Where an item ends that begins with its attributes: after its `;` or its closing brace.
fn item_end(item: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in item.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        let closes = c == ';' || c == '}';
        if depth < 0 {
            return at;
        }
        if depth == 0 && closes {
            return at + 1;
        }
    }
    item.len()
}

/// Words and punctuation of blanked source; `::` is one token.
pub(crate) fn tokens(code: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let len = if word(first) {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let Some((token, after)) = rest.split_at_checked(len) else {
            break;
        };
        out.push(token);
        rest = after.trim_start();
    }
    out
}

/// Paths of files that only tests compile: those declared by `#[cfg(test)] mod name;`.
pub(crate) fn test_only_paths(files: &[SourceFile]) -> Vec<String> {
    let mut paths = Vec::new();
    for file in files {
        let stem = file.path.trim_end_matches(".rs");
        let folder = ["/mod", "/lib", "/main"]
            .iter()
            .find_map(|name| stem.strip_suffix(name))
            .unwrap_or(stem);
        for item in part(&blank(&file.text)).tests {
            if let [.., "mod", name, ";"] = tokens(&item).as_slice() {
                paths.push(format!("{folder}/{name}.rs"));
                paths.push(format!("{folder}/{name}/"));
            }
        }
        let beside = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        paths.extend(test_paths_named(&file.text).map(|name| format!("{beside}/{name}")));
    }
    paths
}

/// Names in `#[path = "name.rs"]` right under `#[cfg(test)]`.
fn test_paths_named(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().zip(text.lines().skip(1));
    lines
        .filter(|(above, _)| above.trim() == "#[cfg(test)]")
        .filter_map(|(_, line)| line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]"))
}

/// Every file under `src/`, as code without its tests.
pub(crate) fn code_of_src() -> Vec<(String, String)> {
    let files = files_under("src", &[".rs"]);
    let test_only = test_only_paths(&files);
    files
        .into_iter()
        .filter(|file| !test_only.iter().any(|path| file.path.starts_with(path)))
        .map(|file| (file.path, part(&blank(&file.text)).code))
        .collect()
}

/// Everything that only tests run: `tests/`, and the test items of `src/` and of the simulator.
pub(crate) fn code_of_tests() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = files_under("tests", &[".rs"])
        .into_iter()
        .map(|file| (file.path, blank(&file.text)))
        .collect();
    for folder in ["src", "firmware-sim"] {
        let files = files_under(folder, &[".rs"]);
        let test_only = test_only_paths(&files);
        for SourceFile { path, text } in files {
            let blanked = blank(&text);
            let whole = test_only.iter().any(|p| path.starts_with(p)) || path.contains("/tests/");
            let tests = if whole {
                blanked
            } else {
                part(&blanked).tests.join("\n")
            };
            found.push((path, tests));
        }
    }
    found
}

/// Files that people write, of every kind.
pub(crate) fn written_files() -> Vec<SourceFile> {
    const ENDINGS: [&str; 8] = [
        ".rs", ".md", ".proto", ".toml", ".py", ".sh", ".service", "/run",
    ];
    const PLACES: [&str; 13] = [
        "src",
        "tests",
        "firmware-sim",
        "proto",
        "docs",
        "deploy",
        "benches",
        "fuzz",
        ".ci",
        "README.md",
        "build.rs",
        "Cargo.toml",
        "deny.toml",
    ];
    PLACES
        .iter()
        .flat_map(|place| files_under(place, &ENDINGS))
        .collect()
}

/// The text of a file; empty if it is not there.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}
