//! The house rules, as tests: a rule that stands in a document alone is soon a memory.
//!
//! Every rule is a function from text to findings. Each test first feeds it a bad example, which
//! it has to find, and then the tree, in which it has to find nothing.

#[path = "tidy/proto.rs"]
mod proto;
#[path = "tidy/text.rs"]
mod text;

use std::collections::{BTreeMap, BTreeSet};

use text::{SourceFile, blank, files_under, part, root, test_only_paths, tokens};

/// Lines of a file beyond which it is printed.
const FILE_LINES_AIM: usize = 250;
/// Lines of a file beyond which it is refused; tests are not counted.
const FILE_LINES_MAX: usize = 400;

/// Rooms that compute and do nothing else.
const PURE_ROOMS: [&str; 3] = ["policy", "wire", "ledger"];
/// Words that have no place in a pure room.
const IMPURE_WORDS: [&str; 23] = [
    "async",
    "await",
    "tokio",
    "tracing",
    "thread",
    "fs",
    "net",
    "File",
    "OpenOptions",
    "println",
    "eprintln",
    "Mutex",
    "RwLock",
    "Condvar",
    "Instant",
    "SystemTime",
    "World",
    "SystemRandom",
    "SecureRandom",
    "getrandom",
    "OsRng",
    "rand",
    "Uuid",
];
/// Calls that only `src/env.rs` makes.
const CLOCK_AND_CHANCE: [&str; 10] = [
    "SystemTime :: now",
    "Instant :: now",
    "Utc :: now",
    "Local :: now",
    "Uuid :: now_v7",
    "Uuid :: new_v4",
    "SystemRandom :: new",
    "getrandom :: fill",
    "rand :: random",
    "OsRng",
];

/// Fails with the findings, one in a line.
#[track_caller]
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n  {}\n", findings.join("\n  "));
}

/// Every file under `src/`, as code without its tests.
fn code_of_src() -> Vec<(String, String)> {
    let files = files_under("src", &[".rs"]);
    let test_only = test_only_paths(&files);
    files
        .into_iter()
        .filter(|file| !test_only.iter().any(|path| file.path.starts_with(path)))
        .map(|file| (file.path, part(&blank(&file.text)).code))
        .collect()
}

/// Everything that only tests run: `tests/`, and the test items of `src/` and of the simulator.
fn code_of_tests() -> Vec<(String, String)> {
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
fn written_files() -> Vec<SourceFile> {
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

// Import direction.

/// The room a file under `src/` lies in; `None` for the crate's root.
fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let first = inside.split('/').next()?.trim_end_matches(".rs");
    (first != "lib").then_some(first)
}

/// How many `super::` lead from a file to the crate's root.
fn depth_of(path: &str) -> usize {
    path.trim_end_matches("/mod.rs").matches('/').count()
}

/// First names of the paths that begin at a token: one, or those of a group in braces.
fn first_names<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    if tokens.first() != Some(&"{") {
        return tokens.first().copied().into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0_u32;
    for pair in tokens.windows(2) {
        match pair {
            ["}", _] => depth = depth.saturating_sub(1),
            ["{", name] => {
                depth += 1;
                if depth == 1 {
                    names.push(*name);
                }
            }
            [",", name] if depth == 1 && *name != "}" => names.push(name),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Rooms that a file's code names by `crate::`, by enough `super::`, or in a program by `sluss::`.
fn rooms_named<'a>(path: &str, code: &'a str) -> BTreeSet<&'a str> {
    let all = tokens(code);
    let depth = depth_of(path);
    let mut named = BTreeSet::new();
    for at in 0..all.len() {
        let rest = all.get(at..).unwrap_or_default();
        let starts = at == 0 || all.get(at - 1) != Some(&"::");
        let supers = rest
            .chunks(2)
            .take_while(|pair| *pair == ["super", "::"])
            .count();
        match rest {
            ["crate", "::", after @ ..] => named.extend(first_names(after)),
            ["sluss", "::", after @ ..] if path.starts_with("src/bin/") => {
                named.extend(first_names(after));
            }
            _ if starts && depth > 0 && supers == depth => {
                named.extend(first_names(rest.get(2 * supers..).unwrap_or_default()));
            }
            _ => {}
        }
    }
    named
}

/// What each room may import, as `docs/architecture.md` has it: rows of the table of layers.
fn layers(architecture: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut section = architecture
        .lines()
        .skip_while(|line| *line != "## Layers")
        .skip(1);
    let rows = section.by_ref().take_while(|line| !line.starts_with("## "));
    rows.filter(|line| line.starts_with("| `"))
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|');
            let room = cells.next()?.trim().trim_matches('`').to_owned();
            let imports = cells.nth(1)?.split('`').skip(1).step_by(2);
            Some((room, imports.map(str::to_owned).collect()))
        })
        .collect()
}

