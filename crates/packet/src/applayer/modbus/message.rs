//! Messages and what is wrong with them.

use super::function::category;
use crate::bytes::Cursor;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What pairs request and response.
    pub transaction_id: u16,
    /// 0 for Modbus.
    pub protocol_id: u16,
    /// Unit behind a gateway.
    pub unit_id: u8,
    /// Function code as sent.
    pub function: u8,
    /// What is wrong with it.
    pub flaws: Vec<Flaw>,
    /// What it says.
    pub body: Body,
}

/// Something wrong, in the order in which it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// A value that the specification does not allow, or that does not fit the request.
    DataValue,
    /// A length that does not fit.
    DataLength,
    /// An exception code that does not exist.
    ExceptionCode,
    /// A function code that does not exist.
    FunctionCode,
    /// Another protocol than Modbus.
    ProtocolId,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Nothing,
    /// Bytes of no known structure.
    Data(Vec<u8>),
    /// Asks for coils, inputs or registers: address and how many.
    Read(u16, u16),
    /// What was read.
    ReadData(Vec<u8>),
    /// Writes one coil or register, or says how many were written: address and value.
    Write(u16, u16),
    /// Writes several: address, how many, and their values.
    WriteMultiple(u16, u16, Vec<u8>),
    /// Changes bits of a register: address, AND mask, OR mask.
    MaskWrite(u16, u16, u16),
    /// Reads and writes: address and how many to read, then as [`Body::WriteMultiple`].
    ReadWrite((u16, u16), (u16, u16, Vec<u8>)),
    /// Diagnostics: sub-function and its data.
    Diagnostic(u16, Vec<u8>),
    /// Encapsulated interface: type and its data.
    Interface(u8, Vec<u8>),
    /// An exception.
    Exception(u8),
}

