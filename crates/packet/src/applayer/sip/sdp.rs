//! Session descriptions (SDP, RFC 8866 section 5): read line by line, in whatever order.

use super::message::split_line;

/// Most lines read of a description.
pub const LINES_MAX: usize = 1024;

/// A description of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sdp {
    /// `o=`
    pub origin: Option<Vec<u8>>,
    /// `s=`
    pub session_name: Option<Vec<u8>>,
    /// `u=`
    pub uri: Option<Vec<u8>>,
    /// `e=`
    pub email: Option<Vec<u8>>,
    /// `p=`
    pub phone_number: Option<Vec<u8>>,
    /// `t=` with the `r=` behind it.
    pub times: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// `z=`
    pub timezone: Option<Vec<u8>>,
    /// What stands before the first medium and can stand in each.
    pub session: Media,
    /// The media.
    pub media: Vec<Media>,
}

/// A medium.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Media {
    /// `m=`; empty for the session.
    pub media: Vec<u8>,
    /// `i=`
    pub info: Option<Vec<u8>>,
    /// `b=`
    pub bandwidths: Vec<Vec<u8>>,
    /// `c=`
    pub connection_data: Option<Vec<u8>>,
    /// `k=`
    pub encryption_key: Option<Vec<u8>>,
    /// `a=`
    pub attributes: Vec<Vec<u8>>,
}

impl Sdp {
    /// Reads a description; `None` where there is none.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut rest = body.strip_prefix(b"v=0")?;
        let mut sdp = Self::default();
        for _ in 0..LINES_MAX {
            let (line, behind) = split_line(rest).unwrap_or((rest, &[]));
            if let [kind, b'=', value @ ..] = line {
                sdp.line(*kind, value);
            }
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        Some(sdp)
    }

    fn line(&mut self, kind: u8, value: &[u8]) {
        let text = || Some(value.to_vec());
        match kind {
            b'o' => self.origin = text(),
            b's' => self.session_name = text(),
            b'u' => self.uri = text(),
            b'e' => self.email = text(),
            b'p' => self.phone_number = text(),
            b't' => self.times.push((value.to_vec(), None)),
            b'r' => {
                if let Some((_, repeat)) = self.times.last_mut() {
                    *repeat = text();
                }
            }
            b'z' => self.timezone = text(),
            b'm' => self.media.push(Media {
                media: value.to_vec(),
                ..Media::default()
            }),
            kind => self
                .media
                .last_mut()
                .unwrap_or(&mut self.session)
                .line(kind, value),
        }
    }
}

impl Media {
    fn line(&mut self, kind: u8, value: &[u8]) {
        let value = value.to_vec();
        match kind {
            b'i' => self.info = Some(value),
            b'b' => self.bandwidths.push(value),
            b'c' => self.connection_data = self.connection_data.take().or(Some(value)),
            b'k' => self.encryption_key = Some(value),
            b'a' => self.attributes.push(value),
            _ => {}
        }
    }
}
