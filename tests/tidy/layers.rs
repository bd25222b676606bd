//! Who may import whom, and which words belong in one place.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::text::{blank, code_of_src, read, tokens};

/// Rooms that compute and do nothing else.
const PURE_ROOMS: [&str; 3] = ["policy", "wire", "ledger"];
/// Words that have no place in a pure room.
const IMPURE_WORDS: &str = "async await tokio tracing thread fs net File OpenOptions println \
    eprintln Mutex RwLock Condvar Instant SystemTime World SystemRandom SecureRandom getrandom \
    OsRng rand Uuid";
/// Calls that only `src/env.rs` makes.
const CLOCK_AND_CHANCE: &str = "SystemTime::now Instant::now Utc::now Local::now Uuid::now_v7 \
    Uuid::new_v4 SystemRandom::new getrandom::fill rand::random OsRng";

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
        .split_whitespace()
        .filter(|call| spaced.contains(&format!(" {} ", call.replace("::", " :: "))))
        .map(|call| format!("{path}: {call}; only env.rs reads clocks and entropy"))
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
        .split_whitespace()
        .filter(|word| words.contains(word))
        .map(|word| format!("{path}: names {word}; this room computes and does nothing else"))
        .collect()
}

#[test]
fn policy_wire_and_ledger_are_pure() {
    for word in IMPURE_WORDS.split_whitespace() {
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