impl Message {
    /// To whom its function code belongs, as logged: `PUBLIC_ASSIGNED`, `USER_DEFINED`, ...
    #[must_use]
    pub fn category(&self) -> &'static str {
        category(self.function, self.sub())
    }

    /// A message whose length makes no sense.
    pub(super) fn broken(transaction_id: u16, protocol_id: u16) -> Self {
        Self {
            transaction_id,
            protocol_id,
            unit_id: 0,
            function: 0,
            flaws: vec![Flaw::DataLength],
            body: Body::Nothing,
        }
    }

    /// Reads what stands behind the header, the function code first.
    pub(super) fn parse(head: (u16, u16, u8), data: &[u8], is_response: bool) -> Self {
        let (transaction_id, protocol_id, unit_id) = head;
        let function = data.first().copied().unwrap_or(0);
        let mut message = Self {
            transaction_id,
            protocol_id,
            unit_id,
            function,
            flaws: Vec::new(),
            body: Body::Nothing,
        };
        let data = data.get(1..).unwrap_or_default();
        let mut cursor = Cursor::new(data);
        let known = if is_response && function >= 0x80 {
            message.exception(&mut cursor)
        } else if is_response {
            message.response(&mut cursor)
        } else {
            message.request(&mut cursor)
        };
        match known {
            Some(body) => {
                if !cursor.is_empty() {
                    message.flaw(Flaw::DataLength);
                }
                message.body = body;
            }
            None => {
                message.flaw(Flaw::DataLength);
                let is_split = matches!(function & 0x7f, 8 | 43);
                if !is_split {
                    message.body = Body::Data(data.to_vec());
                }
            }
        }
        message
    }

    pub(super) fn flaw(&mut self, flaw: Flaw) {
        if !self.flaws.contains(&flaw) {
            self.flaws.push(flaw);
            self.flaws.sort_unstable();
        }
    }

    /// The sub-function of functions that have some.
    pub(super) fn sub(&self) -> Option<u16> {
        match &self.body {
            Body::Diagnostic(sub, _) => Some(*sub),
            Body::Interface(kind, _) => Some(u16::from(*kind)),
            Body::Nothing
            | Body::Data(_)
            | Body::Read(..)
            | Body::ReadData(_)
            | Body::Write(..)
            | Body::WriteMultiple(..)
            | Body::MaskWrite(..)
            | Body::ReadWrite(..)
            | Body::Exception(_) => None,
        }
    }

    fn exception(&mut self, cursor: &mut Cursor<'_>) -> Option<Body> {
        let code = cursor.u8()?;
        let is_file = matches!(self.function & 0x7f, 20 | 21);
        if !(matches!(code, 1..=7 | 10 | 11) || is_file && code == 8) {
            self.flaw(Flaw::ExceptionCode);
        }
        Some(Body::Exception(code))
    }

    fn request(&mut self, cursor: &mut Cursor<'_>) -> Option<Body> {
        if self.function == 0 || self.function >= 0x80 {
            self.flaw(Flaw::FunctionCode);
        }
        let function = self.function & 0x7f;
        Some(match function {
            1..=4 => {
                let (address, quantity) = (cursor.u16()?, cursor.u16()?);
                let max = if function < 3 { 2000 } else { 125 };
                self.in_range(quantity, max);
                Body::Read(address, quantity)
            }
            5 | 6 => {
                let (address, value) = (cursor.u16()?, cursor.u16()?);
                if function == 5 && !matches!(value, 0 | 0xff00) {
                    self.flaw(Flaw::DataValue);
                }
                Body::Write(address, value)
            }
            7 | 11 | 12 | 17 => Body::Data(Vec::new()),
            15 | 16 => {
                let max = if function == 15 { 1968 } else { 123 };
                let (address, quantity, data) = self.write_multiple(cursor, max)?;
                Body::WriteMultiple(address, quantity, data)
            }
            22 => Body::MaskWrite(cursor.u16()?, cursor.u16()?, cursor.u16()?),
            23 => {
                let read = (cursor.u16()?, cursor.u16()?);
                self.in_range(read.1, 125);
                Body::ReadWrite(read, self.write_multiple(cursor, 121)?)
            }
            24 => Body::Data(cursor.take(2)?.to_vec()),
            function => self.other(function, cursor)?,
        })
    }

    fn response(&mut self, cursor: &mut Cursor<'_>) -> Option<Body> {
        Some(match self.function {
            1..=4 | 23 => {
                let count = cursor.u8()?;
                let there = cursor.rest();
                let data = cursor.take(there.len())?;
                if data.len() != usize::from(count) {
                    self.flaw(Flaw::DataValue);
                }
                Body::ReadData(data.to_vec())
            }
            5 | 6 | 15 | 16 => Body::Write(cursor.u16()?, cursor.u16()?),
            7 => Body::Data(cursor.take(1)?.to_vec()),
            11 => Body::Data(cursor.take(4)?.to_vec()),
            22 => Body::MaskWrite(cursor.u16()?, cursor.u16()?, cursor.u16()?),
            function => self.other(function, cursor)?,
        })
    }

    fn other(&self, function: u8, cursor: &mut Cursor<'_>) -> Option<Body> {
        let body = match function {
            8 => {
                let sub = cursor.u16()?;
                Body::Diagnostic(sub, cursor.rest().to_vec())
            }
            43 => {
                let kind = cursor.u8()?;
                Body::Interface(kind, cursor.rest().to_vec())
            }
            _ => Body::Data(cursor.rest().to_vec()),
        };
        let rest = cursor.rest().len();
        cursor.take(rest)?;
        Some(body)
    }

    fn write_multiple(&mut self, cursor: &mut Cursor<'_>, max: u16) -> Option<(u16, u16, Vec<u8>)> {
        let (address, quantity, count) = (cursor.u16()?, cursor.u16()?, cursor.u8()?);
        self.in_range(quantity, max);
        if bytes_of(self.function, quantity) != u16::from(count) {
            self.flaw(Flaw::DataValue);
        }
        let there = cursor.rest().len().min(usize::from(count));
        if there < usize::from(count) {
            self.flaw(Flaw::DataLength);
        }
        Some((address, quantity, cursor.take(there)?.to_vec()))
    }

    fn in_range(&mut self, quantity: u16, max: u16) {
        if !(1..=max).contains(&quantity) {
            self.flaw(Flaw::DataValue);
        }
    }

    /// Marks what in a response does not fit the request.
    pub(super) fn compare(&mut self, request: &Self) {
        let fits = match (&request.body, &self.body) {
            (Body::Read(_, quantity), Body::ReadData(data))
            | (Body::ReadWrite((_, quantity), _), Body::ReadData(data)) => {
                usize::from(bytes_of(request.function, *quantity)) == data.len()
            }
            (Body::Write(address, value), Body::Write(echo, written))
            | (Body::WriteMultiple(address, value, _), Body::Write(echo, written)) => {
                (address, value) == (echo, written)
            }
            (Body::MaskWrite(..), Body::MaskWrite(..)) => request.body == self.body,
            _ => true,
        };
        if !fits {
            self.flaw(Flaw::DataValue);
        }
    }
}

/// How many bytes so many coils or registers are.
fn bytes_of(function: u8, quantity: u16) -> u16 {
    match function & 0x7f {
        1 | 2 | 15 => quantity.div_ceil(8),
        _ => quantity.saturating_mul(2),
    }
}
