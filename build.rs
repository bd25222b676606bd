//! Compiles `proto/` without protoc, and refuses a stored field that is not annotated.

use std::error::Error;
use std::path::PathBuf;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Value};
use protox::prost::Message as _;

const API: [&str; 10] = [
    "sluss/v1/access_list_service.proto",
    "sluss/v1/alarm_service.proto",
    "sluss/v1/directory_service.proto",
    "sluss/v1/door_order_service.proto",
    "sluss/v1/door_service.proto",
    "sluss/v1/explain_service.proto",
    "sluss/v1/feed_record.proto",
    "sluss/v1/feed_service.proto",
    "sluss/v1/reader_service.proto",
    "sluss/v1/site_service.proto",
];
const STORED: &str = "sluss/store/v1/records.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut api = protox::Compiler::new(["proto"])?;
    api.include_imports(true)
        .include_source_info(true)
        .open_files(API)?;
    std::fs::write(out.join("api.bin"), api.encode_file_descriptor_set())?;

    // `protox::compile` drops custom options; the encoded set keeps them.
    let mut stored = protox::Compiler::new(["proto"])?;
    stored.include_imports(true).open_files([STORED])?;
    let stored_set = stored.encode_file_descriptor_set();
    refuse_unannotated(&stored_set)?;
    std::fs::write(out.join("store.bin"), &stored_set)?;

    let mut all = protox::Compiler::new(["proto"])?;
    all.include_imports(true)
        .include_source_info(true)
        .open_files(API)?
        .open_files([STORED])?;
    let set = prost_types_set(&all.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(set)?;
    Ok(())
}

fn prost_types_set(encoded: &[u8]) -> Result<prost_types::FileDescriptorSet, Box<dyn Error>> {
    Ok(prost_types::FileDescriptorSet::decode(encoded)?)
}

/// Every field of `sluss.store.v1` says what it is in the eyes of the law (proto/sluss/store/v1).
fn refuse_unannotated(encoded: &[u8]) -> Result<(), Box<dyn Error>> {
    let pool = DescriptorPool::decode(encoded)?;
    let rule = pool
        .get_extension_by_name("sluss.store.v1.rule")
        .ok_or("the option `rule` is gone")?;
    let mut faults = Vec::new();
    for message in pool
        .all_messages()
        .filter(|m| m.parent_file().name() == STORED)
    {
        for field in message.fields() {
            let options = field.options();
            if !options.has_extension(&rule) {
                faults.push(format!("{}: no (rule)", field.full_name()));
            } else if let Value::Message(rule) = options.get_extension(&rule).as_ref() {
                faults.extend(missing_parts(&field, rule));
            }
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n").into())
    }
}

/// What a rule about personal data leaves unsaid.
fn missing_parts(field: &FieldDescriptor, rule: &DynamicMessage) -> Vec<String> {
    const NONE: i32 = 1;
    let category = rule
        .get_field_by_name("category")
        .and_then(|c| c.as_enum_number());
    if category == Some(NONE) {
        return Vec::new();
    }
    [
        "purpose",
        "legal_basis",
        "retention",
        "recipients",
        "provided_by_person",
    ]
    .into_iter()
    .filter(|part| !rule.has_field_by_name(part))
    .map(|part| format!("{}: its (rule) has no `{part}`", field.full_name()))
    .collect()
}
