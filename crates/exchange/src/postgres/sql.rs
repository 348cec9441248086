//! The queries for entries. All yield entries as [`crate::rows`] reads them: one a row, or those of a page in
//! one row. Parameters are numbered per query.

use crate::rows::here_bytes_max;

/// An entry in one value: what its lane says, its head, and its payload `p`, if that is wanted. A UUID and
/// the `--` before it have 38 characters. What may be NULL is made empty, which `concat_ws` would pass over.
macro_rules! packed {
    ($lane:literal, $position:literal, $lanes:literal, $head:literal) => {
        packed!($lane, $position, $lanes, $head, here_bytes_max!())
    };
    ($lane:literal, $position:literal, $lanes:literal, $head:literal, $here:expr) => {
        concat!(
            "textsend(concat_ws(' ',",
            $head,
            ".seq,",
            $lane,
            ",",
            $position,
            ",",
            $lanes,
            ".date_added,",
            $lanes,
            ".stale::int,",
            $head,
            ".event,",
            $head,
            ".seq,",
            $head,
            ".modified,coalesce(",
            $head,
            ".valid_until::text,''),coalesce(octet_length(p.raw)::text,''),octet_length(",
            $head,
            ".source),octet_length(",
            $head,
            ".kind) + 38,coalesce(octet_length(",
            $head,
            ".spec_version)::text,''),CASE WHEN octet_length(p.raw) <= ",
            $here,
            " THEN octet_length(p.raw)::text ELSE '' END,concat(",
            $head,
            ".source,",
            $head,
            ".kind,'--',",
            $head,
            ".id,",
            $head,
            ".spec_version))) || CASE WHEN octet_length(p.raw) <= ",
            $here,
            " THEN p.raw ELSE ''::bytea END"
        )
    };
}

macro_rules! community_lane {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            packed!("0", "e.community", "e", "e"),
            " FROM events e LEFT JOIN payloads p ON p.seq = e.seq ",
            $rest
        )
    };
}

macro_rules! addressed_lane {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            packed!("1", "a.position", "a", "e"),
            " FROM addressed a JOIN events e ON e.seq = a.seq \
             LEFT JOIN payloads p ON p.seq = e.seq ",
            $rest
        )
    };
}

pub(super) const COMMUNITY_LANE: &str =
    community_lane!("WHERE e.community > $1 ORDER BY e.community LIMIT $2");
pub(super) const ADDRESSED_LANE: &str =
    addressed_lane!("WHERE a.partner = $2 AND a.position > $1 ORDER BY a.position LIMIT $3");
pub(super) const COMMUNITY_RECENT: &str =
    community_lane!("WHERE e.community > 0 ORDER BY e.community DESC LIMIT $1");
pub(super) const ADDRESSED_RECENT: &str =
    addressed_lane!("WHERE a.partner = $1 ORDER BY a.position DESC LIMIT $2");

/// What is live is read as a stream, from which nothing else is read meanwhile.
macro_rules! any_bytes {
    () => {
        "9223372036854775807"
    };
}

/// What is live; a version that was erased is not, and what it had replaced is not either. By the
/// indexes: of the community from the index on what is live, because history
/// is long and most of it has expired; of a partner from its lane, which is short.
macro_rules! live_where {
    ($lane:literal, $newer:literal) => {
        concat!(
            "WHERE e.kind = 'indicator' AND e.event = 0 \
             AND coalesce(e.valid_until, 9223372036854775807) > $2 AND ",
            $lane,
            " AND NOT (e.superseded AND EXISTS (SELECT 1 FROM events y WHERE y.id = e.id AND y.kind = e.kind \
               AND y.source = e.source AND y.event <> 4 AND y.modified > e.modified AND ",
            $newer,
            "))"
        )
    };
}

pub(super) const COMMUNITY_LIVE: &str = concat!(
    "SELECT ",
    packed!("0", "e.community", "e", "e", any_bytes!()),
    " FROM events e JOIN payloads p ON p.seq = e.seq ",
    live_where!("e.community <= $1", "y.community <= $1")
);
pub(super) const ADDRESSED_LIVE: &str = concat!(
    "SELECT ",
    packed!("1", "a.position", "a", "e", any_bytes!()),
    " FROM addressed a JOIN events e ON e.seq = a.seq \
      JOIN payloads p ON p.seq = e.seq ",
    live_where!(
        "a.partner = $3 AND a.position <= $1",
        "EXISTS (SELECT 1 FROM addressed b WHERE b.seq = y.seq AND b.partner = $3 \
           AND b.position <= $1)"
    )
);