/// Rows that allow an import from the row itself or from one below it.
fn layer_findings(layers: &[(String, BTreeSet<String>)]) -> Vec<String> {
    let mut above: BTreeSet<&str> = BTreeSet::new();
    let mut findings = Vec::new();
    for (room, imports) in layers {
        for import in imports.iter().filter(|name| !above.contains(name.as_str())) {
            findings.push(format!(
                "{room}: may import {import}, which does not stand above it"
            ));
        }
        above.insert(room);
    }
    findings
}

fn import_findings(path: &str, code: &str, layers: &[(String, BTreeSet<String>)]) -> Vec<String> {
    let Some(room) = room_of(path) else {
        let exports = code.contains("pub use");
        return exports
            .then(|| format!("{path}: re-exports a name, which hides the room it lies in"))
            .into_iter()
            .collect();
    };
    let Some((_, allowed)) = layers.iter().find(|(name, _)| name == room) else {
        return vec![format!(
            "{path}: `{room}` has no row in the table of layers"
        )];
    };
    rooms_named(path, code)
        .into_iter()
        .filter(|named| *named != room && !allowed.contains(*named))
        .map(|named| format!("{path}: names {named}, which {room} may not import"))
        .collect()
}

#[test]
fn imports_go_up_only() {
    let example = "## Layers\n\n| `low` | x | nothing |\n| `high` | x | `low` |\n\n## Next\n";
    let table = layers(example);
    assert!(layer_findings(&table).is_empty());
    let turned = layers("## Layers\n| `low` | x | `high` |\n| `high` | x | `low` |\n");
    assert_eq!(layer_findings(&turned).len(), 1);
    for bad in [
        "use crate::high::T;",
        "use crate::{low::A, high::{B, C}};",
        "super::super::high::f()",
    ] {
        assert_eq!(
            import_findings("src/low/a.rs", &blank(bad), &table).len(),
            1,
            "{bad}"
        );
    }
    for good in [
        "use crate::low::T;",
        "super::high::f()",
        "// crate::high\n",
        "f(\"crate::high\")",
    ] {
        assert_none(&import_findings("src/low/a.rs", &blank(good), &table));
    }
    assert_eq!(
        import_findings("src/low.rs", "use super::high;", &table).len(),
        1
    );
    assert_eq!(import_findings("src/other.rs", "", &table).len(), 1);
    assert_eq!(
        import_findings("src/lib.rs", "pub use low::T;", &table).len(),
        1
    );

    let table = layers(&read("docs/architecture.md"));
    assert!(table.len() > 5, "the table of layers is gone");
    assert_none(&layer_findings(&table));
    let findings = code_of_src()
        .into_iter()
        .flat_map(|(p, code)| import_findings(&p, &code, &table));
    assert_none(&findings.collect::<Vec<_>>());
}

// Words that belong in one place.

/// Where code names a crate: `name::` or `use name`.
fn names_crate(code: &str, name: &str) -> bool {
    tokens(code)
        .windows(2)
        .any(|pair| pair == [name, "::"] || pair == ["use", name])
}

