//! The queries for entries. All yield entries as [`crate::rows`] reads them: one a row, or those of a page in
//! one row. Parameters are numbered per query.
//!
//! `LIMIT ?1 + 0`: a limit that is a parameter and nothing more has SQLite plan the statement anew each time that it
//! is bound.

use crate::rows::here_bytes_max;

/// An entry in one value; `h` is its head, `p` its payload, if that is wanted.
macro_rules! packed {
    ($seq:literal, $lane:literal, $position:literal, $lanes:literal, $event:literal) => {
        packed!($seq, $lane, $position, $lanes, $event, here_bytes_max!())
    };
    ($seq:literal, $lane:literal, $position:literal, $lanes:literal, $event:literal, $here:expr) => {
        concat!(
            "concat(",
            $seq,
            ",' ',",
            $lane,
            ",' ',",
            $position,
            ",' ',",
            $lanes,
            ".date_added,' ',",
            $lanes,
            ".stale,' ',",
            $event,
            ",' ',h.n,' ',h.modified,' ',h.valid_until,' ',octet_length(p.raw),' ',\
             octet_length(h.source),' ',octet_length(h.id),' ',octet_length(h.spec_version),' ',\
             CASE WHEN octet_length(p.raw) <= ",
            $here,
            " THEN octet_length(p.raw) END,' ',h.source,h.id,h.spec_version,\
             CASE WHEN octet_length(p.raw) <= ",
            $here,
            " THEN p.raw END)"
        )
    };
}

macro_rules! community_lane {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            packed!("e.seq", "0", "e.community", "e", "e.kind"),
            " FROM events e JOIN heads h ON h.n = e.head LEFT JOIN payloads p ON p.n = h.n ",
            $rest
        )
    };
}

macro_rules! addressed_lane {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            packed!("a.seq", "1", "a.position", "a", "e.kind"),
            " FROM addressed a JOIN events e ON e.seq = a.seq JOIN heads h ON h.n = e.head \
             LEFT JOIN payloads p ON p.n = h.n ",
            $rest
        )
    };
}

pub(super) const COMMUNITY_LANE: &str =
    community_lane!("WHERE e.community > ?1 ORDER BY e.community LIMIT ?2 + 0");
pub(super) const ADDRESSED_LANE: &str =
    addressed_lane!("WHERE a.partner = ?2 AND a.position > ?1 ORDER BY a.position LIMIT ?3 + 0");
pub(super) const COMMUNITY_RECENT: &str =
    community_lane!("WHERE e.community > 0 ORDER BY e.community DESC LIMIT ?1 + 0");
pub(super) const ADDRESSED_RECENT: &str =
    addressed_lane!("WHERE a.partner = ?1 ORDER BY a.position DESC LIMIT ?2 + 0");

/// What is live is read as a stream, from which nothing else is read meanwhile.
macro_rules! any_bytes {
    () => {
        "9223372036854775807"
    };
}

/// A version that was erased is not live, and what it had replaced is not either. Driven by the index
/// on what is live: history is long, and most of it has expired. `CROSS JOIN`
/// keeps the order of tables as written.
macro_rules! live_of {
    ($columns:expr, $tables:literal, $lane:literal, $newer:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM heads h CROSS JOIN events e ON e.head = h.n ",
            $tables,
            " CROSS JOIN payloads p ON p.n = h.n \
             WHERE h.kind = 'indicator' AND h.revoked = 0 \
             AND coalesce(h.valid_until, 9223372036854775807) > ?2 AND ",
            $lane,
            " AND NOT (h.superseded AND EXISTS (SELECT 1 FROM heads y CROSS JOIN events f ON f.head = y.n ",
            $newer,
            " AND y.id = h.id AND y.source = h.source AND y.modified > h.modified))"
        )
    };
}

pub(super) const COMMUNITY_LIVE: &str = live_of!(
    packed!("e.seq", "0", "e.community", "e", "e.kind", any_bytes!()),
    "",
    "e.community <= ?1",
    "WHERE f.community <= ?1"
);
pub(super) const ADDRESSED_LIVE: &str = live_of!(
    packed!("a.seq", "1", "a.position", "a", "e.kind", any_bytes!()),
    "CROSS JOIN addressed a ON a.seq = e.seq",
    "a.partner = ?3 AND a.position <= ?1",
    "CROSS JOIN addressed b ON b.seq = f.seq WHERE b.partner = ?3 AND b.position <= ?1"
);

