//! Scratch.
#[path = "../tests/common/mod.rs"]
mod common;
fn main() {
    for case in common::cases(std::path::Path::new(&std::env::args().nth(1).unwrap())) {
        match model::Model::read(&case.bytes, &model::Limits::default()) {
            Err(e) => println!("REFUSED {}: {e}", case.name),
            Ok(m) => {
                let ours = case.run(&m, 64);
                let d = common::differences(&case.name, &ours, &case.expected);
                println!("{} {} {:?} {:?}", if d.0 <= 1e-5 && d.1 == 0 {"ok"} else {"DIFF"}, case.name, d, m.cost());
            }
        }
    }
}
