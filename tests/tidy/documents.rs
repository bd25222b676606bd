//! Documents: links lead somewhere, words are explained, invariants name their tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::text::{SourceFile, code_of_src, code_of_tests, files_under, read, root, tokens};

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
        let folder = folder.parent().unwrap_or(&folder);
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
