//! The mutations, one line each.

use super::carriage::{self, Filler, Side};
use super::request::{Place, Spelling};
use super::text::Dialect::{self, Markup, Path, Prose, Shell, Sql, Template};
use super::{LAYERS_MAX, Layer, Web, script, sql};
use crate::{Chance, Mutation, Sample};

/// Another text with the same meaning in its language.
#[derive(Debug)]
struct Text {
    name: &'static str,
    holds_in: &'static str,
    dialects: &'static [Dialect],
    change: fn(&[u8], &mut Chance) -> Vec<u8>,
    /// One form for all texts of the same meaning.
    normal: fn(&[u8]) -> Vec<u8>,
}

/// An encoding that the application undoes, so many times.
#[derive(Debug)]
struct Wrap {
    name: &'static str,
    holds_in: &'static str,
    layer: fn(&mut Chance) -> Layer,
    times: usize,
}

/// Another way to write the value in its place.
#[derive(Debug)]
struct Spell {
    name: &'static str,
    holds_in: &'static str,
    spelling: Spelling,
}

/// Another place, company or padding.
#[derive(Debug)]
struct Carry {
    name: &'static str,
    holds_in: &'static str,
    change: fn(&Web, &mut Chance) -> Option<Web>,
}

/// Every byte escaped, and escaped again beneath, so many times.
#[derive(Debug)]
struct Escape(&'static str, usize);

/// Applies a change to a web sample, where what comes of it can be written.
fn web(sample: &Sample, change: impl FnOnce(&Web) -> Option<Web>) -> Option<Sample> {
    let Sample::Web(before) = sample else {
        return None;
    };
    let after = change(before)?;
    (after != **before && after.wire().is_some()).then(|| Sample::Web(Box::new(after)))
}

/// Compares two web samples; each must be readable.
fn both(before: &Sample, after: &Sample, same: impl FnOnce(&Web, &Web) -> bool) -> bool {
    match (before, after) {
        (Sample::Web(before), Sample::Web(after)) => after.reads_back() && same(before, after),
        _ => false,
    }
}

impl Mutation for Text {
    fn name(&self) -> &'static str {
        self.name
    }

    fn holds_in(&self) -> &'static str {
        self.holds_in
    }

    fn apply(&self, sample: &Sample, _: &[Sample], chance: &mut Chance) -> Option<Sample> {
        web(sample, |web| {
            let fits = web.dialect == Prose || self.dialects.contains(&web.dialect);
            fits.then(|| Web {
                text: (self.change)(&web.text, chance),
                ..web.clone()
            })
        })
    }

    fn same(&self, before: &Sample, after: &Sample) -> bool {
        both(before, after, |before, after| {
            let rest = Web {
                text: before.text.clone(),
                ..after.clone()
            };
            (self.normal)(&before.text) == (self.normal)(&after.text) && rest == *before
        })
    }
}

impl Mutation for Wrap {
    fn name(&self) -> &'static str {
        self.name
    }

    fn holds_in(&self) -> &'static str {
        self.holds_in
    }

    fn apply(&self, sample: &Sample, _: &[Sample], chance: &mut Chance) -> Option<Sample> {
        web(sample, |web| {
            let mut wrapped = web.clone();
            for _ in 0..self.times {
                wrapped.layers.push((self.layer)(chance));
            }
            (wrapped.layers.len() <= LAYERS_MAX).then_some(wrapped)
        })
    }

    fn same(&self, before: &Sample, after: &Sample) -> bool {
        both(before, after, |before, after| before.text == after.text)
    }
}

impl Mutation for Spell {
    fn name(&self) -> &'static str {
        self.name
    }

    fn holds_in(&self) -> &'static str {
        self.holds_in
    }

    fn apply(&self, sample: &Sample, _: &[Sample], _: &mut Chance) -> Option<Sample> {
        web(sample, |web| {
            Some(Web {
                spelling: self.spelling,
                ..web.clone()
            })
        })
    }

    fn same(&self, before: &Sample, after: &Sample) -> bool {
        both(before, after, |before, after| before.text == after.text)
    }
}

impl Mutation for Escape {
    fn name(&self) -> &'static str {
        self.0
    }

    fn holds_in(&self) -> &'static str {
        "an application that decodes as often"
    }

    fn apply(&self, sample: &Sample, _: &[Sample], _: &mut Chance) -> Option<Sample> {
        web(sample, |web| {
            let mut escaped = web.clone();
            escaped.spelling = Spelling::Full;
            for _ in 1..self.1 {
                escaped.layers.push(Layer::Percent);
            }
            (escaped.layers.len() <= LAYERS_MAX).then_some(escaped)
        })
    }

    fn same(&self, before: &Sample, after: &Sample) -> bool {
        both(before, after, |before, after| before.text == after.text)
    }
}

