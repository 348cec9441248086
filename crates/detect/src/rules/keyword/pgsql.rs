//! PostgreSQL.

use packet::AppProto;
use packet::applayer::pgsql::{Exchange, Request};

use super::{Keyword, app};
use crate::rules::scene::{Buffer, Scene, Sides, Values};

pub(super) const KEYWORDS: &[Keyword] = &[Keyword::sticky(
    "pgsql.query",
    "The text of a simple query.",
    &QUERY,
)];

static QUERY: Buffer = app::buffer("pgsql.query", &[AppProto::Pgsql], Sides::Client, query);

fn query<'s>(scene: &Scene<'s>, values: &mut Values<'s>) {
    let request = scene
        .of::<Exchange>()
        .and_then(|exchange| exchange.request.as_ref());
    if let Some(Request::Query(text)) = request {
        values.push(text);
    }
}
