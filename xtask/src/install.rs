//! What tests and recordings need, installed where it is missing, and said.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::sh;

/// A file or program that shows a Debian package is there.
const PACKAGES: [(&str, &str); 24] = [
    ("bpftool", "bpftool"),
    ("chromium", "chromium"),
    ("clang", "clang"),
    ("curl", "curl"),
    ("ethtool", "ethtool"),
    ("ffuf", "ffuf"),
    ("hping3", "hping3"),
    ("hydra", "hydra"),
    ("iodine", "iodine"),
    ("ip", "iproute2"),
    ("ipset", "ipset"),
    ("jq", "jq"),
    ("named-checkzone", "bind9-utils"),
    ("nft", "nftables"),
    ("nmap", "nmap"),
    ("nsenter", "util-linux"),
    ("pg_isready", "postgresql-client"),
    ("pg_ctlcluster", "postgresql"),
    ("python3", "python3"),
    ("sqlmap", "sqlmap"),
    ("strace", "strace"),
    ("tcpdump", "tcpdump"),
    ("zstd", "zstd"),
    ("/usr/include/bpf/bpf_helpers.h", "libbpf-dev"),
];

/// The reference clients and the reference server that tests run against us, and what judges
/// documents of ours; pinned.
const TEST_PINS: [&str; 5] = [
    "jsonschema==4.26.0",
    "medallion==3.0.0",
    "schemathesis==4.32.5",
    "stix2==3.0.2",
    "taxii2-client==2.3.0",
];
/// What exports models and runs them beside us, pinned; about 370 MB in the environment.
const MODEL_PINS: [&str; 7] = [
    "lightgbm==4.7.0",
    "onnx==1.23.2",
    "onnxmltools==1.16.0",
    "onnxruntime==1.32.0",
    "scikit-learn==1.9.1",
    "skl2onnx==1.20.0",
    // The same module as `xgboost`, without 300 MB for graphics cards.
    "xgboost-cpu==3.2.0",
];
/// Servers that the hub is measured beside, and what they run on; in an environment of their own.
const PEER_PINS: [&str; 4] = [
    "SQLAlchemy==1.4.54",
    "gunicorn==27.0.1",
    "medallion==3.0.0",
    "opentaxii==0.10.0b1",
];
/// What only a recording needs.
const RECORD_PINS: [&str; 1] = ["sqlmap==1.10.10"];

/// Installs what the tests need. What cannot be installed is said; the tests that need it skip.
pub(crate) fn for_tests() {
    packages();
    for pins in [&TEST_PINS[..], &MODEL_PINS] {
        if let Err(error) = python(&venv(), pins) {
            println!("note: no Python environment ({error:#}); tests that need it will skip");
        }
    }
}

/// Installs what a recording needs, and returns the environment's folder of programs.
pub(crate) fn for_recording() -> anyhow::Result<PathBuf> {
    packages();
    python(&venv(), &RECORD_PINS)?;
    Ok(venv().join("bin"))
}

/// Installs the servers that the hub is measured beside; their Python.
pub(crate) fn for_peers() -> anyhow::Result<PathBuf> {
    let folder = venv().join("peers");
    python(&folder, &PEER_PINS)?;
    Ok(folder.join("bin/python"))
}

fn packages() {
    let mut missing: Vec<_> = PACKAGES
        .iter()
        .filter(|(sign, _)| !present(sign))
        .map(|(_, package)| *package)
        .collect();
    if !venv_works() {
        missing.push("python3-venv");
    }
    if missing.is_empty() {
        return;
    }
    if !root() || !testkit::has_program("apt-get") {
        println!(
            "note: not installed: {} (needs root and apt-get)",
            missing.join(" ")
        );
        return;
    }
    println!("installing {}", missing.join(" "));
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        sh(command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install = [
        &["install", "--yes", "--quiet", "--no-install-recommends"],
        &missing[..],
    ];
    if let Err(error) = apt(&["update", "--quiet"]).and_then(|()| apt(&install.concat())) {
        println!("note: {error:#}; tests that need what is missing will skip");
    }
}

fn present(sign: &str) -> bool {
    if sign.starts_with('/') {
        Path::new(sign).exists()
    } else {
        testkit::has_program(sign)
    }
}

/// Debian keeps `ensurepip`, which `venv` needs, in a package of its own.
fn venv_works() -> bool {
    let tried = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output();
    tried.is_ok_and(|output| output.status.success())
}

fn root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}

/// Makes an environment with pinned packages; a file there remembers what is in.
fn python(venv: &Path, pins: &[&str]) -> anyhow::Result<()> {
    let mark = venv.join(".installed");
    let installed = fs::read_to_string(&mark).unwrap_or_default();
    let missing: Vec<_> = pins
        .iter()
        .copied()
        .filter(|pin| !installed.lines().any(|line| line == *pin))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !venv.join("bin/python").exists() {
        println!("making {}", venv.display());
        sh(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    }
    println!("installing {} into {}", missing.join(" "), venv.display());
    let mut pip = Command::new(venv.join("bin/python"));
    sh(pip
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(&missing))?;
    fs::write(&mark, format!("{installed}{}\n", missing.join("\n")))?;
    Ok(())
}

fn venv() -> PathBuf {
    testkit::workspace_root().join("target/venv")
}
