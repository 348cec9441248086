//! A DNS message (RFC 1035 section 4).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::name::Name;
use crate::applayer::Field;
use crate::bytes::{Cursor, len32};

/// Most questions, and most records of each section, that are read of one message; more set
/// `truncated`.
pub const RECORDS_MAX: usize = 128;

/// Query or answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A query.
    Query,
    /// An answer.
    Answer,
}

/// A DNS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Time of its first packet, nanoseconds since the Unix epoch.
    pub first_ts_ns: u64,
    /// Number of the transaction within its flow.
    pub tx_id: u32,
    /// Query or answer.
    pub kind: Kind,
    /// Identifier.
    pub id: u16,
    /// The 16 bits of flags as sent.
    pub flags: u16,
    /// Questions.
    pub questions: Vec<Question>,
    /// Answer section.
    pub answers: Vec<Record>,
    /// Authority section.
    pub authorities: Vec<Record>,
    /// Additional section.
    pub additionals: Vec<Record>,
    /// Set when records are missing here: the message was damaged or had more than [`RECORDS_MAX`].
    pub truncated: bool,
    /// It is multicast DNS (RFC 6762).
    pub multicast: bool,
    /// The section that could not be read, by its number from 0, the questions; what is behind it
    /// is not read either.
    pub(super) broken: Option<usize>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The name asked for.
    pub name: Name,
    /// Type (IANA number).
    pub qtype: u16,
    /// Class.
    pub qclass: u16,
}

/// A resource record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is.
    pub name: Name,
    /// Type (IANA number).
    pub rtype: u16,
    /// Class.
    pub class: u16,
    /// Time to live, seconds.
    pub ttl: u32,
    /// Content.
    pub data: RData,
}

/// Content of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the record types of RFC 1035, RFC 2782 and RFC 3596"
)]
pub enum RData {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(Name),
    Mx {
        preference: u16,
        exchange: Name,
    },
    Ns(Name),
    Ptr(Name),
    Soa {
        mname: Name,
        rname: Name,
        serial: u32,
        refresh: u32,
        retry: u32,
        expire: u32,
        minimum: u32,
    },
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: Name,
    },
    Txt(Vec<Box<[u8]>>),
    /// Any other type, and damaged content, as sent.
    Other(Box<[u8]>),
}

impl Message {
    /// Operation code.
    #[must_use]
    pub fn opcode(&self) -> u8 {
        nibble(self.flags >> 11)
    }

    /// Response code of the header.
    #[must_use]
    pub fn rcode(&self) -> u8 {
        nibble(self.flags)
    }

    /// The name of the first question, and where it stands.
    #[must_use]
    pub fn query(&self) -> Option<Field<'_>> {
        self.questions.first().map(|question| question.name.field())
    }

    /// Every name of its questions and records' owners.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        let asked = self.questions.iter().map(|question| &question.name);
        let sections = [&self.answers, &self.authorities, &self.additionals];
        let owners = sections.into_iter().flatten().map(|record| &record.name);
        asked.chain(owners)
    }

    /// Reads a message; `None` when the header is not whole.
    pub(super) fn parse(data: &[u8], first_ts_ns: u64) -> Option<Self> {
        let mut reader = Reader {
            cursor: Cursor::new(data),
            message: data,
        };
        let id = reader.cursor.u16()?;
        let flags = reader.cursor.u16()?;
        let counts = [(); 4].map(|()| reader.cursor.u16());
        let [questions, answers, authorities, additionals] = counts;
        additionals?;
        let mut message = Self {
            first_ts_ns,
            tx_id: 0,
            kind: if flags & 0x8000 == 0 {
                Kind::Query
            } else {
                Kind::Answer
            },
            id,
            flags,
            questions: Vec::new(),
            answers: Vec::new(),
            authorities: Vec::new(),
            additionals: Vec::new(),
            truncated: false,
            multicast: false,
            broken: None,
        };
        let sections = [answers?, authorities?, additionals?];
        message.truncated = message.read(&mut reader, questions?, sections).is_none();
        Some(message)
    }

    /// Reads the sections; `None` at the first damage: what came before is kept.
    fn read(&mut self, reader: &mut Reader<'_>, questions: u16, sections: [u16; 3]) -> Option<()> {
        self.broken = Some(0);
        for _ in 0..bounded(questions)? {
            self.questions.push(reader.question()?);
        }
        let lists = [
            &mut self.answers,
            &mut self.authorities,
            &mut self.additionals,
        ];
        for ((section, list), count) in (1..).zip(lists).zip(sections) {
            self.broken = Some(section);
            for _ in 0..usize::from(count) {
                if list.len() >= RECORDS_MAX {
                    return None;
                }
                list.push(reader.record()?);
            }
        }
        self.broken = None;
        Some(())
    }
}

