//! The committed eBPF object is what its hash says and what its source compiles to.
use std::path::{Path, PathBuf};
use std::process::Command;

use datapath::enforce::xdp::OBJECT_SHA256;

fn ebpf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ebpf")
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_hash_is_that_of_the_object() {
    let object = ebpf().join("shield.bpf.o");
    let Some(sum) = output("sha256sum", &[object.to_str().unwrap()]) else {
        println!("SKIPPED object_hash: no sha256sum");
        return;
    };
    assert_eq!(sum.split_whitespace().next(), Some(OBJECT_SHA256));
}

#[test]
fn the_object_is_what_its_source_compiles_to() {
    let recorded = std::fs::read_to_string(ebpf().join("shield.bpf.o.sha256")).unwrap();
    let recorded = recorded
        .lines()
        .find_map(|line| line.strip_prefix("# "))
        .unwrap();
    let here = output("clang", &["--version"]).unwrap_or_default();
    let here = here.lines().next().unwrap_or("none");
    if here != recorded {
        println!("SKIPPED object_source: compiled by {recorded:?}, clang here is {here:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // From another folder than the committed one, to see that no path gets in.
    for file in ["shield.bpf.c", "shield.bpf.h", "Makefile"] {
        std::fs::copy(ebpf().join(file), folder.path().join(file)).unwrap();
    }
    let made = Command::new("make")
        .args(["-s", "object"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let rebuilt = std::fs::read(folder.path().join("shield.bpf.o")).unwrap();
    let committed = std::fs::read(ebpf().join("shield.bpf.o")).unwrap();
    assert!(
        rebuilt == committed,
        "ebpf/shield.bpf.o is stale: run `make` in ebpf/ and commit"
    );
}
