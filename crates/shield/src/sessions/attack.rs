//! Whose sessions still vouch for a source that attacks.
//!
//! | session | vouches |
//! |---|---|
//! | begun [`LEAD_NS`] or more before the first sign | yes |
//! | later, of a source that others were known to share then | yes, but for those of the software that attacks |
//! | later, of other software than any that attacks, which had [`OTHER_MIN`] of them | that somebody else is there: limited, not dropped |
//! | any other | no |
//!
//! Software is what a client shows: the User-Agent of HTTP, the JA4 of TLS. An attacker can show what
//! it likes, and gains by it what honest sessions always gained: it is slowed down instead of dropped.
//!
//! # Failure bias
//! Open for whoever was here before the attack or shows to be another; closed for who comes to an
//! address that nobody was known to share, while it attacks, with nothing to tell it from the attacker.

use std::collections::BTreeMap;

use super::Session;

/// Before the first sign, what was begun for so long is a part of the attack: tools look around, and
/// show a first sign within seconds.
pub(super) const LEAD_NS: u64 = 10_000_000_000;
/// A sign that comes later than this after the one before begins another attack, unless a verdict
/// was given: somebody mistyped, and somebody else attacks an hour later.
const PAUSE_NS: u64 = 60_000_000_000;
/// Sessions of other software that show that somebody else is there.
const OTHER_MIN: u32 = 3;
/// Most kinds of software that an attack shows before all is taken for its.
const CLIENTS_MAX: usize = 8;

/// Signs in a row that speak against a source.
#[derive(Clone, Debug)]
pub(super) struct Attack {
    first_ns: u64,
    last_ns: u64,
    /// Whether the source had benign sessions when it began.
    shared: bool,
    /// Whether a verdict named the source.
    pub(super) named: bool,
    clients: Vec<u32>,
    /// More kinds of software than that.
    is_any: bool,
}

/// Software that is somebody else's than the attacker's.
pub(super) type Others = Vec<u32>;

impl Attack {
    pub(super) fn new(now_ns: u64, shared: bool) -> Self {
        Self {
            first_ns: now_ns,
            last_ns: now_ns,
            shared,
            named: false,
            clients: Vec::new(),
            is_any: false,
        }
    }

    /// Whether a session began before an attack that first shows now.
    pub(super) fn is_before(session: &Session, now_ns: u64) -> bool {
        session.began_ns.saturating_add(LEAD_NS) <= now_ns
    }

    pub(super) fn sign(&mut self, who: u32, now_ns: u64) {
        self.last_ns = self.last_ns.max(now_ns);
        if who == 0 || self.clients.contains(&who) {
            return;
        }
        if self.clients.len() < CLIENTS_MAX {
            self.clients.push(who);
        } else {
            self.is_any = true;
        }
    }

    /// Whether what is seen now is of this attack. One that led to a verdict is over when no session of
    /// it could be recent.
    pub(super) fn goes_on(&self, now_ns: u64, recent_ns: u64) -> bool {
        let pause_ns = if self.named { recent_ns } else { PAUSE_NS };
        now_ns.saturating_sub(self.last_ns) <= pause_ns
    }