impl Mutation for Carry {
    fn name(&self) -> &'static str {
        self.name
    }

    fn holds_in(&self) -> &'static str {
        self.holds_in
    }

    fn apply(&self, sample: &Sample, _: &[Sample], chance: &mut Chance) -> Option<Sample> {
        web(sample, |web| (self.change)(web, chance))
    }

    fn same(&self, before: &Sample, after: &Sample) -> bool {
        both(before, after, |before, after| {
            // padding leaves the text whole inside; the rest of the request may only grow
            super::request::contains(&after.text, &before.text)
                && before.layers == after.layers
                && (before.place != after.place || carriage::kept(&before.frame, &after.frame))
        })
    }
}

const SQL: &str = "SQL";
const MYSQL: &str = "MySQL";
const HTML: &str = "HTML";
const SCRIPT: &str = "JavaScript";
const SHELL: &str = "POSIX shells";
const FILES: &str = "file systems";
const ANY: &str = "an application that reads this place";
const PADDED: &str = "strings, comments and text around markup";
const BESIDE: &str = "any request";

const fn space(
    name: &'static str,
    holds_in: &'static str,
    change: fn(&[u8], &mut Chance) -> Vec<u8>,
) -> Text {
    Text {
        name,
        holds_in,
        dialects: &[Sql],
        change,
        normal: sql::unspaced,
    }
}

const fn wrap(name: &'static str, holds_in: &'static str, layer: fn(&mut Chance) -> Layer) -> Wrap {
    Wrap {
        name,
        holds_in,
        layer,
        times: 1,
    }
}

const fn carry(
    name: &'static str,
    holds_in: &'static str,
    change: fn(&Web, &mut Chance) -> Option<Web>,
) -> Carry {
    Carry {
        name,
        holds_in,
        change,
    }
}

/// A line for each side and size of padding.
macro_rules! pad {
    ($name:literal, $side:ident, $bytes:expr, $filler:ident) => {
        &carry(
            $name,
            if matches!(Side::$side, Side::Beside) {
                BESIDE
            } else {
                PADDED
            },
            |web, chance| carriage::pad(web, Side::$side, $bytes, Filler::$filler, chance),
        )
    };
}