#[test]
fn only_the_engine_names_sled() {
    assert!(names_crate("fn open() -> sled::Db", "sled"));
    assert!(names_crate("use sled;", "sled"));
    assert!(!names_crate(&blank("let sled = 1; // sled::Db"), "sled"));

    let findings: Vec<String> = code_of_src()
        .into_iter()
        .filter(|(path, code)| path != "src/store/engine.rs" && names_crate(code, "sled"))
        .map(|(path, _)| format!("{path}: names sled; only store/engine.rs does"))
        .collect();
    assert_none(&findings);
}

fn clock_findings(path: &str, code: &str) -> Vec<String> {
    let spaced = format!(" {} ", tokens(code).join(" "));
    CLOCK_AND_CHANCE
        .iter()
        .filter(|call| spaced.contains(&format!(" {call} ")))
        .map(|call| {
            format!(
                "{path}: {}; only env.rs reads clocks and entropy",
                call.replace(' ', "")
            )
        })
        .collect()
}

#[test]
fn invariant_8_only_env_reads_clocks_and_entropy() {
    assert_eq!(clock_findings("x", "std::time::Instant::now()").len(), 1);
    assert_eq!(clock_findings("x", "map(SystemTime :: now)").len(), 1);
    assert!(clock_findings("x", "world.now(); Instant::nowhere()").is_empty());

    let code = code_of_src()
        .into_iter()
        .filter(|(path, _)| path != "src/env.rs");
    assert_none(
        &code
            .flat_map(|(path, code)| clock_findings(&path, &code))
            .collect::<Vec<_>>(),
    );
}

fn purity_findings(path: &str, code: &str) -> Vec<String> {
    let words: BTreeSet<&str> = tokens(code).into_iter().collect();
    IMPURE_WORDS
        .iter()
        .filter(|word| words.contains(*word))
        .map(|word| format!("{path}: names {word}; this room computes and does nothing else"))
        .collect()
}

#[test]
fn policy_wire_and_ledger_are_pure() {
    for word in IMPURE_WORDS {
        assert_eq!(
            purity_findings("x", &format!("a::{word}::b()")).len(),
            1,
            "{word}"
        );
    }
    assert!(purity_findings("x", &blank("// async fs\nlet files = \"tokio\";")).is_empty());

    let pure = code_of_src()
        .into_iter()
        .filter(|(path, _)| room_of(path).is_some_and(|room| PURE_ROOMS.contains(&room)));
    assert_none(
        &pure
            .flat_map(|(path, code)| purity_findings(&path, &code))
            .collect::<Vec<_>>(),
    );
}

/// Names that a field for a fingerprint would have, image or template.
const FINGERPRINT_WORDS: [&str; 5] = ["template", "fingerprint", "minutia", "image", "scan"];

/// Fields of a proto that could hold a fingerprint, by their names.
fn fingerprint_findings(path: &str, text: &str) -> Vec<String> {
    proto::bytes_fields(text)
        .into_iter()
        .filter(|field| FINGERPRINT_WORDS.iter().any(|word| field.contains(word)))
        .map(|field| format!("{path}: bytes {field} could hold a fingerprint"))
        .collect()
}

#[test]
fn invariant_7_no_field_can_hold_a_fingerprint() {
    let bad = "message A {\n  bytes template = 1;\n  repeated bytes finger_image = 2;\n}\n";
    assert_eq!(fingerprint_findings("x", bad).len(), 2);

    let protos = files_under("proto", &[".proto"]);
    assert_none(
        &protos
            .iter()
            .flat_map(|f| fingerprint_findings(&f.path, &f.text))
            .collect::<Vec<_>>(),
    );
    // Everything that is kept of a template in bytes: a salt and the keyed hash.
    let kept: Vec<String> = protos
        .iter()
        .flat_map(|file| proto::bytes_fields_of(&file.text, "TemplateRow"))
        .collect();
    assert_eq!(kept, ["salt", "tag"]);
}