/// Whether the reader may see another version of the same object, newer or older; one that was
/// erased is seen by nobody.
macro_rules! other_version {
    ($than:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM heads y JOIN payloads q ON q.n = y.n \
               JOIN events f ON f.head = y.n WHERE y.id = h.id AND y.source = h.source AND y.modified ",
            $than,
            " h.modified AND (f.community IS NOT NULL OR EXISTS \
               (SELECT 1 FROM addressed b WHERE b.seq = f.seq AND b.partner = ?3)))"
        )
    };
}

/// A page over a window of candidates `w`: payloads only of what the filters admit. `CASE` keeps
/// SQLite from looking up what is not asked for. An event of both lanes, a revocation, is shown
/// where it stands in the community's.
macro_rules! page_of {
    ($window:expr) => {
        concat!(
            "SELECT group_concat(",
            packed!("w.seq", "w.lane", "w.position", "w", "w.kind"),
            ", '') FROM (",
            $window,
            ") w CROSS JOIN heads h ON h.n = w.head LEFT JOIN payloads p ON p.n = h.n AND CASE \
               WHEN ?5 <> '' AND instr(?5, ',' || h.kind || ',') = 0 THEN 0 WHEN ?6 THEN 1 \
               WHEN instr(?7, ',' || h.modified || ',') > 0 THEN 1 \
               WHEN CASE WHEN ?8 THEN CASE WHEN h.superseded THEN NOT ",
            other_version!(">"),
            " ELSE 1 END ELSE 0 END THEN 1 WHEN CASE WHEN ?9 THEN NOT ",
            other_version!("<"),
            " ELSE 0 END THEN 1 ELSE 0 END"
        )
    };
}

pub(super) const PAGE: &str = page_of!(
    "SELECT * FROM (SELECT * FROM (SELECT seq, 0 AS lane, community AS position, date_added, \
                      stale, kind, head FROM events WHERE community > ?1 \
                      ORDER BY community LIMIT ?4 + 0) \
     UNION ALL SELECT * FROM (SELECT a.seq, 1, a.position, a.date_added, a.stale, e.kind, e.head \
                      FROM addressed a JOIN events e ON e.seq = a.seq \
                      WHERE a.partner = ?3 AND a.position > ?2 AND e.community IS NULL \
                      ORDER BY a.position LIMIT ?4 + 0)) \
     ORDER BY seq LIMIT ?4 + 0"
);
pub(super) const PAGE_OF_IDS: &str = page_of!(
    "SELECT * FROM (SELECT e.seq, 0 AS lane, e.community AS position, e.date_added, e.stale, \
                      e.kind, e.head FROM heads i CROSS JOIN events e ON e.head = i.n \
                      WHERE i.id IN (SELECT value FROM json_each(?10)) AND e.community > ?1 \
     UNION ALL SELECT a.seq, 1, a.position, a.date_added, a.stale, e.kind, e.head \
                      FROM heads i CROSS JOIN events e ON e.head = i.n \
                      CROSS JOIN addressed a ON a.seq = e.seq \
                      WHERE i.id IN (SELECT value FROM json_each(?10)) AND a.partner = ?3 \
                      AND a.position > ?2 AND e.community IS NULL) \
     ORDER BY seq LIMIT ?4 + 0"
);

/// What stands at some positions of a lane, by the same rules.
pub(super) const COMMUNITY_AT: &str = page_of!(
    "SELECT e.seq, 0 AS lane, e.community AS position, e.date_added, e.stale, e.kind, e.head \
     FROM json_each(?10) i CROSS JOIN events e ON e.community = i.value"
);
pub(super) const ADDRESSED_AT: &str = page_of!(
    "SELECT a.seq, 1 AS lane, a.position, a.date_added, a.stale, e.kind, e.head \
     FROM json_each(?10) i CROSS JOIN addressed a ON a.partner = ?3 AND a.position = i.value \
     CROSS JOIN events e ON e.seq = a.seq WHERE e.community IS NULL"
);

/// One object.
pub(super) const PAYLOAD: &str = "SELECT raw FROM payloads WHERE n = ?1";