pub(crate) static TABLE: &[&dyn Mutation] = &[
    &Text {
        name: "case_random",
        holds_in: SQL,
        dialects: &[Sql],
        change: sql::case,
        normal: sql::lower,
    },
    &Text {
        name: "case_markup",
        holds_in: HTML,
        dialects: &[Markup],
        change: script::names,
        normal: sql::lower,
    },
    &space("space_comment", SQL, |text, _| sql::spaced(text, b"/**/")),
    &space("space_comment_word", SQL, |text, _| {
        sql::spaced(text, b"/*xyz*/")
    }),
    &space("space_tab", SQL, |text, _| sql::spaced(text, b"\t")),
    &space("space_newline", SQL, |text, _| sql::spaced(text, b"\n")),
    &space("space_vertical_tab", MYSQL, |text, _| {
        sql::spaced(text, b"\x0b")
    }),
    &space("space_form_feed", SQL, |text, _| sql::spaced(text, b"\x0c")),
    &space("space_a0", MYSQL, |text, _| sql::spaced(text, b"\xa0")),
    &Text {
        name: "space_markup_slash",
        holds_in: HTML,
        dialects: &[Markup],
        change: |text, _| script::tag_space(text, b"/"),
        normal: script::tag_spaced,
    },
    &Text {
        name: "space_markup_feed",
        holds_in: HTML,
        dialects: &[Markup],
        change: |text, _| script::tag_space(text, b"\x0c"),
        normal: script::tag_spaced,
    },
    &Text {
        name: "space_shell_ifs",
        holds_in: SHELL,
        dialects: &[Shell],
        change: script::ifs,
        normal: script::unifs,
    },
    &Spell {
        name: "space_plus",
        holds_in: "queries and forms",
        spelling: Spelling::Plus,
    },
    &Escape("url_encode_1", 1),
    &Escape("url_encode_2", 2),
    &Escape("url_encode_3", 3),
    &Escape("url_encode_4", 4),
    &Escape("url_encode_5", 5),
    &Spell {
        name: "percent_u",
        holds_in: "IIS",
        spelling: Spelling::Unicode,
    },
    &wrap("entity_decimal", "an application that decodes HTML", |_| {
        Layer::EntityDecimal
    }),
    &wrap("entity_hex", "an application that decodes HTML", |_| {
        Layer::EntityHex
    }),
    &wrap(
        "fullwidth",
        "an application that normalises Unicode (NFKC)",
        |chance| Layer::FullWidth(chance.next()),
    ),
    &wrap("homoglyph", "Windows code page 1252, best fit", |_| {
        Layer::BestFit
    }),
    &wrap(
        "overlong_utf8",
        "decoders that do not follow RFC 3629",
        |_| Layer::Overlong,
    ),
    &wrap(
        "null_byte",
        "an application that drops zero bytes",
        |chance| Layer::Nulls(chance.next()),
    ),
    &wrap("base64", "an application that decodes Base64", |_| {
        Layer::Base64
    }),
    &wrap("base64_token", "an application that decodes tokens", |_| {
        Layer::Token
    }),
    &wrap(
        "base64_json",
        "an application that decodes Base64 and JSON",
        |_| Layer::Base64Json,
    ),
    &Text {
        name: "split_sql",
        holds_in: SQL,
        dialects: &[Sql],
        change: sql::split,
        normal: sql::joined,
    },
    &Text {
        name: "hex_sql",
        holds_in: MYSQL,
        dialects: &[Sql],
        change: sql::hexadecimal,
        normal: sql::unhexadecimal,
    },
    &Text {
        name: "split_script",
        holds_in: SCRIPT,
        dialects: &[Markup],
        change: script::bracket,
        normal: script::unbracket,
    },
    &Text {
        name: "escape_script",
        holds_in: SCRIPT,
        dialects: &[Markup],
        change: script::escape,
        normal: script::unescape,
    },
    &Text {
        name: "split_shell",
        holds_in: SHELL,
        dialects: &[Shell],
        change: script::joints,
        normal: script::unjoint,
    },
    &Text {
        name: "path_dots",
        holds_in: FILES,
        dialects: &[Path, Shell],
        change: script::dots,
        normal: script::undots,
    },
    &Text {
        name: "lookup_letters",
        holds_in: "Log4j 2",
        dialects: &[Template],
        change: script::lookup,
        normal: script::looked_up,
    },
    &Text {
        name: "number_rewrite",
        holds_in: SQL,
        dialects: &[Sql],
        change: sql::numbers,
        normal: sql::counted,
    },
    &Text {
        name: "operator_swap",
        holds_in: MYSQL,
        dialects: &[Sql],
        change: sql::operators,
        normal: sql::operated,
    },
    &Text {
        name: "tautology_shuffle",
        holds_in: SQL,
        dialects: &[Sql],
        change: sql::tautologies,
        normal: sql::judged,
    },
    &Text {
        name: "comment_tail",
        holds_in: MYSQL,
        dialects: &[Sql],
        change: sql::tail,
        normal: sql::untailed,
    },
    &carry(
        "parameter_pollution",
        "PHP, Rails: the last one counts",
        carriage::pollute,
    ),
    &carry("parameter_flood", BESIDE, carriage::flood),
    &carry("place_query", ANY, |web, _| {
        carriage::place(web, Place::Query)
    }),
    &carry("place_form", ANY, |web, _| {
        carriage::place(web, Place::Form)
    }),
    &carry("place_json", ANY, |web, _| {
        carriage::place(web, Place::Json)
    }),
    &carry("place_json_deep", ANY, |web, _| carriage::deep(web)),
    &carry("place_multipart", ANY, |web, _| {
        carriage::place(web, Place::Multipart)
    }),
    &carry("place_header", ANY, |web, _| {
        carriage::place(web, Place::Header)
    }),
    &carry("place_cookie", ANY, |web, _| {
        carriage::place(web, Place::Cookie)
    }),
    &carry("place_path", ANY, |web, _| {
        carriage::place(web, Place::Path)
    }),
    pad!("pad_before_700", Before, 700, Words),
    pad!("pad_before_4k", Before, 4 << 10, Words),
    pad!("pad_before_64k", Before, 64 << 10, Words),
    pad!("pad_before_128k", Before, 128 << 10, Words),
    pad!("pad_after_700", After, 700, Words),
    pad!("pad_after_4k", After, 4 << 10, Words),
    pad!("pad_after_64k", After, 64 << 10, Words),
    pad!("pad_after_128k", After, 128 << 10, Words),
    pad!("pad_both_700", Both, 700, Words),
    pad!("pad_both_4k", Both, 4 << 10, Words),
    pad!("pad_both_64k", Both, 64 << 10, Words),
    pad!("pad_both_128k", Both, 128 << 10, Words),
    pad!("pad_signs_before_4k", Before, 4 << 10, Signs),
    pad!("pad_signs_both_4k", Both, 4 << 10, Signs),
    pad!("pad_beside_4k", Beside, 4 << 10, Words),
    pad!("pad_beside_64k", Beside, 64 << 10, Words),
];