    /// The software that is not the attacker's and was here often enough.
    pub(super) fn others<'s>(&self, sessions: impl Iterator<Item = &'s Session>) -> Others {
        let mut counts = BTreeMap::<u32, u32>::new();
        for session in sessions.filter(|session| self.is_other(session)) {
            let count = counts.entry(session.who).or_default();
            *count = count.saturating_add(1);
        }
        let often = counts.into_iter().filter(|(_, count)| *count >= OTHER_MIN);
        often.map(|(who, _)| who).collect()
    }

    /// How many sessions vouch; where somebody else is there and none does, one.
    pub(super) fn recent<'s>(
        &self,
        mut sessions: impl Iterator<Item = &'s Session> + Clone,
        others: &Others,
    ) -> u32 {
        let vouch = sessions.clone().filter(|session| self.vouches(session));
        match super::count(vouch) {
            0 => u32::from(sessions.any(|session| self.spares(session, others))),
            vouch => vouch,
        }
    }

    /// Whether an open session is to go on whatever becomes of its source.
    pub(super) fn spares(&self, session: &Session, others: &Others) -> bool {
        self.shared || Self::is_before(session, self.first_ns) || others.contains(&session.who)
    }

    fn vouches(&self, session: &Session) -> bool {
        let is_other = session.who == 0 || self.is_other(session);
        Self::is_before(session, self.first_ns) || (self.shared && is_other)
    }

    fn is_other(&self, session: &Session) -> bool {
        session.who != 0 && !self.is_any && !self.clients.contains(&session.who)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use std::net::IpAddr;

    use packet::{FiveTuple, FlowId, Proto};

    use super::super::Sessions;
    use super::*;
    use crate::guard::Standings;

    const S: u64 = 1_000_000_000;
    const TOOL: u32 = 1;
    const BROWSER: u32 = 2;

    struct Case {
        sessions: Sessions,
        flow: u64,
    }

    impl Case {
        fn new() -> Self {
            Self {
                sessions: Sessions::new(16),
                flow: 0,
            }
        }

        fn source() -> IpAddr {
            IpAddr::from([192, 0, 2, 7])
        }

        /// A benign session that began then, and is over a moment later if `over`.
        fn visit(&mut self, who: u32, began_ns: u64, over: bool) {
            self.flow += 1;
            let (flow, session) = (FlowId(self.flow), Session { began_ns, who });
            let tuple = FiveTuple {
                src: Self::source(),
                src_port: 1,
                dst: IpAddr::from([10, 2, 0, 10]),
                dst_port: 443,
                proto: Proto::Tcp,
            };
            self.sessions.opened(flow, &tuple, session, began_ns);
            if over {
                self.sessions.ended(flow, &tuple, session, true, began_ns);
            }
        }

        fn sign(&self, who: u32, now_ns: u64) {
            self.sessions.sign(Self::source(), who, now_ns);
        }

        fn named(&self, now_ns: u64) {
            self.sessions.named(Self::source(), now_ns);
        }

        /// Sessions that vouch, and open ones that are exempt.
        fn standing(&self, now_ns: u64) -> (u32, usize) {
            let standing = self.sessions.standing(&Self::source().into(), now_ns);
            (standing.recent, standing.open.len())
        }
    }

    /// A tool asks for a form, guesses, asks for the form...
    fn guessing(case: &mut Case, from_s: u64, times: u64) {
        for at in from_s..from_s + times {
            case.visit(TOOL, at * S, true);
            case.sign(TOOL, at * S + 1);
        }
    }

    #[test]
    fn what_an_attacker_does_between_its_guesses_does_not_vouch_for_it() {
        let mut case = Case::new();
        guessing(&mut case, 100, 6);
        assert_eq!(case.standing(106 * S), (6, 0), "a verdict is what counts");
        case.named(106 * S);
        assert_eq!(case.standing(106 * S), (0, 0));
        guessing(&mut case, 400, 3);
        assert_eq!(case.standing(410 * S), (0, 0), "five minutes later as well");
        assert_eq!(case.sessions.history(Case::source(), 410 * S), 9);
        case.sessions.forgive(Case::source());
        assert_eq!(case.standing(410 * S), (9, 0));
    }

    #[test]
    fn who_was_there_before_the_attack_protects_and_who_came_just_before_does_not() {
        let mut case = Case::new();
        case.visit(TOOL, 91 * S, true);
        guessing(&mut case, 100, 6);
        case.named(106 * S);
        assert_eq!(case.standing(106 * S), (0, 0));
        let mut case = Case::new();
        case.visit(TOOL, 90 * S, false);
        guessing(&mut case, 100, 6);
        case.named(106 * S);
        assert_eq!(
            case.standing(106 * S),
            (1, 1),
            "the same software as the tool's"
        );
        assert_eq!(case.standing(6_000 * S), (1, 1), "as long as it is open");
    }

    #[test]
    fn an_address_that_was_shared_before_stays_shared_while_others_use_it() {
        let mut case = Case::new();
        case.visit(BROWSER, 50 * S, true);
        for minute in 0..30 {
            guessing(&mut case, 100 + 60 * minute, 20);
            case.named((120 + 60 * minute) * S);
            case.visit(BROWSER, (121 + 60 * minute) * S, true);
            let (recent, _) = case.standing((122 + 60 * minute) * S);
            assert!((1..=12).contains(&recent), "minute {minute}: {recent}");
        }
        // what the tool does fits among what somebody with the same software may do
        assert_eq!(case.standing(2_700 * S), (0, 0), "nobody for ten minutes");
    }

    #[test]
    fn other_software_shows_that_somebody_else_is_there() {
        let mut case = Case::new();
        guessing(&mut case, 100, 6);
        case.named(106 * S);
        case.visit(BROWSER, 107 * S, true);
        case.visit(BROWSER, 108 * S, true);
        assert_eq!(case.standing(109 * S), (0, 0));
        for at in 110..140 {
            case.visit(BROWSER, at * S, at < 139);
        }
        assert_eq!(
            case.standing(140 * S),
            (1, 1),
            "limited, and never only watched"
        );
        for who in 10..20 {
            case.sign(who, 141 * S);
        }
        assert_eq!(
            case.standing(142 * S),
            (0, 0),
            "who changes its name has none"
        );
    }

    #[test]
    fn a_mistake_long_before_is_no_beginning_of_an_attack() {
        let mut case = Case::new();
        case.sign(BROWSER, 50 * S);
        for at in 51..60 {
            case.visit(BROWSER, at * S, true);
        }
        guessing(&mut case, 120, 6);
        case.named(130 * S);
        assert_eq!(case.standing(130 * S), (9, 0));
    }

    #[test]
    fn what_a_server_is_accused_of_does_not_count_for_it() {
        let mut case = Case::new();
        case.visit(TOOL, S, true);
        case.visit(TOOL, S, false);
        case.visit(BROWSER, S, true);
        case.sessions.disown(Case::source(), TOOL);
        assert_eq!(case.standing(2 * S), (1, 0));
        case.visit(TOOL, 3 * S, true);
        assert_eq!(case.standing(4 * S), (1, 0));
    }
}
