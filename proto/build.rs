//! Compiles the .proto files with protox, so that no protoc is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["proto/groundswell/v1/enrolment.proto", "proto/groundswell/v1/session.proto"];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure().codec_path("crate::codec::SessionCodec").compile_fds(descriptors)?;
    Ok(())
}