/// Whether the reader may see another version of the same object, newer or older; one that was
/// erased is seen by nobody.
macro_rules! other_version {
    ($than:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM events y JOIN payloads q ON q.seq = y.seq \
               WHERE y.id = w.id AND y.kind = w.kind AND y.source = w.source \
               AND y.event <> 4 AND y.modified ",
            $than,
            " w.modified AND (y.community IS NOT NULL OR EXISTS \
               (SELECT 1 FROM addressed b WHERE b.seq = y.seq AND b.partner = $3)))"
        )
    };
}

/// A page over a window of candidates `w`: payloads only of what the filters admit. An event of
/// both lanes, a revocation, is shown where it stands in the community's.
macro_rules! page_of {
    ($window:expr) => {
        concat!(
            "SELECT string_agg(",
            packed!("w.lane", "w.position", "w", "w"),
            ", ''::bytea) FROM (",
            $window,
            " ORDER BY seq LIMIT $4) w LEFT JOIN payloads p ON p.seq = w.seq AND CASE \
               WHEN NOT coalesce(w.kind = ANY($5::text[]), true) THEN false \
               WHEN $6::boolean THEN true WHEN w.modified = ANY($7::bigint[]) THEN true \
               WHEN CASE WHEN $8::boolean THEN CASE WHEN w.superseded THEN NOT ",
            other_version!(">"),
            " ELSE true END ELSE false END THEN true WHEN CASE WHEN $9::boolean THEN NOT ",
            other_version!("<"),
            " ELSE false END THEN true ELSE false END"
        )
    };
}

/// What a window has of an event, after the lane's own columns.
macro_rules! event_columns {
    () => {
        "e.event, e.source, e.kind, e.id, e.modified, e.valid_until, e.spec_version, e.superseded"
    };
}

macro_rules! community_columns {
    () => {
        concat!(
            "SELECT e.seq, 0 AS lane, e.community AS position, e.date_added, e.stale, ",
            event_columns!()
        )
    };
}

macro_rules! addressed_columns {
    () => {
        concat!(
            "SELECT e.seq, 1 AS lane, a.position, a.date_added, a.stale, ",
            event_columns!()
        )
    };
}

pub(super) const PAGE: &str = page_of!(concat!(
    "(",
    community_columns!(),
    " FROM events e WHERE e.community > $1 ORDER BY e.community LIMIT $4) UNION ALL (",
    addressed_columns!(),
    " FROM addressed a JOIN events e ON e.seq = a.seq \
      WHERE a.partner = $3 AND a.position > $2 AND e.community IS NULL \
      ORDER BY a.position LIMIT $4)"
));
pub(super) const PAGE_OF_IDS: &str = page_of!(concat!(
    "(",
    community_columns!(),
    " FROM unnest($10::uuid[], $11::text[]) AS i (id, kind) \
      JOIN events e ON e.id = i.id AND e.kind = i.kind AND e.event <> 4 \
      WHERE e.community > $1) UNION ALL (",
    addressed_columns!(),
    " FROM unnest($10::uuid[], $11::text[]) AS i (id, kind) \
      JOIN events e ON e.id = i.id AND e.kind = i.kind AND e.event <> 4 \
      JOIN addressed a ON a.seq = e.seq \
      WHERE a.partner = $3 AND a.position > $2 AND e.community IS NULL)"
));

/// What stands at some positions of a lane, by the same rules.
pub(super) const COMMUNITY_AT: &str = page_of!(concat!(
    "SELECT * FROM (",
    community_columns!(),
    " FROM unnest($10::bigint[]) AS i (position) JOIN events e ON e.community = i.position \
      WHERE $1::bigint >= 0 AND $2::bigint >= 0) c"
));
pub(super) const ADDRESSED_AT: &str = page_of!(concat!(
    "SELECT * FROM (",
    addressed_columns!(),
    " FROM unnest($10::bigint[]) AS i (position) \
      JOIN addressed a ON a.partner = $3 AND a.position = i.position \
      JOIN events e ON e.seq = a.seq \
      WHERE $1::bigint >= 0 AND $2::bigint >= 0 AND e.community IS NULL) c"
));

/// One object.
pub(super) const PAYLOAD: &str = "SELECT raw FROM payloads WHERE seq = $1";
