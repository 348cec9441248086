//! `up`, as an ordinary user would run it: the loop closes by itself, and Ctrl-C ends it cleanly.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::common::{BINARY, wait_for};

#[test]
fn the_loop_closes_and_ctrl_c_ends_it() {
    let _turn = crate::common::alone();
    let folder = tempfile::tempdir().unwrap();
    let console = crate::common::free_port_pair();
    let mut child = Command::new(BINARY)
        .args(["up", "--data", folder.path().to_str().unwrap()])
        .args(["--listen", &format!("127.0.0.1:{console}")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, told) = mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            lines.send(line).ok();
        }
    });
    let mut all = Vec::new();
    wait_for(
        "bravo enforces what alpha saw",
        Duration::from_secs(40),
        || {
            all.extend(told.try_iter());
            all.iter()
                .any(|line| line.contains("bravo: drop"))
                .then_some(())
        },
    );
    assert!(
        all.iter().any(|line| line.contains("path-proven")),
        "{all:#?}"
    );
    assert!(
        all.iter()
            .any(|line| line.contains(&format!("127.0.0.1:{console}/open?key=")))
    );
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let asked = Instant::now();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{all:#?}");
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
}