// Size.

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

// Protos.

#[test]
fn every_proto_item_has_a_comment() {
    let bad =
        "message A {\n  // Good.\n  int32 a = 1;\n  int32 b = 2 [(r) = {\n    c: D\n  }];\n}\n";
    let bare: Vec<String> = proto::items(bad)
        .into_iter()
        .filter(|i| !i.has_comment)
        .map(|i| i.name)
        .collect();
    assert_eq!(bare, ["A", "b"]);

    let mut findings = Vec::new();
    for file in files_under("proto", &[".proto"]) {
        let bare = proto::items(&file.text)
            .into_iter()
            .filter(|item| !item.has_comment);
        findings
            .extend(bare.map(|i| format!("{}:{}: {} has no comment", file.path, i.line, i.name)));
    }
    assert_none(&findings);
}

#[test]
fn no_proto_item_is_overlooked() {
    for (folder, encoded) in [
        ("proto/sluss/v1", sluss::pb::API_DESCRIPTORS),
        ("proto/sluss/store/v1", sluss::pb::STORE_DESCRIPTORS),
    ] {
        let read: usize = files_under(folder, &[".proto"])
            .iter()
            .map(|f| proto::items(&f.text).len())
            .sum();
        assert_eq!(
            read,
            proto::described(encoded, &folder.replace("proto/", "")),
            "{folder}"
        );
    }
}

// Promises and tests.

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

// Documents.

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// Targets of the links in a Markdown text that lie in the tree.
fn link_targets(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1);
    after
        .filter_map(|rest| rest.split(')').next())
        .filter_map(|target| target.split('#').next())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(':'))
        .collect()
}

#[test]
fn links_in_documents_lead_somewhere() {
    assert_eq!(link_targets("[a](b.md#c) [d](https://e) [f](#g)"), ["b.md"]);

    let documents = ["README.md", "docs"]
        .iter()
        .flat_map(|place| files_under(place, &[".md"]));
    let mut findings = Vec::new();
    for SourceFile { path, text } in documents {
        let folder = root().join(&path);
        let folder = folder.parent().unwrap_or(root());
        let dead = link_targets(&text)
            .into_iter()
            .filter(|target| !folder.join(target).exists());
        findings
            .extend(dead.map(|target| format!("{path}: leads to {target}, which is not there")));
    }
    assert_none(&findings);
}

/// Words of the glossary, and the lines that are not `**Word**: meaning (source).`
fn glossary(text: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut words, mut findings) = (BTreeSet::new(), Vec::new());
    let body = text.lines().skip_while(|line| !line.starts_with("## "));
    for line in body.filter(|line| !line.is_empty() && !line.starts_with("## ")) {
        let word = line
            .strip_prefix("**")
            .and_then(|rest| rest.split_once("**: "));
        let Some((word, _)) = word.filter(|(_, meaning)| {
            meaning.ends_with(").") && meaning.rfind(" (").is_some_and(|at| at > 0)
        }) else {
            findings.push(format!("not `**Word**: meaning (source).`: {line}"));
            continue;
        };
        if !words.insert(word.to_owned()) {
            findings.push(format!("{word} stands twice"));
        }
    }
    (words, findings)
}

/// Names of the public types in source, also of those that an `…_type!` macro declares.
fn public_types(code: &str) -> Vec<&str> {
    tokens(code)
        .windows(3)
        .filter_map(|three| match three {
            ["pub", "struct" | "enum" | "trait" | "type", name] => Some(*name),
            [mac, "!", "("] if mac.ends_with("_type") => None,
            _ => None,
        })
        .chain(tokens(code).windows(4).filter_map(|four| match four {
            [mac, "!", "(", name] if mac.ends_with("_type") => Some(*name),
            _ => None,
        }))
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect()
}

