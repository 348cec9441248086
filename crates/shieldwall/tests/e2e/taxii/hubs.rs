//! Two hubs of ours: one reads from the other, and pushes to it, as a partner there.

use super::fake::{indicator, version};
use crate::{
    common::run,
    feeds::{World, command, counts},
};

const COUNTS: [&str; 5] = ["new", "changed", "revoked", "unchanged", "refused"];

#[test]
fn one_hub_reads_another_as_its_partner() {
    let _turn = crate::common::alone();
    let (here, there) = (World::start(), World::start());
    let file = there.write("in.jsonl", &[1, 2, 3].map(indicator).join("\n"));
    there.done(&["import", "stix", &file]);
    // An object that is for somebody else there.
    let other = there.hub.enrol("charlie");
    let strict = ["share", "--ip", "192.0.2.66", "--tlp", "TLP:AMBER+STRICT"];
    command(&other, &strict).with(0);

    let ours = there.hub.enrol("bridge");
    let file_of = |name: &str| ours.join(name).to_str().unwrap().to_owned();
    let [cert, key, ca] = ["cert.pem", "key.pem", "ca.pem"].map(file_of);
    let url = format!("https://127.0.0.1:{}/taxii2/", there.hub.port);
    let login = ["--cert", &cert, "--key", &key, "--ca", &ca];
    let import = [&["import", "taxii", &url, "--page", "2"][..], &login].concat();
    assert_eq!(counts(&here.done(&import), COUNTS), [3, 0, 0, 0, 0]);
    assert_eq!(here.listed(), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    let stix = here.command(&["export", "stix"]).with(0);
    assert!(
        [1, 2, 3]
            .map(indicator)
            .iter()
            .all(|raw| stix.out.contains(raw)),
        "{stix:?}"
    );

    // A newer version and a revocation travel; a token does as well as a certificate.
    let later = "2026-01-05T00:00:00.000Z";
    let more = [
        version(1, later, ""),
        version(2, later, ",\"revoked\":true"),
    ];
    there.write("in.jsonl", &more.join("\n"));
    there.done(&["import", "stix", &file]);
    let data = there.at("hub");
    let token = run(&["partner", "invite", "reader", "--token", "--data", &data]);
    let secret = here.write("token", &token);
    let import = [
        "import",
        "taxii",
        &url,
        "--secret-file",
        &secret,
        "--ca",
        &ca,
    ];
    assert_eq!(counts(&here.done(&import), COUNTS), [0, 1, 1, 1, 0]);
    let basic = [&import[..], &["--user", "reader"]].concat();
    assert_eq!(counts(&here.done(&basic), COUNTS)[..3], [0, 0, 0]);
    assert_eq!(here.listed(), ["192.0.2.1", "192.0.2.3"]);

    // Nobody: the server asks for credentials, and its certificate is not believed without its CA.
    let ended = here
        .command(&["import", "taxii", &url, "--ca", &ca])
        .with(2);
    assert!(
        ended.err.contains("does not take our credentials"),
        "{ended:?}"
    );
    here.command(&["import", "taxii", &url, "--secret-file", &secret])
        .with(3);
}

#[test]
fn one_hub_pushes_to_another_and_what_comes_back_is_known() {
    let _turn = crate::common::alone();
    let (here, there) = (World::start(), World::start());
    let file = here.write("in.jsonl", &[1, 2, 3].map(indicator).join("\n"));
    here.done(&["import", "stix", &file]);
    let addressed = [
        "share",
        "--ip",
        "192.0.2.67",
        "--tlp",
        "TLP:AMBER",
        "--audience",
        "alpha",
    ];
    command(&here.hub.enrol("charlie"), &addressed).with(0);

    let ours = there.hub.enrol("bridge");
    let file_of = |name: &str| ours.join(name).to_str().unwrap().to_owned();
    let [cert, key, ca] = ["cert.pem", "key.pem", "ca.pem"].map(file_of);
    let url = format!("https://127.0.0.1:{}/", there.hub.port);
    let login = [
        "--cert",
        &cert,
        "--key",
        &key,
        "--ca",
        &ca,
        "--collection",
        "all",
    ];
    let export = [&["export", "taxii", &url, "--page", "2"][..], &login].concat();
    let ended = here.command(&[&export[..], &["--json"]].concat()).with(0);
    assert_eq!(counts(&ended.summary(), COUNTS), [3, 0, 0, 0, 0]);
    assert!(
        ended.err.contains("addressed to named partners"),
        "{ended:?}"
    );
    assert_eq!(there.listed(), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(counts(&here.done(&export), COUNTS), [0, 0, 0, 3, 0]);
    // Without its memory it pushes again, and the same versions are no news there.
    let other = here.at("anew.jsonl");
    let anew = [&export[..], &["--state", &other]].concat();
    assert_eq!(counts(&here.done(&anew), COUNTS), [3, 0, 0, 0, 0]);

    // What comes back is what we shared: nothing changes here.
    let import = [&["import", "taxii", &url][..], &login].concat();
    here.done(&import);
    assert_eq!(here.listed().len(), 4);
    let stix = here.command(&["export", "stix"]).with(0);
    assert_eq!(stix.out.matches(&indicator(2)).count(), 1, "{stix:?}");
}
