//! What a store must do. One conformance suite (`tests/stores/conformance`) holds for every back-end.

use std::sync::Arc;

use sharing::Audience;
use stix::Timestamp;

use crate::{
    Certificate, Dump, Entry, ErasedVersion, Erasure, Filter, Find, Lane, NewPartner, Outcome,
    Page, Partner, Position, Secret, StoreError, Submission,
};

/// Most entries that one read returns, whatever limit it is given.
pub const ENTRIES_MAX: usize = 1000;
/// A read stops early once it has this many bytes of objects.
pub const READ_BYTES_MAX: usize = 4 << 20;
/// Most entries that one page looks at, filtered out or not.
pub const SCAN_MAX: usize = 20_000;
/// Most versions that one transaction erases.
pub const ERASED_MAX: usize = 256;

/// What an append did.
#[derive(Clone, Debug)]
pub struct Appended {
    /// One for each submission, in their order.
    pub outcomes: Vec<Outcome>,
    /// The new entries, lane by lane, in order of position.
    pub lanes: Vec<LaneEntries>,
    /// The latest `date_added` given so far.
    pub latest: Timestamp,
}

/// What an erasure did.
#[derive(Clone, Debug)]
pub struct Erased {
    /// How many versions were destroyed.
    pub versions: usize,
    /// Whether there were more of them than one transaction takes; ask again.
    pub more: bool,
    /// The new entries, lane by lane, in order of position.
    pub lanes: Vec<LaneEntries>,
    /// The latest `date_added` given so far.
    pub latest: Timestamp,
}

/// New entries of one lane.
#[derive(Clone, Debug)]
pub struct LaneEntries {
    /// Whose addressed lane; none for the community's.
    pub partner: Option<Arc<str>>,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// How much a view holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events in the community lane.
    pub community: u64,
    /// Events in the addressed lanes of the audience's partners.
    pub addressed: u64,
}

/// The log of visibility events. An audience that stands for no partner sees nothing.
pub trait Log: Send + Sync + 'static {
    /// Writes a batch in one transaction; durable when it returns. `date_added` starts at `now`,
    /// or just after the last one in the lane. Community entries of a batch come before addressed
    /// ones. A revoked version reaches those who hold an earlier one, see [`Submission::reach`]. One
    /// caller at a time: the sequencer.
    fn append(
        &self,
        batch: &[Submission],
        now: Timestamp,
    ) -> impl Future<Output = Result<Appended, StoreError>> + Send;

    /// Destroys payloads and salts of versions, and adds an `Erase` event for each to the lanes that
    /// hold it, in one transaction; durable when it returns. What is erased already is left alone,
    /// and its identity is never taken again. At most [`ERASED_MAX`] versions. Called as
    /// [`Log::append`].
    fn erase(
        &self,
        erasure: &Erasure,
        now: Timestamp,
    ) -> impl Future<Output = Result<Erased, StoreError>> + Send;

    /// What was erased by events after this number, in order, at most `limit`: for the list of
    /// erasures, which answers nobody.
    fn erased(
        &self,
        after: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<ErasedVersion>, StoreError>> + Send;

    /// Every event of a lane after a position, in order, at most `limit` and [`ENTRIES_MAX`].
    fn lane(
        &self,
        audience: &Audience,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// A page of a view: both lanes merged in the order in which they were written. A revocation
    /// that stands in both lanes is shown once.
    fn page(
        &self,
        audience: &Audience,
        from: Position,
        limit: usize,
        filter: &Filter,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// The newest entries that the audience may see, newest first.
    fn recent(
        &self,
        audience: &Audience,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// The end of a view.
    fn head(
        &self,
        audience: &Audience,
    ) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// How much the audience may see.
    fn counts(
        &self,
        audience: &Audience,
    ) -> impl Future<Output = Result<Counts, StoreError>> + Send;

    /// The end of a lane: the community's, or the one addressed to a partner. For the sequencer,
    /// which answers nobody.
    fn end(
        &self,
        partner: Option<&Arc<str>>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The live indicators of a lane as of position `through`: latest versions, neither revoked
    /// nor expired at `at`. For the sequencer, as [`Log::end`].
    fn live(
        &self,
        partner: Option<&Arc<str>>,
        through: u64,
        at: Timestamp,
        each: &mut (dyn FnMut(Entry) + Send),
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Epoch of the log; positions of different epochs do not compare.
    fn epoch(&self) -> u64;
}

/// Partners and their credentials: small transactions beside the log, which another process may
/// make while a hub runs.
pub trait Registry: Send + Sync + 'static {
    /// Adds a partner. Errors: `BadName`, `PartnerExists`.
    fn add_partner(
        &self,
        partner: &NewPartner,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The partner of that name, revoked or not.
    fn partner(
        &self,
        name: &str,
    ) -> impl Future<Output = Result<Option<Partner>, StoreError>> + Send;

    /// Every partner, revoked or not, by name.
    fn partners(&self) -> impl Future<Output = Result<Vec<Partner>, StoreError>> + Send;

    /// Revokes a partner with all its credentials; false if there is none of that name that is not
    /// revoked yet.
    fn revoke_partner(
        &self,
        name: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Makes an invitation, good for one enrolment until `expires`. Error: `UnknownPartner`.
    fn invite(
        &self,
        partner: &str,
        expires: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<Secret, StoreError>> + Send;

    /// The partner that a still valid invitation is for; uses nothing up.
    fn invitation(
        &self,
        secret: &[u8; 32],
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Partner>, StoreError>> + Send;

    /// Uses an invitation up and records the certificate issued for it, in one transaction. Error:
    /// `BadInvitation`, also when the certificate names another partner.
    fn enrol(
        &self,
        secret: &[u8; 32],
        certificate: &Certificate,
        now: Timestamp,
    ) -> impl Future<Output = Result<Partner, StoreError>> + Send;

    /// Makes an API token. Error: `UnknownPartner`.
    fn create_token(
        &self,
        partner: &str,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Secret, StoreError>> + Send;

    /// The partner that a token belongs to; none if unknown, expired or revoked.
    fn partner_by_token(
        &self,
        token: &[u8; 32],
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Partner>, StoreError>> + Send;

    /// Revokes every token of a partner; the number of those that were good.
    fn revoke_tokens(
        &self,
        partner: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Records a certificate, for rotation. Error: `UnknownPartner`.
    fn add_certificate(
        &self,
        certificate: &Certificate,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The partner that a certificate belongs to; none if unknown, expired or revoked.
    fn partner_by_certificate(
        &self,
        serial: &[u8],
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Partner>, StoreError>> + Send;

    /// Revokes a certificate; false if there is none of that serial that is not revoked yet.
    fn revoke_certificate(
        &self,
        serial: &[u8],
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// A value kept for the hub.
    fn meta(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Keeps a value unless there is one already; the one that is kept.
    fn meta_init(
        &self,
        key: &str,
        value: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>> + Send;
}

/// A store: the log and the registry, which can be written out whole.
pub trait Store: Log + Find + Registry + Dump {}

impl<S: Log + Find + Registry + Dump> Store for S {}
