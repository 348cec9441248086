//! The queries for entries. All yield the same columns; parameters are numbered per query.

// Columns of every query for entries.
pub(super) const SEQ: usize = 0;
pub(super) const LANE: usize = 1;
pub(super) const POSITION: usize = 2;
pub(super) const DATE_ADDED: usize = 3;
pub(super) const STALE: usize = 4;
pub(super) const EVENT: usize = 5;
pub(super) const SOURCE: usize = 6;
pub(super) const ID: usize = 7;
pub(super) const VERSION: usize = 8;
pub(super) const VALID_UNTIL: usize = 9;
pub(super) const SPEC_VERSION: usize = 10;
pub(super) const RAW: usize = 11;

/// What every entry shows of its object, after the lane's own columns.
macro_rules! object_columns {
    () => {
        "h.source, h.id, h.modified, h.valid_until, h.spec_version"
    };
}

macro_rules! community_columns {
    () => {
        concat!(
            "SELECT e.seq, 0, e.community, e.date_added, e.stale, e.kind, ",
            object_columns!(),
            ", p.raw FROM events e JOIN heads h ON h.n = e.head LEFT JOIN payloads p ON p.n = h.n "
        )
    };
}

macro_rules! addressed_columns {
    () => {
        concat!(
            "SELECT a.seq, 1, a.position, a.date_added, a.stale, e.kind, ",
            object_columns!(),
            ", p.raw FROM addressed a JOIN events e ON e.seq = a.seq JOIN heads h ON h.n = e.head \
             LEFT JOIN payloads p ON p.n = h.n "
        )
    };
}

pub(super) const COMMUNITY_LANE: &str = concat!(
    community_columns!(),
    "WHERE e.community > ?1 ORDER BY e.community LIMIT ?2"
);
pub(super) const ADDRESSED_LANE: &str = concat!(
    addressed_columns!(),
    "WHERE a.partner = ?2 AND a.position > ?1 ORDER BY a.position LIMIT ?3"
);
pub(super) const COMMUNITY_RECENT: &str = concat!(
    community_columns!(),
    "WHERE e.community > 0 ORDER BY e.community DESC LIMIT ?1"
);
pub(super) const ADDRESSED_RECENT: &str = concat!(
    addressed_columns!(),
    "WHERE a.partner = ?1 ORDER BY a.position DESC LIMIT ?2"
);

/// A version that was erased is not live, and what it had replaced is not either. Driven by the index
/// on what is live: history is long, and most of it has expired. `CROSS JOIN`
/// keeps the order of tables as written.
macro_rules! live_of {
    ($columns:literal, $tables:literal, $lane:literal, $newer:literal) => {
        concat!(
            "SELECT ",
            $columns,
            ", e.kind, ",
            object_columns!(),
            ", p.raw FROM heads h CROSS JOIN events e ON e.head = h.n ",
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
    "e.seq, 0, e.community, e.date_added, e.stale",
    "",
    "e.community <= ?1",
    "WHERE f.community <= ?1"
);
pub(super) const ADDRESSED_LIVE: &str = live_of!(
    "a.seq, 1, a.position, a.date_added, a.stale",
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
            "SELECT w.seq, w.lane, w.position, w.date_added, w.stale, w.kind, ",
            object_columns!(),
            ", CASE WHEN ?5 <> '' AND instr(?5, ',' || h.kind || ',') = 0 THEN NULL WHEN CASE \
               WHEN ?6 THEN 1 \
               WHEN instr(?7, ',' || h.modified || ',') > 0 THEN 1 \
               WHEN CASE WHEN ?8 THEN CASE WHEN h.superseded THEN NOT ",
            other_version!(">"),
            " ELSE 1 END ELSE 0 END THEN 1 WHEN CASE WHEN ?9 THEN NOT ",
            other_version!("<"),
            " ELSE 0 END THEN 1 ELSE 0 END \
             THEN (SELECT p.raw FROM payloads p WHERE p.n = h.n) END \
             FROM (",
            $window,
            ") w JOIN heads h ON h.n = w.head ORDER BY w.seq"
        )
    };
}

pub(super) const PAGE: &str = page_of!(
    "SELECT * FROM (SELECT * FROM (SELECT seq, 0 AS lane, community AS position, date_added, \
                      stale, kind, head FROM events WHERE community > ?1 \
                      ORDER BY community LIMIT ?4) \
     UNION ALL SELECT * FROM (SELECT a.seq, 1, a.position, a.date_added, a.stale, e.kind, e.head \
                      FROM addressed a JOIN events e ON e.seq = a.seq \
                      WHERE a.partner = ?3 AND a.position > ?2 AND e.community IS NULL \
                      ORDER BY a.position LIMIT ?4)) \
     ORDER BY seq LIMIT ?4"
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
     ORDER BY seq LIMIT ?4"
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
