//! The house rules, as tests: a rule that stands in a document alone is soon a memory.
//!
//! Every rule is a function from text to findings. Each test first feeds it a bad example, which
//! it has to find, and then the tree, in which it has to find nothing.

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/protos.rs"]
mod protos;
#[path = "tidy/text.rs"]
mod text;

use text::{
    SourceFile, blank, code_of_tests, files_under, part, test_only_paths, tokens, written_files,
};

/// Lines of a file beyond which it is printed.
const FILE_LINES_AIM: usize = 250;
/// Lines of a file beyond which it is refused; tests are not counted.
const FILE_LINES_MAX: usize = 400;

/// Fails with the findings, one in a line.
#[track_caller]
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n  {}\n", findings.join("\n  "));
}

/// Lines of a file without the items under `#[cfg(test)]`.
fn code_lines(text: &str) -> usize {
    part(&blank(text)).code.trim_end().lines().count()
}

#[test]
fn files_have_at_most_400_lines_without_tests() {
    let long = "fn f() {}\n".repeat(FILE_LINES_MAX + 1);
    assert_eq!(code_lines(&long), FILE_LINES_MAX + 1);
    let tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert_eq!(code_lines(&tests), 1);
    let middle = format!("#[cfg(test)]\nmod fixtures;\n{long}");
    assert!(
        code_lines(&middle) > FILE_LINES_MAX,
        "code after a test item counts"
    );
    let text = "#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;\n".to_owned();
    let path = "src/a/b.rs".to_owned();
    assert!(test_only_paths(&[SourceFile { path, text }]).contains(&"src/a/b_tests.rs".to_owned()));

    let mut findings = Vec::new();
    for folder in ["src", "firmware-sim", "build.rs"] {
        let files = files_under(folder, &[".rs"]);
        let test_only = test_only_paths(&files);
        let counted = |path: &str| {
            !path.contains("/tests/") && !test_only.iter().any(|test| path.starts_with(test))
        };
        for file in files.iter().filter(|file| counted(&file.path)) {
            let lines = code_lines(&file.text);
            if lines > FILE_LINES_MAX {
                findings.push(format!("{}: {lines} lines without tests", file.path));
            } else if lines > FILE_LINES_AIM {
                println!("{}: {lines} lines, the aim is {FILE_LINES_AIM}", file.path);
            }
        }
    }
    assert_none(&findings);
}

/// Marks of work put off; put together here so that this file holds none.
const PUT_OFF: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

fn put_off_findings(path: &str, text: &str) -> Vec<String> {
    let dated = |rest: &str| {
        let shape = rest
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c });
        shape.take(12).collect::<String>() == "(0000-00-00)"
    };
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let undated = |mark: &&&str| line.split(**mark).skip(1).any(|rest| !dated(rest));
        for mark in PUT_OFF.iter().filter(undated) {
            findings.push(format!("{path}:{}: {mark} without a date", number + 1));
        }
    }
    findings
}

#[test]
fn work_put_off_has_a_date() {
    for mark in PUT_OFF {
        assert_eq!(
            put_off_findings("x", &format!("// {mark}: later\n")).len(),
            1
        );
        assert!(
            put_off_findings("x", &format!("// {mark}(2026-12-24): gone by then\n")).is_empty()
        );
    }
    let files = written_files();
    assert_none(
        &files
            .iter()
            .flat_map(|f| put_off_findings(&f.path, &f.text))
            .collect::<Vec<_>>(),
    );
}

fn waiting_findings(path: &str, code: &str) -> Vec<String> {
    let all = tokens(code);
    let sleeps = all.windows(2).any(|pair| pair == ["sleep", "("]);
    let ignores = all.windows(3).any(|three| three == ["#", "[", "ignore"]);
    [(sleeps, "sleeps"), (ignores, "has an ignored test")]
        .iter()
        .filter(|(found, _)| *found)
        .map(|(_, what)| format!("{path}: {what}"))
        .collect()
}

#[test]
fn no_test_sleeps_or_is_ignored() {
    assert_eq!(waiting_findings("x", "std::thread::sleep(t)").len(), 1);
    assert_eq!(
        waiting_findings("x", "#[ignore = \"slow\"]\nfn a() {}").len(),
        1
    );
    assert!(waiting_findings("x", "let sleep = ignore;").is_empty());

    let tests = code_of_tests().into_iter();
    assert_none(
        &tests
            .flat_map(|(path, code)| waiting_findings(&path, &code))
            .collect::<Vec<_>>(),
    );
}
