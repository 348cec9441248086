//! The lab's node roles without the rest of the binary, for this crate's own tests:
//! `lab-node lab node ROLE ...`.

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(3).collect();
    lab::node::run(&arguments)
}