/// A message that another protocol carries; `None` when it is none or not whole.
pub(in crate::applayer) fn carried(data: &[u8], first_ts_ns: u64) -> Option<Message> {
    Message::parse(data, first_ts_ns).filter(|message| !message.truncated)
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    message: &'a [u8],
}

impl<'a> Reader<'a> {
    fn question(&mut self) -> Option<Question> {
        Some(Question {
            name: self.name()?,
            qtype: self.cursor.u16()?,
            qclass: self.cursor.u16()?,
        })
    }

    fn record(&mut self) -> Option<Record> {
        let name = self.name()?;
        let (rtype, class) = (self.cursor.u16()?, self.cursor.u16()?);
        let ttl = self.cursor.u32()?;
        let data = self.cursor.vec16()?;
        let start = self.cursor.position().checked_sub(data.len())?;
        let data = match self.rdata(rtype, data, start) {
            Some(data) => data,
            None if is_damaged(rtype, data) => return None,
            None => RData::Other(data.into()),
        };
        Some(Record {
            name,
            rtype,
            class,
            ttl,
            data,
        })
    }

    fn name(&mut self) -> Option<Name> {
        let (name, used) = Name::read(self.message, self.cursor.position())?;
        self.cursor.take(used)?;
        Some(name)
    }

    /// Content of a record whose data begins at `start` of the message; `None` when it is damaged.
    fn rdata(&self, rtype: u16, data: &'a [u8], start: usize) -> Option<RData> {
        let mut cursor = Cursor::new(data);
        // a name that goes beyond the record is none of its
        let name_at = |offset: usize| {
            let (name, used) = Name::read(self.message, start.checked_add(offset)?)?;
            let end = offset.checked_add(used)?;
            (end <= data.len()).then_some((name, used))
        };
        Some(match rtype {
            1 => RData::A(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?)),
            2 => RData::Ns(name_at(0)?.0),
            5 => RData::Cname(name_at(0)?.0),
            6 => {
                let (mname, used) = name_at(0)?;
                let (rname, more) = name_at(used)?;
                cursor.take(used.checked_add(more)?)?;
                RData::Soa {
                    mname,
                    rname,
                    serial: cursor.u32()?,
                    refresh: cursor.u32()?,
                    retry: cursor.u32()?,
                    expire: cursor.u32()?,
                    minimum: cursor.u32()?,
                }
            }
            12 => RData::Ptr(name_at(0)?.0),
            15 => RData::Mx {
                preference: cursor.u16()?,
                exchange: name_at(2)?.0,
            },
            16 => RData::Txt(texts(cursor)?),
            28 => RData::Aaaa(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?)),
            33 => RData::Srv {
                priority: cursor.u16()?,
                weight: cursor.u16()?,
                port: cursor.u16()?,
                target: name_at(6)?.0,
            },
            _ => return None,
        })
    }
}

/// Content of these types that cannot be read makes the message unreadable from there on; of others
/// it is kept as sent, as is no content at all (RFC 2136 section 2.5).
fn is_damaged(rtype: u16, data: &[u8]) -> bool {
    const SSHFP: u16 = 44;
    match rtype {
        2 | 5 | 6 | 12 | 15 | 33 => !data.is_empty(),
        SSHFP => data.len() < 2,
        _ => false,
    }
}

fn texts(mut cursor: Cursor<'_>) -> Option<Vec<Box<[u8]>>> {
    let mut texts = Vec::new();
    while !cursor.is_empty() {
        texts.push(cursor.vec8()?.into());
    }
    Some(texts)
}

fn bounded(count: u16) -> Option<usize> {
    Some(usize::from(count)).filter(|count| *count <= RECORDS_MAX)
}

fn nibble(bits: u16) -> u8 {
    u8::try_from(bits & 0x0f).unwrap_or(0)
}

/// Offset of a byte of a message.
pub(super) fn offset(at: usize) -> u32 {
    len32(at)
}
