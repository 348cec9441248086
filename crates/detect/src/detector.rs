//! The detectors behind one door, and the index that they share.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use packet::{Event, FiveTuple, FlowId, Way};

use crate::behaviour::{
    self, beacon::Beacon, dga::Dga, dga::NameModel, login::Logins, path_guessing::Paths,
    slow_scan::SlowScan, tunnel::Tunnel,
};
use crate::index::Index;
use crate::indicator::{self, Indicators};
use crate::scan::{self, Scan};
use crate::verdict::Verdict;

/// One row per detector. They run in this order on every event; a verdict of one neither needs nor
/// hides a verdict of another.
const DETECTORS: &[New] = &[
    |config| Box::new(Indicators::new(&config.indicator)),
    |config| Box::new(Scan::new(&config.scan)),
    |config| Box::new(Dga::new(&config.behaviour.dga)),
    |config| Box::new(Tunnel::new(&config.behaviour.tunnel)),
    |config| Box::new(Beacon::new(&config.behaviour.beacon)),
    |config| Box::new(Logins::new(&config.behaviour.login)),
    |config| Box::new(Paths::new(&config.behaviour.path_guessing)),
    |config| Box::new(SlowScan::new(&config.behaviour.slow_scan)),
];

/// Makes a detector with empty tables.
type New = fn(&Config) -> Box<dyn Detect>;

/// What the operator sets.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where our services are: what goes there is inbound. Empty: no direction is known.
    pub home: Vec<IpNet>,
    /// The indicator detector.
    pub indicator: indicator::Config,
    /// The scan detector.
    pub scan: scan::Config,
    /// What many transactions of a host show.
    pub behaviour: behaviour::Config,
}

/// A counter by its name.
pub type Counter = (&'static str, u64);

/// Events in, verdicts out.
#[derive(Debug)]
pub struct Detector {
    index: Arc<Index>,
    home: Vec<IpNet>,
    way: Way,
    detectors: Vec<Box<dyn Detect>>,
}

impl Detector {
    /// A detector with empty tables.
    #[must_use]
    pub fn new(config: Config, index: Arc<Index>) -> Self {
        let detectors = DETECTORS.iter().map(|new| new(&config)).collect();
        Self {
            index,
            home: config.home,
            way: Way::Unknown,
            detectors,
        }
    }

    /// Says which way the packet goes that the next events come of.
    pub fn goes(&mut self, way: Way) {
        self.way = way;
    }

    /// Replaces the indicators; what was learned of sources stays.
    pub fn set_index(&mut self, index: Arc<Index>) {
        self.index = index;
    }

    /// The indicators in use.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Whether detectors look at such an event at all: not at those of a packet or a piece of something
    /// that is under way, which most are. Those are for rules; detectors look at flows and at what is
    /// whole.
    #[must_use]
    pub fn looks_at(event: &Event<'_>) -> bool {
        match event {
            Event::AppFrame(..)
            | Event::Arp(_)
            | Event::Exchanged(_)
            | Event::FileData(..)
            | Event::Inspect(_)
            | Event::Packet(_)
            | Event::Progress(..)
            | Event::Stream(..) => false,
            Event::Anomaly(..)
            | Event::Attempt(..)
            | Event::Closed(..)
            | Event::File(..)
            | Event::FlowEnd(..)
            | Event::FlowStart(_)
            | Event::Proven(_)
            | Event::Transaction(..) => true,
        }
    }

    /// Judges one event; appends what it thinks of it to `out`. `now_ns` is packet time.
    ///
    /// # Failure bias
    /// Open: what cannot be judged yields no verdict.
    pub fn event(&mut self, event: &Event<'_>, now_ns: u64, out: &mut Vec<Verdict>) {
        if !Self::looks_at(event) {
            return;
        }
        let context = Context {
            index: &self.index,
            home: &self.home,
            now_ns,
            way: self.way,
        };
        for detector in &mut self.detectors {
            detector.event(event, &context, out);
        }
    }

    /// Gives the flows that count against their source since the last time, whether or not that led to
    /// a verdict: a refused login is no benign session. Ends are as the flow's client and server.
    pub fn held_against(&mut self, each: &mut dyn FnMut(FlowId, &FiveTuple)) {
        for detector in &mut self.detectors {
            detector.held_against(each);
        }
    }

    /// Lets time pass without an event. `now_ns` is packet time.
    ///
    /// # Failure bias
    /// Open: as [`Self::event`].
    pub fn tick(&mut self, now_ns: u64, out: &mut Vec<Verdict>) {
        let context = Context {
            index: &self.index,
            home: &self.home,
            now_ns,
            way: self.way,
        };
        for detector in &mut self.detectors {
            detector.tick(&context, out);
        }
    }

    /// Forgets what is held against a source, as after a revocation.
    pub fn forgive(&mut self, source: IpAddr) {
        for detector in &mut self.detectors {
            detector.forgive(source.to_canonical());
        }
    }

    /// Replaces the model that looks at names, as after a pack was loaded; what is known of clients
    /// stays.
    pub fn set_names(&mut self, model: Option<&Arc<NameModel>>) {
        for detector in &mut self.detectors {
            detector.set_names(model);
        }
    }

    /// What was counted, bounds that were hit among it.
    #[must_use]
    pub fn counters(&self) -> Vec<Counter> {
        self.detectors
            .iter()
            .flat_map(|detector| detector.counters())
            .collect()
    }
}

/// What every detector may look at beside the event.
#[derive(Debug)]
pub(crate) struct Context<'c> {
    pub(crate) index: &'c Index,
    pub(crate) home: &'c [IpNet],
    pub(crate) now_ns: u64,
    /// Which way the packet at hand goes.
    pub(crate) way: Way,
}

impl Context<'_> {
    /// Whether an address is one of ours; none when nothing is said of home.
    pub(crate) fn is_home(&self, address: IpAddr) -> Option<bool> {
        let address = address.to_canonical();
        (!self.home.is_empty()).then(|| self.home.iter().any(|net| net.contains(&address)))
    }
}

/// One way to tell malicious traffic. To add one: a file or folder that implements this, and a row
/// in [`DETECTORS`].
pub(crate) trait Detect: fmt::Debug + Send {
    /// Judges one event that [detectors look at](Detector::looks_at).
    fn event(&mut self, event: &Event<'_>, context: &Context<'_>, out: &mut Vec<Verdict>);

    /// Lets time pass.
    fn tick(&mut self, _context: &Context<'_>, _out: &mut Vec<Verdict>) {}

    /// Gives the flows that count against their source since the last time.
    fn held_against(&mut self, _each: &mut dyn FnMut(FlowId, &FiveTuple)) {}

    /// Forgets a source.
    fn forgive(&mut self, _source: IpAddr) {}

    /// Replaces the model that looks at names.
    fn set_names(&mut self, _model: Option<&Arc<NameModel>>) {}

    /// What was counted; names are `detector.counter`.
    fn counters(&self) -> Vec<Counter>;
}
