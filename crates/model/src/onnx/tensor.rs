//! TensorProto.

use super::{Message, wire::Field};
use crate::error::{ErrorKind, ModelError, Refusal};
use crate::limits::Limits;
use crate::tensor::{Element, Values};

/// A constant tensor: one field holds its values.
#[derive(Debug)]
pub(crate) struct TensorMessage<'a> {
    pub(crate) name: &'a str,
    pub(crate) dims: Vec<usize>,
    pub(crate) values: Values,
}

/// The element that a number of ONNX stands for.
pub(crate) fn element_of(number: i64) -> Result<Element, Refusal> {
    let why = match number {
        1 => return Ok(Element::F32),
        6 => return Ok(Element::I32),
        7 => return Ok(Element::I64),
        9 => return Ok(Element::Bool),
        11 => return Ok(Element::F64),
        8 => "strings: export labels and keys as int64",
        10 | 16 => "half floats: export as float32",
        2..=5 | 12 | 13 => "small or unsigned integers: export as int64, and weights as float32",
        _ => "elements of a type that is not evaluated: export as float32 or int64",
    };
    Err(Refusal::unsupported(why))
}

/// The fields of values, until it is known which one the tensor has.
#[derive(Debug, Default)]
struct Fields<'a> {
    name: Option<&'a str>,
    dims: Vec<i64>,
    kind: Option<i64>,
    raw: Option<&'a [u8]>,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    ints: Vec<i64>,
    small_ints: Vec<i64>,
    /// Which fields of values are there, also when they are empty: two are the attack of two sets of
    /// weights, of which a checker reads one and the runtime the other.
    seen: Option<u32>,
}

impl<'a> TensorMessage<'a> {
    pub(super) fn read(mut message: Message<'a>, limits: &Limits) -> Result<Self, ModelError> {
        let mut fields = Fields::default();
        while let Some(field) = message.next()? {
            fields.take(&field, limits)?;
        }
        let name = fields.name.unwrap_or_default();
        let place = || format!("the tensor `{name}`");
        let dims = fields
            .shape(limits)
            .map_err(|refusal| refusal.at(place()))?;
        let values = fields
            .values(&dims, limits)
            .map_err(|refusal| refusal.at(place()))?;
        Ok(Self { name, dims, values })
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, field: &Field<'a>, limits: &Limits) -> Result<(), ModelError> {
        let max = ("constants_max", limits.constants_max);
        if matches!(field.number, 4..=7 | 9..=11) {
            let other = self.seen.is_some_and(|seen| seen != field.number);
            // Lists may come in parts; raw bytes may not.
            if other || field.number == 9 && self.raw.is_some() {
                let why = "values in more than one field: readers differ in which they take";
                return Err(field.refuse(Refusal::new(ErrorKind::Ambiguous, why)));
            }
            self.seen = Some(field.number);
        }
        match field.number {
            1 => field.ints(&mut self.dims, ("rank_max", limits.rank_max)),
            2 => field.once(&mut self.kind, "data_type", field.int()?),
            3 => Err(field.unsupported("segment", "write the tensor whole")),
            4 => field.floats(&mut self.floats, max),
            5 => field.ints(&mut self.small_ints, max),
            6 => Err(field.unsupported("string_data", "export labels and keys as int64")),
            7 => field.ints(&mut self.ints, max),
            8 => field.once(&mut self.name, "name", field.text(limits.text_max)?),
            9 => field.once(&mut self.raw, "raw_data", field.bytes()?),
            10 => field.doubles(&mut self.doubles, max),
            11 => Err(field.unsupported("uint64_data", "export as int64")),
            12 | 16 => {
                field.skip();
                Ok(())
            }
            13 => Err(field.unsupported("external_data", "write weights into the file")),
            // 0 is the file itself.
            14 if field.int()? == 0 => {
                field.skip();
                Ok(())
            }
            14 => Err(field.unsupported("data_location outside", "write weights into the file")),
            _ => Err(field.unknown()),
        }
    }

    fn shape(&self, limits: &Limits) -> Result<Vec<usize>, Refusal> {
        let mut dims = Vec::with_capacity(self.dims.len());
        let mut count = 1_usize;
        for dim in &self.dims {
            let Ok(dim) = usize::try_from(*dim) else {
                return Err(Refusal::wrong(format!("a dimension of {dim}")));
            };
            if dim > limits.dim_max {
                return Err(Refusal::bound("a dimension", "dim_max", limits.dim_max));
            }
            count = count.saturating_mul(dim);
            dims.push(dim);
        }
        if count > limits.constants_max {
            let max = limits.constants_max;
            return Err(Refusal::bound("elements", "constants_max", max));
        }
        Ok(dims)
    }

    fn values(self, dims: &[usize], limits: &Limits) -> Result<Values, Refusal> {
        let Some(kind) = self.kind else {
            return Err(Refusal::wrong("no data_type"));
        };
        let element = element_of(kind)?;
        let other = || Refusal::wrong("values in a field of another type than data_type");
        let values = match (self.seen, element) {
            (None, element) => Values::zeros(element, 0),
            (Some(9), element) => from_raw(self.raw.unwrap_or_default(), element)?,
            (Some(4), Element::F32) => Values::F32(self.floats),
            (Some(7), Element::I64) => Values::I64(self.ints),
            (Some(10), Element::F64) => Values::F64(self.doubles),
            (Some(5), Element::I32) => {
                let narrowed = self.small_ints.iter().map(|value| i32::try_from(*value));
                let narrowed: Result<_, _> = narrowed.collect();
                Values::I32(narrowed.map_err(|_wide| Refusal::wrong("an int32 over 32 bits"))?)
            }
            (Some(5), Element::Bool) => Values::Bool(truths(&self.small_ints)?),
            (Some(_), _) => return Err(other()),
        };
        let count: usize = dims.iter().product();
        if values.len() != count {
            let why = format!("{} values for a shape of {count}", values.len());
            return Err(Refusal::wrong(why));
        }
        if values.len() > limits.constants_max {
            let max = limits.constants_max;
            return Err(Refusal::bound("elements", "constants_max", max));
        }
        if !values.is_finite() {
            let why = "a value that is not finite";
            return Err(Refusal::new(ErrorKind::NotFinite, why));
        }
        Ok(values)
    }
}

fn from_raw(raw: &[u8], element: Element) -> Result<Values, Refusal> {
    fn numbers<const N: usize, T>(raw: &[u8], read: fn([u8; N]) -> T) -> Result<Vec<T>, Refusal> {
        let (numbers, rest) = raw.as_chunks::<N>();
        if !rest.is_empty() {
            return Err(Refusal::wrong("raw_data ends in a number"));
        }
        Ok(numbers.iter().map(|bytes| read(*bytes)).collect())
    }
    Ok(match element {
        Element::F32 => Values::F32(numbers(raw, f32::from_le_bytes)?),
        Element::F64 => Values::F64(numbers(raw, f64::from_le_bytes)?),
        Element::I64 => Values::I64(numbers(raw, i64::from_le_bytes)?),
        Element::I32 => Values::I32(numbers(raw, i32::from_le_bytes)?),
        Element::Bool => {
            let wide: Vec<_> = raw.iter().map(|byte| i64::from(*byte)).collect();
            Values::Bool(truths(&wide)?)
        }
    })
}

fn truths(numbers: &[i64]) -> Result<Vec<bool>, Refusal> {
    let truths = numbers.iter().map(|number| match number {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Refusal::wrong("a bool that is neither 0 nor 1")),
    });
    truths.collect()
}
