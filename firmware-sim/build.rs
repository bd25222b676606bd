//! Compiles the stubs of the door service from the published API; the tests serve it too.

use std::error::Error;

use protox::prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../proto/sluss/v1");
    let mut compiler = protox::Compiler::new(["../proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(["sluss/v1/door_service.proto"])?;
    let encoded = compiler.encode_file_descriptor_set();
    let set = prost_types::FileDescriptorSet::decode(encoded.as_slice())?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(set)?;
    Ok(())
}