/// Whether the glossary explains a type: by its name, or an id by the name of what it names.
/// Errors (`Invalid…`) say themselves what they are about.
fn is_explained(name: &str, words: &BTreeSet<String>) -> bool {
    let named = name.strip_suffix("Id").unwrap_or(name);
    name.starts_with("Invalid") || words.contains(name) || words.contains(named)
}

#[test]
fn glossary_has_one_line_per_word_with_its_source() {
    let (words, findings) =
        glossary("# G\n\nIntro.\n\n## A\n\n**B**: c (D).\n**B**: again (D).\nloose\n**E**: f.\n");
    assert_eq!((words.len(), findings.len()), (1, 3));

    let (words, findings) = glossary(&read("docs/glossary.md"));
    assert_none(&findings);
    assert!(words.len() > 50, "the glossary is gone");
}

#[test]
fn glossary_explains_every_public_type_of_the_trade() {
    assert_eq!(
        public_types("pub struct A; id_type!( B, \"b\"); struct C; pub enum D {}"),
        ["A", "D", "B"]
    );
    let few: BTreeSet<String> = ["Area".to_owned()].into();
    assert!(
        is_explained("AreaId", &few)
            && is_explained("InvalidId", &few)
            && !is_explained("Door", &few)
    );

    let (words, _) = glossary(&read("docs/glossary.md"));
    let types = code_of_src()
        .into_iter()
        .filter(|(path, _)| path.starts_with("src/types/"));
    let mut missing = Vec::new();
    for (path, code) in types {
        let unknown = public_types(&code)
            .into_iter()
            .filter(|name| !is_explained(name, &words));
        missing.extend(unknown.map(|name| format!("{path}: {name} is not in docs/glossary.md")));
    }
    assert_none(&missing);
}

/// Names of invariant tests in `docs/architecture.md`: true for those in code type, which stand.
fn invariant_names(architecture: &str) -> BTreeMap<&str, bool> {
    let edge = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '`');
    architecture
        .split(edge)
        .filter(|word| word.trim_matches('`').starts_with("invariant_"))
        .map(|word| (word.trim_matches('`'), word.starts_with('`')))
        .collect()
}

fn invariant_findings(architecture: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let named = invariant_names(architecture);
    let mut findings = Vec::new();
    for (name, stands) in &named {
        match (*stands, functions.contains(*name)) {
            (true, false) => findings.push(format!("{name} is said to stand and does not")),
            (false, true) => findings.push(format!("{name} stands: set it in code type")),
            (true, true) | (false, false) => {}
        }
    }
    let unnamed = functions
        .iter()
        .filter(|name| !named.contains_key(name.as_str()));
    findings.extend(unnamed.map(|name| format!("{name} is not in docs/architecture.md")));
    findings
}

#[test]
fn invariants_name_the_tests_that_guard_them() {
    let stand: BTreeSet<String> = ["invariant_1_a", "invariant_2_b"].map(str::to_owned).into();
    assert!(
        invariant_findings("`invariant_1_a`, `invariant_2_b`; invariant_3_c", &stand).is_empty()
    );
    assert_eq!(
        invariant_findings("`invariant_1_a`, invariant_2_b", &stand).len(),
        1
    );
    assert_eq!(
        invariant_findings("`invariant_1_a` `invariant_2_b` `invariant_4_d`", &stand).len(),
        1
    );
    assert_eq!(invariant_findings("`invariant_1_a`", &stand).len(), 1);

    let mut functions = BTreeSet::new();
    for (_, code) in code_of_tests() {
        let all = tokens(&code);
        let named = all.windows(2).filter_map(|pair| match pair {
            ["fn", name] if name.starts_with("invariant_") => Some((*name).to_owned()),
            _ => None,
        });
        // Those of this very test are examples in strings, which are blanked.
        functions.extend(named.filter(|name| name.contains(|c: char| c.is_ascii_digit())));
    }
    assert_none(&invariant_findings(
        &read("docs/architecture.md"),
        &functions,
    ));
}
