//! SMTP: what commands and mails say.

use packet::AppProto;
use packet::applayer::smtp::{Email, Mail};

use super::Keyword;
use super::app::{self, Get};
use crate::rules::scene::{Buffer, Scene, Sides, Values};

pub(super) const KEYWORDS: &[Keyword] = &[
    Keyword::sticky("smtp.helo", "The client's name for itself.", &HELO),
    Keyword::sticky("smtp.mail_from", "The sender, of MAIL FROM.", &MAIL_FROM),
    Keyword::sticky("smtp.rcpt_to", "A recipient, of RCPT TO.", &RCPT_TO),
    Keyword::sticky("email.from", "The header From of a mail.", &FROM),
    Keyword::sticky("email.to", "The header To of a mail.", &TO),
    Keyword::sticky("email.cc", "The header Cc of a mail.", &CC),
    Keyword::sticky("email.subject", "The header Subject of a mail.", &SUBJECT),
    Keyword::sticky("email.date", "The header Date of a mail.", &DATE),
    Keyword::sticky(
        "email.message_id",
        "The header Message-Id of a mail.",
        &MESSAGE_ID,
    ),
    Keyword::sticky(
        "email.x_mailer",
        "The header X-Mailer of a mail.",
        &X_MAILER,
    ),
    Keyword::sticky("email.received", "A header Received of a mail.", &RECEIVED),
    Keyword::sticky("email.url", "A URL in the texts of a mail.", &URL),
];

/// All are told as they come, while the mail is under way.
const fn buffer(name: &'static str, get: Get) -> Buffer {
    app::buffer(name, &[AppProto::Smtp], Sides::Client, get).in_head()
}

static HELO: Buffer = buffer("smtp.helo", |scene, values| {
    values.maybe(mail(scene).and_then(|mail| mail.helo.as_deref()));
});

static MAIL_FROM: Buffer = buffer("smtp.mail_from", |scene, values| {
    values.maybe(mail(scene).and_then(|mail| mail.mail_from.as_deref()));
});

static RCPT_TO: Buffer = buffer("smtp.rcpt_to", |scene, values| {
    let recipients = mail(scene).into_iter().flat_map(|mail| &mail.rcpt_to);
    recipients.for_each(|recipient| values.push(recipient));
})
.multiple();

static FROM: Buffer = buffer("email.from", |scene, values| header(scene, values, "from"));
static TO: Buffer = buffer("email.to", |scene, values| header(scene, values, "to"));
static CC: Buffer = buffer("email.cc", |scene, values| header(scene, values, "cc"));
static SUBJECT: Buffer = buffer("email.subject", |scene, values| {
    header(scene, values, "subject")
});
static DATE: Buffer = buffer("email.date", |scene, values| header(scene, values, "date"));
static MESSAGE_ID: Buffer = buffer("email.message_id", |scene, values| {
    header(scene, values, "message-id");
});
static X_MAILER: Buffer = buffer("email.x_mailer", |scene, values| {
    header(scene, values, "x-mailer");
});

static RECEIVED: Buffer = buffer("email.received", |scene, values| {
    let headers = email(scene)
        .into_iter()
        .flat_map(|email| email.headers("received"));
    headers.for_each(|value| values.push(value));
})
.multiple();

static URL: Buffer = buffer("email.url", |scene, values| {
    let urls = email(scene).into_iter().flat_map(|email| &email.urls);
    urls.for_each(|url| values.push(url));
})
.multiple();

fn mail<'s>(scene: &Scene<'s>) -> Option<&'s Mail> {
    scene.of()
}

fn email<'s>(scene: &Scene<'s>) -> Option<&'s Email> {
    mail(scene)?.email.as_ref()
}

fn header<'s>(scene: &Scene<'s>, values: &mut Values<'s>, name: &str) {
    values.maybe(email(scene).and_then(|email| email.header(name)));
}
