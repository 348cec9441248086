//! X.509 certificates (RFC 5280): as much as is logged and matched.

use sha1::{Digest, Sha1};

use super::der::{self, Der};
use super::name;

/// Most alternative names kept of a certificate.
pub const NAMES_MAX: usize = 512;

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is: `C=US, O=Example, CN=www.example.com`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Serial number: `00:C7:D4`, upper-case hexadecimal.
    pub serial: String,
    /// Not valid before.
    pub not_before: Time,
    /// Not valid after.
    pub not_after: Time,
    /// Subject alternative names.
    pub alternative_names: Vec<String>,
    /// SHA-1 of the whole certificate: `8f:51:12`, lower-case hexadecimal.
    pub fingerprint: String,
}

/// A date with a time, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// The name of the anomaly.
    pub(crate) fn parse(data: &[u8]) -> Result<Self, &'static str> {
        let whole = "CERTIFICATE_INVALID_DER";
        let mut outer = Der::new(data);
        let mut certificate = outer.sequence().ok_or(whole)?;
        let mut body = certificate.sequence().ok_or(whole)?;
        body.optional(der::context(0))
            .ok_or("CERTIFICATE_INVALID_VERSION")?;
        let serial = body
            .expect(der::INTEGER)
            .ok_or("CERTIFICATE_INVALID_SERIAL")?;
        body.sequence()
            .ok_or("CERTIFICATE_INVALID_ALGORITHMIDENTIFIER")?;
        let issuer = body.sequence().and_then(name::text);
        let issuer = issuer.ok_or("CERTIFICATE_INVALID_ISSUER")?;
        let mut validity = body.sequence().ok_or("CERTIFICATE_INVALID_VALIDITY")?;
        let date = "CERTIFICATE_INVALID_DATE";
        let not_before = time(&mut validity).ok_or(date)?;
        let not_after = time(&mut validity).ok_or(date)?;
        let subject = body.sequence().and_then(name::text);
        let subject = subject.ok_or("CERTIFICATE_INVALID_SUBJECT")?;
        body.sequence().ok_or(whole)?;
        let alternative_names = alternative_names(&mut body).unwrap_or_default();
        Ok(Self {
            subject,
            issuer,
            serial: pairs(serial).to_ascii_uppercase(),
            not_before,
            not_after,
            alternative_names,
            fingerprint: pairs(&Sha1::digest(data)),
        })
    }

    /// Whether a time, seconds since the Unix epoch, is within its validity.
    #[must_use]
    pub fn is_valid_at(&self, unix_s: i64) -> bool {
        (self.not_before.unix_s()..=self.not_after.unix_s()).contains(&unix_s)
    }
}

impl Time {
    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn unix_s(self) -> i64 {
        // days from civil: years that begin in March put the leap day last
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let year = if month <= 2 {
            year.saturating_sub(1)
        } else {
            year
        };
        let month = if month > 2 {
            month.saturating_sub(3)
        } else {
            month.saturating_add(9)
        };
        let of_year = month.saturating_mul(153).saturating_add(2) / 5;
        let days = year
            .saturating_mul(365)
            .saturating_add(year.div_euclid(4))
            .saturating_sub(year.div_euclid(100))
            .saturating_add(year.div_euclid(400))
            .saturating_add(of_year)
            .saturating_add(i64::from(self.day))
            .saturating_sub(719_469);
        let hours = days.saturating_mul(24).saturating_add(self.hour.into());
        let minutes = hours.saturating_mul(60).saturating_add(self.minute.into());
        minutes
            .saturating_mul(60)
            .saturating_add(self.second.into())
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

/// UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5); a missing zone counts as UTC.
fn time(der: &mut Der<'_>) -> Option<Time> {
    let (tag, text) = der.next()?;
    let (year, rest) = match tag {
        der::UTC_TIME => {
            let year = u16::from(two(text, 0)?);
            let century = if year < 50 { 2000 } else { 1900 };
            (year.checked_add(century)?, text.get(2..)?)
        }
        der::GENERALIZED_TIME => {
            let (high, low) = (two(text, 0)?, two(text, 2)?);
            let year = u16::from(high).checked_mul(100)?.checked_add(low.into())?;
            (year, text.get(4..)?)
        }
        _ => return None,
    };
    let time = Time {
        year,
        month: two(rest, 0)?,
        day: two(rest, 2)?,
        hour: two(rest, 4)?,
        minute: two(rest, 6)?,
        second: two(rest, 8).unwrap_or(0),
    };
    let sound = (1..=12).contains(&time.month) && (1..=31).contains(&time.day) && time.hour < 24;
    (sound && time.minute < 60 && time.second <= 60).then_some(time)
}

/// Two decimal digits.
fn two(text: &[u8], at: usize) -> Option<u8> {
    let &[high, low] = text.get(at..)?.first_chunk()?;
    let digit = |byte: u8| byte.is_ascii_digit().then_some(byte & 0x0f);
    digit(high)?.checked_mul(10)?.checked_add(digit(low)?)
}

/// The names of the extension 2.5.29.17 (RFC 5280 section 4.2.1.6).
fn alternative_names(body: &mut Der<'_>) -> Option<Vec<String>> {
    const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    let extensions = loop {
        let (tag, content) = body.next()?;
        if tag == der::context(3) {
            break content;
        }
    };
    let mut extensions = Der::new(extensions).sequence()?;
    while let Some(mut extension) = extensions.sequence() {
        let oid = extension.expect(der::OID)?;
        extension.optional(der::BOOLEAN)?;
        let value = extension.expect(der::OCTETS)?;
        if oid == SUBJECT_ALT_NAME {
            let mut names = Der::new(value).sequence()?;
            let mut list = Vec::new();
            while let Some((tag, content)) = names.next()
                && list.len() < NAMES_MAX
            {
                list.extend(general_name(tag, content));
            }
            return Some(list);
        }
    }
    None
}

/// A name as it is logged; names of other kinds are left out.
fn general_name(tag: u8, content: &[u8]) -> Option<String> {
    let text = || String::from_utf8_lossy(content).into_owned();
    Some(match tag & 0x1f {
        1 => format!("RFC822Name({})", text()),
        2 | 6 => text(),
        3 => "X400Address(<unparsed>)".to_owned(),
        4 => {
            let name = Der::new(content).sequence().and_then(name::text);
            format!("DirectoryName({})", name.unwrap_or_default())
        }
        5 => "EDIPartyName(<unparsed>)".to_owned(),
        7 => format!("{content:?}"),
        8 => format!("RegisteredID({})", der::oid_text(content)),
        _ => return None,
    })
}

/// Bytes as pairs of hexadecimal digits with colons between.
fn pairs(bytes: &[u8]) -> String {
    let pairs = bytes.iter().map(|byte| format!("{byte:02x}"));
    pairs.collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests;
