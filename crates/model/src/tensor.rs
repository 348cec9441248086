//! Elements, shapes and values.

use std::fmt;

use crate::error::{Fault, Refusal};
use crate::limits::Limits;

/// What a value consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 64-bit floats; inside a model only.
    F64,
    /// 64-bit integers.
    I64,
    /// 32-bit integers; inside a model only.
    I32,
    /// Truth; inside a model only.
    Bool,
}

impl Element {
    /// How many bytes one takes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::Bool => 1,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::I64 => "int64",
            Self::I32 => "int32",
            Self::Bool => "bool",
        })
    }
}

/// One dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// As many as there are samples.
    Batch,
    /// A size that the model fixes.
    Fixed(usize),
}

/// The dimensions of a value.
///
/// At most one is the batch, and those before it are 1: so a value is laid out sample by sample,
/// whatever its shape, and each sample is computed as if it were alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    dims: Vec<Dim>,
}

impl Shape {
    /// A shape, where the batch stands behind nothing but ones and no bound is passed.
    pub(crate) fn new(dims: Vec<Dim>, limits: &Limits) -> Result<Self, Refusal> {
        if dims.len() > limits.rank_max {
            return Err(Refusal::bound("dimensions", "rank_max", limits.rank_max));
        }
        let shape = Self { dims };
        let before = shape.dims.iter().take_while(|dim| **dim != Dim::Batch);
        let behind = shape.dims.iter().skip(before.clone().count()).skip(1);
        let moved = shape.is_batched() && before.clone().any(|dim| *dim != Dim::Fixed(1));
        if moved || behind.clone().any(|dim| *dim == Dim::Batch) {
            let why = format!("the shape {shape}: the batch must be the first dimension");
            return Err(Refusal::unsupported(why));
        }
        // An empty list may be a parameter; of nothing nothing is computed.
        if shape.dims.contains(&Dim::Fixed(0)) && shape.dims.len() > 1 {
            let why = format!("the shape {shape} has no elements");
            return Err(Refusal::unsupported(why));
        }
        let count = shape.sizes().try_fold(1_usize, usize::checked_mul);
        let most = if shape.is_batched() {
            limits.elements_max
        } else {
            limits.elements_max.max(limits.constants_max)
        };
        if count.is_none_or(|count| count > most) {
            let max = limits.elements_max;
            return Err(Refusal::bound("a value's elements", "elements_max", max));
        }
        Ok(shape)
    }

    /// The dimensions.
    #[must_use]
    pub fn dims(&self) -> &[Dim] {
        &self.dims
    }

    /// Whether one dimension is the batch.
    #[must_use]
    pub fn is_batched(&self) -> bool {
        self.dims.contains(&Dim::Batch)
    }

    /// Elements of one sample; of the whole value where it has no batch.
    #[must_use]
    pub fn sample_len(&self) -> usize {
        self.sizes().product()
    }

    /// Elements of so many samples.
    pub(crate) fn len(&self, samples: usize) -> usize {
        if self.is_batched() {
            self.sample_len().saturating_mul(samples)
        } else {
            self.sample_len()
        }
    }

    pub(crate) fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The sizes for one sample: the batch is 1.
    pub(crate) fn sizes(&self) -> impl DoubleEndedIterator<Item = usize> + Clone {
        self.dims.iter().map(|dim| match dim {
            Dim::Batch => 1,
            Dim::Fixed(size) => *size,
        })
    }

    /// The size of one dimension that is not the batch.
    pub(crate) fn size(&self, axis: usize) -> Result<usize, Refusal> {
        match self.dims.get(axis) {
            Some(Dim::Fixed(size)) => Ok(*size),
            Some(Dim::Batch) => Err(Refusal::unsupported(format!(
                "axis {axis} is the batch: samples are computed each for itself"
            ))),
            None => Err(Refusal::wrong(format!("no axis {axis} in {self}"))),
        }
    }

    /// An axis as ONNX writes it: negative ones count from the end.
    pub(crate) fn axis(&self, axis: i64) -> Result<usize, Refusal> {
        axis_of(axis, self.rank())
    }

    /// The product of the sizes before an axis, of one sample; and of those behind it.
    pub(crate) fn around(&self, axis: usize) -> (usize, usize) {
        let before = self.sizes().take(axis).product();
        let behind = self.sizes().skip(axis).skip(1).product();
        (before, behind)
    }
}

/// An axis of so many as ONNX writes it: negative ones count from the end.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let from_end = i64::try_from(rank)
        .ok()
        .and_then(|rank| axis.checked_add(rank));
    let counted = if axis < 0 { from_end } else { Some(axis) };
    counted
        .and_then(|axis| usize::try_from(axis).ok())
        .filter(|axis| *axis < rank)
        .ok_or_else(|| Refusal::wrong(format!("no axis {axis} among {rank}")))
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, dim) in self.dims.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match dim {
                Dim::Batch => f.write_str("N")?,
                Dim::Fixed(size) => write!(f, "{size}")?,
            }
        }
        f.write_str("]")
    }
}

/// The elements of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    I32(Vec<i32>),
    Bool(Vec<bool>),
}

