//! A lease, and messages that are damaged.

use serde_json::json;

use crate::applayer::testing::{anomalies, corpus, endures, records};
use crate::flow::Proto;

const EXTENDED: &str = "outputs:\n  - eve-log:\n      enabled: yes\n      types:\n        \
    - dhcp: {extended: yes}\n        - anomaly\n";

#[test]
fn a_lease_in_full() {
    let found = records(Proto::Udp, EXTENDED, &corpus("dhcp/lease.bin"));
    let discover = json!({"type": "request", "id": 0x1234_5678, "client_mac": "02:00:00:00:00:01",
        "assigned_ip": "0.0.0.0", "client_ip": "0.0.0.0", "dhcp_type": "discover",
        "client_id": "02:00:00:00:00:01", "hostname": "press-4",
        "params": ["subnet_mask", "router", "dns_server", "domain", "ntp_server", "tftp_server_ip"]});
    assert_eq!(found[0], discover);
    let offer = json!({"type": "reply", "id": 0x1234_5678, "client_mac": "02:00:00:00:00:01",
        "assigned_ip": "192.0.2.9", "client_ip": "0.0.0.0", "relay_ip": "0.0.0.0",
        "next_server_ip": "192.0.2.1", "dhcp_type": "offer", "subnet_mask": "255.255.255.0",
        "routers": ["192.0.2.1"], "dns_servers": ["192.0.2.1", "192.0.2.2"],
        "lease_time": 3600, "renewal_time": 1800, "rebinding_time": 3150});
    assert_eq!(found[1], offer);
    assert_eq!(found[2]["vendor_class_identifier"], "vendor");
}

#[test]
fn without_being_asked_for_more_only_leases_are_logged() {
    let found = records(Proto::Udp, "", &corpus("dhcp/lease.bin"));
    let ack = json!({"type": "reply", "id": 0x1234_5678, "client_mac": "02:00:00:00:00:01",
        "assigned_ip": "192.0.2.9", "dhcp_type": "ack"});
    assert_eq!(found, [ack]);
}

#[test]
fn options_that_are_cut() {
    let found = records(Proto::Udp, EXTENDED, &corpus("dhcp/damaged.bin"));
    assert_eq!(anomalies(&found), ["truncated_options"; 2]);
    assert_eq!(found[1]["hostname"], "h");
}

#[test]
fn mutations() {
    for name in ["lease", "damaged"] {
        endures(Proto::Udp, &corpus(&format!("dhcp/{name}.bin")));
    }
}
