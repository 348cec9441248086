//! Far ends of tunnels and beacons: where one is sure, and where none is named.

use std::net::IpAddr;

use super::*;

const SERVER: [u8; 4] = [203, 0, 113, 53];
/// An answer of who speaks for a name, and one of a resolver.
const SPEAKS: u16 = 0x8400;
const ASKS_OTHERS: u16 = 0x8180;

impl Place {
    /// A question to a server outside that goes this way, and its answer.
    fn exchange(&mut self, name: &str, way: Way, flags: u16) {
        let id = self.draw(60_000) as u16;
        let client = SocketAddr::from((Ipv4Addr::from(CLIENT), 20_000 + id % 20_000));
        let server = SocketAddr::from((Ipv4Addr::from(SERVER), 53));
        let mut frames = Frames::default();
        frames.udp(0, client, server, &message(id, 0x0100, name));
        self.detector.goes(way);
        self.frames(&frames);
        let mut frames = Frames::default();
        frames.udp(0, server, client, &message(id, flags, name));
        self.detector.goes(Way::In);
        self.frames(&frames);
    }

    /// Names that carry data below `tunnel.example`, until a tunnel is told; its far end.
    fn tunnel(&mut self, way: Way, flags: u16) -> Option<IpAddr> {
        while self.of("dns-tunnel@1").is_empty() {
            let name = self.letters(60, BASE32);
            self.exchange(&format!("{name}.tunnel.example"), way, flags);
        }
        let told = self.of("dns-tunnel@1")[0];
        assert_eq!(told.offender, None);
        told.far_end
    }

    /// The far end of a beacon to [`OUTSIDE`].
    fn beacon(&mut self) -> Option<IpAddr> {
        for _ in 0..40 {
            self.at_ns += 60 * SECOND_NS;
            self.contact(CLIENT, OUTSIDE, 443, 300);
        }
        let told = self.of("beacon@1")[0];
        assert_eq!(told.offender, None);
        told.far_end
    }
}

fn address(octets: [u8; 4]) -> Option<IpAddr> {
    Some(Ipv4Addr::from(octets).into())
}

#[test]
fn a_server_that_speaks_for_the_tunnels_own_name_is_its_far_end() {
    assert_eq!(Place::new().tunnel(Way::Out, SPEAKS), address(SERVER));
}

#[test]
fn a_resolver_is_no_far_end() {
    assert_eq!(Place::new().tunnel(Way::Out, ASKS_OTHERS), None);
    let mut place = Place::new();
    place.exchange("www.shop.example", Way::Out, ASKS_OTHERS);
    assert_eq!(place.tunnel(Way::Out, SPEAKS), None, "it answered as one");
}

#[test]
fn a_server_of_several_names_is_no_far_end() {
    let mut place = Place::new();
    place.exchange("www.shop.example", Way::Out, SPEAKS);
    assert_eq!(place.tunnel(Way::Out, SPEAKS), None);
}

#[test]
fn questions_that_come_in_from_the_network_blame_nobody() {
    assert_eq!(Place::new().tunnel(Way::In, SPEAKS), None);
}

#[test]
fn where_home_is_not_known_nobody_is_a_far_end() {
    let mut place = Place::anywhere();
    assert_eq!(place.tunnel(Way::Out, SPEAKS), None);
    assert_eq!(place.beacon(), None);
}

#[test]
fn a_far_end_that_becomes_sure_is_told_at_once() {
    let mut place = Place::new();
    while place.of("dns-tunnel@1").is_empty() {
        let name = place.letters(60, BASE32);
        let id = place.draw(60_000) as u16;
        let client = SocketAddr::from((Ipv4Addr::from(CLIENT), 20_000 + id % 20_000));
        let server = SocketAddr::from((Ipv4Addr::from(SERVER), 53));
        let mut frames = Frames::default();
        let name = format!("{name}.tunnel.example");
        frames.udp(0, client, server, &message(id, 0x0100, &name));
        place.frames(&frames);
    }
    assert_eq!(place.of("dns-tunnel@1")[0].far_end, None, "nobody answered");
    for _ in 0..20 {
        let name = place.letters(60, BASE32);
        place.exchange(&format!("{name}.tunnel.example"), Way::Out, SPEAKS);
    }
    let told = place.of("dns-tunnel@1");
    assert_eq!((told.len(), told[1].far_end), (2, address(SERVER)));
}

#[test]
fn a_tunnel_with_a_far_end_is_told_again_while_it_goes_on() {
    let mut behaviour = BehaviourConfig::default();
    behaviour.tunnel.again_ns = 60 * SECOND_NS;
    let mut place = Place::with(behaviour);
    for _ in 0..300 {
        let name = place.letters(60, BASE32);
        place.exchange(&format!("{name}.tunnel.example"), Way::Out, SPEAKS);
        place.wait(1.0);
    }
    assert_eq!(place.of("dns-tunnel@1").len(), 5);
}

#[test]
fn a_beacon_to_an_address_that_nobody_looked_up_has_a_far_end() {
    assert_eq!(Place::new().beacon(), address(OUTSIDE));
}

#[test]
fn software_that_polls_by_name_has_none() {
    let mut place = Place::new();
    let mut answer = message(7, ASKS_OTHERS, "updates.example");
    answer[7] = 1; // one record
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    answer.extend(OUTSIDE);
    let client = SocketAddr::from((Ipv4Addr::from([10, 2, 0, 9]), 20_000));
    let resolver = SocketAddr::from((Ipv4Addr::from(RESOLVER), 53));
    let mut frames = Frames::default();
    frames.udp(0, client, resolver, &message(7, 0x0100, "updates.example"));
    frames.udp(0, resolver, client, &answer);
    place.frames(&frames);
    assert_eq!(place.beacon(), None);
}

#[test]
fn a_contact_whose_server_proved_nothing_has_none() {
    let mut place = Place::new();
    for _ in 0..40 {
        place.at_ns += 60 * SECOND_NS;
        let mut flow = flow(place.draw(u64::MAX), CLIENT, OUTSIDE, 443, place.at_ns);
        flow.server_proven = false;
        let at_ns = place.at_ns;
        let event = Event::FlowEnd(&flow, EndReason::Fin);
        place.detector.event(&event, at_ns, &mut place.verdicts);
    }
    assert_eq!(place.of("beacon@1")[0].far_end, None);
}