/// Elements of a value that somebody else holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    I64(&'a [i64]),
    I32(&'a [i32]),
    Bool(&'a [bool]),
}

/// Evaluates an expression over the list in any variant.
macro_rules! each {
    ($values:expr, $list:ident => $what:expr) => {
        match $values {
            Values::F32($list) => $what,
            Values::F64($list) => $what,
            Values::I64($list) => $what,
            Values::I32($list) => $what,
            Values::Bool($list) => $what,
        }
    };
}

impl Values {
    pub(crate) fn zeros(element: Element, len: usize) -> Self {
        match element {
            Element::F32 => Self::F32(vec![0.0; len]),
            Element::F64 => Self::F64(vec![0.0; len]),
            Element::I64 => Self::I64(vec![0; len]),
            Element::I32 => Self::I32(vec![0; len]),
            Element::Bool => Self::Bool(vec![false; len]),
        }
    }

    pub(crate) fn element(&self) -> Element {
        match self {
            Self::F32(_) => Element::F32,
            Self::F64(_) => Element::F64,
            Self::I64(_) => Element::I64,
            Self::I32(_) => Element::I32,
            Self::Bool(_) => Element::Bool,
        }
    }

    pub(crate) fn len(&self) -> usize {
        each!(self, list => list.len())
    }

    pub(crate) fn is_finite(&self) -> bool {
        match self {
            Self::F32(list) => list.iter().all(|value| value.is_finite()),
            Self::F64(list) => list.iter().all(|value| value.is_finite()),
            Self::I64(_) | Self::I32(_) | Self::Bool(_) => true,
        }
    }

    /// The first so many elements.
    pub(crate) fn view(&self, len: usize) -> Option<View<'_>> {
        Some(match self {
            Self::F32(list) => View::F32(list.get(..len)?),
            Self::F64(list) => View::F64(list.get(..len)?),
            Self::I64(list) => View::I64(list.get(..len)?),
            Self::I32(list) => View::I32(list.get(..len)?),
            Self::Bool(list) => View::Bool(list.get(..len)?),
        })
    }

    /// Empties the list; its room stays.
    pub(crate) fn clear(&mut self) {
        each!(self, list => list.clear());
    }

    /// Appends elements of the same type.
    pub(crate) fn append(&mut self, more: View<'_>) -> Result<(), Fault> {
        match (self, more) {
            (Self::F32(list), View::F32(more)) => list.extend_from_slice(more),
            (Self::F64(list), View::F64(more)) => list.extend_from_slice(more),
            (Self::I64(list), View::I64(more)) => list.extend_from_slice(more),
            (Self::I32(list), View::I32(more)) => list.extend_from_slice(more),
            (Self::Bool(list), View::Bool(more)) => list.extend_from_slice(more),
            (Self::F32(_) | Self::F64(_) | Self::I64(_) | Self::I32(_) | Self::Bool(_), _) => {
                return Err(Fault::Buffer);
            }
        }
        Ok(())
    }
}

/// A type of elements.
pub(crate) trait Scalar:
    Copy + Default + PartialOrd + fmt::Debug + Send + Sync + 'static
{
    const ELEMENT: Element;
    fn of<'a>(view: &View<'a>) -> Option<&'a [Self]>;
    fn of_values(values: &Values) -> Option<&[Self]>;
    fn of_mut(values: &mut Values) -> Option<&mut [Self]>;
}

macro_rules! scalar {
    ($type:ty, $variant:ident) => {
        impl Scalar for $type {
            const ELEMENT: Element = Element::$variant;

            fn of<'a>(view: &View<'a>) -> Option<&'a [Self]> {
                if let View::$variant(list) = view {
                    Some(list)
                } else {
                    None
                }
            }

            fn of_values(values: &Values) -> Option<&[Self]> {
                if let Values::$variant(list) = values {
                    Some(list)
                } else {
                    None
                }
            }

            fn of_mut(values: &mut Values) -> Option<&mut [Self]> {
                if let Values::$variant(list) = values {
                    Some(list)
                } else {
                    None
                }
            }
        }
    };
}

scalar!(f32, F32);
scalar!(f64, F64);
scalar!(i64, I64);
scalar!(i32, I32);
scalar!(bool, Bool);

/// Rounds to the nearest 32-bit float.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding is what is asked for"
)]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[Dim]) -> Result<Shape, Refusal> {
        Shape::new(dims.to_vec(), &Limits::default())
    }

    #[test]
    fn the_batch_stands_first() {
        let one = shape(&[Dim::Fixed(1), Dim::Batch, Dim::Fixed(3)]).unwrap();
        assert_eq!((one.sample_len(), one.len(4)), (3, 12));
        assert_eq!(one.to_string(), "[1, N, 3]");
        assert!(shape(&[Dim::Fixed(2), Dim::Batch]).is_err());
        assert!(shape(&[Dim::Batch, Dim::Batch]).is_err());
        assert!(shape(&[Dim::Fixed(usize::MAX), Dim::Fixed(2)]).is_err());
        assert_eq!(shape(&[]).unwrap().len(9), 1);
    }

    #[test]
    fn axes_count_from_either_end() {
        assert_eq!(axis_of(-1, 3), Ok(2));
        assert_eq!(axis_of(0, 3), Ok(0));
        for wrong in [3, -4, i64::MIN, i64::MAX] {
            assert!(axis_of(wrong, 3).is_err());
        }
    }
}
