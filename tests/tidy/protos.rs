//! Protos: every item is commented, and none can hold what must not be held.

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet};

use crate::assert_none;
use crate::text::{blank, files_under};

/// A service, rpc, message, oneof, enum, field or value.
#[derive(Debug)]
struct Item {
    /// Its line, 1-based.
    line: usize,
    /// Its name.
    name: String,
    /// Whether a comment stands right above it.
    has_comment: bool,
}

/// The items of a proto, in order.
fn items(text: &str) -> Vec<Item> {
    let lines: Vec<&str> = text.lines().collect();
    let is_comment = |line: usize| {
        line.checked_sub(1)
            .and_then(|above| lines.get(above))
            .is_some_and(|above| above.trim_start().starts_with("//"))
    };
    let mut found = Vec::new();
    let mut blocks: Vec<String> = Vec::new();
    let (mut statement, mut begin, mut line, mut brackets) = (String::new(), 0, 0, 0_i32);
    for c in blank(text).chars() {
        brackets += i32::from(c == '[') - i32::from(c == ']');
        line += usize::from(c == '\n');
        let ends = brackets == 0 && matches!(c, ';' | '{' | '}');
        if !ends {
            if statement.is_empty() && !c.is_whitespace() {
                begin = line;
            }
            if !statement.is_empty() || !c.is_whitespace() {
                statement.push(c);
            }
            continue;
        }
        let block = blocks.last().map_or("", String::as_str);
        if let Some(name) = item_name(&statement, block) {
            let has_comment = is_comment(begin);
            found.push(Item {
                line: begin + 1,
                name,
                has_comment,
            });
        }
        match c {
            '{' => blocks.push(statement.split_whitespace().next().unwrap_or("").to_owned()),
            '}' => drop(blocks.pop()),
            _ => {}
        }
        statement.clear();
    }
    found
}

/// Name of the item that a statement declares within a block; `None` if it declares none.
fn item_name(statement: &str, block: &str) -> Option<String> {
    let mut words = statement
        .split(|c: char| c.is_whitespace() || c == '(')
        .filter(|w| !w.is_empty());
    match words.next()? {
        "option" | "reserved" | "extensions" | "extend" | "import" | "package" | "syntax" => None,
        "service" | "message" | "enum" | "oneof" | "rpc" => words.next().map(str::to_owned),
        _ if matches!(block, "message" | "oneof" | "extend" | "enum") => {
            let (declared, _) = statement.split_once('=')?;
            declared.split_whitespace().last().map(str::to_owned)
        }
        _ => None,
    }
}

/// Names of the fields of type `bytes`, in order.
fn bytes_fields(text: &str) -> Vec<String> {
    let blanked = blank(text);
    let words: Vec<&str> = blanked.split_whitespace().collect();
    words
        .windows(3)
        .filter_map(|three| match three {
            ["bytes", name, "="] => Some((*name).to_owned()),
            _ => None,
        })
        .collect()
}

/// Names of the fields of type `bytes` of one message that holds no other.
fn bytes_fields_of(text: &str, message: &str) -> Vec<String> {
    let begin = format!("\nmessage {message} {{\n");
    let body = text.split_once(&begin).map(|(_, rest)| rest);
    let body = body.and_then(|rest| rest.split_once("\n}\n"));
    body.map(|(body, _)| bytes_fields(body)).unwrap_or_default()
}

/// Number of items in the files of a folder, as the compiler saw them.
fn described(encoded: &[u8], folder: &str) -> usize {
    let set = FileDescriptorSet::decode(encoded).unwrap_or_default();
    let ours = set.file.iter().filter(|file| {
        file.name()
            .rsplit_once('/')
            .is_some_and(|(place, _)| place == folder)
    });
    ours.map(|file| {
        let services: usize = file.service.iter().map(|s| 1 + s.method.len()).sum();
        let messages: usize = file.message_type.iter().map(in_message).sum();
        let enums: usize = file.enum_type.iter().map(in_enum).sum();
        services + messages + enums + file.extension.len()
    })
    .sum()
}

fn in_message(message: &DescriptorProto) -> usize {
    // The compiler makes a oneof of each `optional` field; nobody wrote those.
    let made_up = message
        .field
        .iter()
        .filter(|field| field.proto3_optional())
        .count();
    let oneofs = message.oneof_decl.len() - made_up;
    let nested: usize = message.nested_type.iter().map(in_message).sum();
    let enums: usize = message.enum_type.iter().map(in_enum).sum();
    1 + message.field.len() + oneofs + nested + enums + message.extension.len()
}

fn in_enum(item: &EnumDescriptorProto) -> usize {
    1 + item.value.len()
}

#[test]
fn every_proto_item_has_a_comment() {
    let bad =
        "message A {\n  // Good.\n  int32 a = 1;\n  int32 b = 2 [(r) = {\n    c: D\n  }];\n}\n";
    let bare: Vec<String> = items(bad)
        .into_iter()
        .filter(|i| !i.has_comment)
        .map(|i| i.name)
        .collect();
    assert_eq!(bare, ["A", "b"]);

    let mut findings = Vec::new();
    for file in files_under("proto", &[".proto"]) {
        let bare = items(&file.text)
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
            .map(|f| items(&f.text).len())
            .sum();
        assert_eq!(
            read,
            described(encoded, &folder.replace("proto/", "")),
            "{folder}"
        );
    }
}

/// Names that a field for a fingerprint would have, image or template.
const FINGERPRINT_WORDS: [&str; 5] = ["template", "fingerprint", "minutia", "image", "scan"];

/// Fields of a proto that could hold a fingerprint, by their names.
fn fingerprint_findings(path: &str, text: &str) -> Vec<String> {
    bytes_fields(text)
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
        .flat_map(|file| bytes_fields_of(&file.text, "TemplateRow"))
        .collect();
    assert_eq!(kept, ["salt", "tag"]);
}
