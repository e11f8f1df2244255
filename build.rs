//! Turns `proto/` into Rust and a descriptor set, with protox, so that no protoc is needed.
//!
//! Used by the api crate (`build = "../../build.rs"`). The descriptor set is the encoded one: it keeps the
//! `google.api.http` annotations, from which the HTTP routes are made.

use std::{env, error::Error, fs, path::Path, path::PathBuf};

use prost::Message as _;

/// The files, relative to `proto/`: those that hold services, and the wire format, whose descriptors are the reference
/// for other languages and for a test. What they import comes along.
const PROTO_FILES: &[&str] = &[
    "messaging.proto",
    "websocket.proto",
    "boltgram/v1/messages.proto",
    "boltgram/v1/node.proto",
    "boltgram/v1/admin.proto",
    "boltgram/wire/v1/frame.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let proto_dir = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", proto_dir.display());

    let mut compiler = protox::Compiler::new([&proto_dir])?;
    compiler.include_source_info(true).include_imports(true).open_files(PROTO_FILES)?;
    let encoded = compiler.encode_file_descriptor_set();

    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out_dir.join("descriptors.bin"), &encoded)?;

    let descriptors = prost_types::FileDescriptorSet::decode(encoded.as_slice())?;
    tonic_prost_build::configure().build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
