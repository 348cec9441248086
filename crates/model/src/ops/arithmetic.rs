//! Operators over several values, element by element, with ONNX's broadcasting.

use std::fmt;
use std::marker::PhantomData;

use super::linear::Weights;
use super::{Build, Built, Fact, Io, Kernel, Structure};
use crate::error::{Fault, Refusal};
use crate::math;
use crate::tensor::{Dim, Element, Scalar, Shape, narrow};

pub(crate) fn add(build: &Build<'_>) -> Result<Built, Refusal> {
    fold(build, Op::Add)
}

pub(crate) fn sub(build: &Build<'_>) -> Result<Built, Refusal> {
    fold(build, Op::Sub)
}

pub(crate) fn mul(build: &Build<'_>) -> Result<Built, Refusal> {
    fold(build, Op::Mul)
}

pub(crate) fn div(build: &Build<'_>) -> Result<Built, Refusal> {
    fold(build, Op::Div)
}

pub(crate) fn min(build: &Build<'_>) -> Result<Built, Refusal> {
    fold(build, Op::Min)
}

pub(crate) fn max(build: &Build<'_>) -> Result<Built, Refusal> {
    fold(build, Op::Max)
}

pub(crate) fn pow(build: &Build<'_>) -> Result<Built, Refusal> {
    let kind = build.input(0)?.element;
    if matches!(kind, Element::I64 | Element::I32) {
        let why = "powers of integers: export as float32";
        return Err(Refusal::unsupported(why));
    }
    fold(build, Op::Pow)
}

/// What is done to two numbers.
#[derive(Clone, Copy, Debug)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    Pow,
}

fn fold(build: &Build<'_>, op: Op) -> Result<Built, Refusal> {
    let first = build.input(0)?;
    if build.inputs().len() == 1 && matches!(op, Op::Add | Op::Min | Op::Max) {
        return Ok(Built::alias(first.element, first.shape.clone()));
    }
    match first.element {
        Element::F32 => folded::<f32>(build, op),
        Element::F64 => folded::<f64>(build, op),
        Element::I64 => folded::<i64>(build, op),
        Element::I32 => folded::<i32>(build, op),
        Element::Bool => Err(Refusal::wrong("bool is no number")),
    }
}

fn folded<T: Number>(build: &Build<'_>, op: Op) -> Result<Built, Refusal> {
    if !matches!(op, Op::Add | Op::Min | Op::Max) {
        build.inputs_max(2)?;
    }
    let mut facts = Vec::new();
    for at in 0..build.inputs().len().max(2) {
        facts.push(build.typed::<T>(at)?);
    }
    match op {
        Op::Add => many(build, &facts, T::add),
        Op::Sub => many(build, &facts, T::sub),
        Op::Mul => many(build, &facts, T::mul),
        Op::Div => many(build, &facts, T::div),
        Op::Min => many(build, &facts, T::least),
        Op::Max => many(build, &facts, T::greatest),
        Op::Pow => many(build, &facts, T::pow),
    }
}

fn many<T: Number, F>(build: &Build<'_>, facts: &[&Fact], apply: F) -> Result<Built, Refusal>
where
    F: Fn(T, T) -> T + Copy + Send + Sync + 'static,
{
    let (shape, accesses) = broadcast(build, facts)?;
    let work = shape.sample_len().saturating_mul(facts.len());
    let variable: Vec<_> = (0..facts.len())
        .filter(|at| facts.get(*at).is_some_and(|fact| fact.constant.is_none()))
        .collect();
    let whole = |at: &usize| accesses.get(*at).is_some_and(Access::is_whole);
    let only = match variable.as_slice() {
        [at] if whole(at) => Some(*at),
        _ => None,
    };
    let kernel = Fold {
        len: shape.sample_len(),
        accesses,
        only,
        apply,
        element: PhantomData::<fn(T)>,
    };
    Ok(Built::costly(T::ELEMENT, shape, kernel, work))
}

/// The shape that inputs have together, and how each is read for it.
pub(super) fn broadcast(
    build: &Build<'_>,
    facts: &[&Fact],
) -> Result<(Shape, Vec<Access>), Refusal> {
    let rank = facts.iter().map(|fact| fact.shape.rank()).max();
    let mut dims = vec![Dim::Fixed(1); rank.unwrap_or(0)];
    for fact in facts {
        for (dim, own) in dims.iter_mut().rev().zip(fact.shape.dims().iter().rev()) {
            *dim = match (*dim, *own) {
                (Dim::Fixed(1), other) | (other, Dim::Fixed(1)) => other,
                (Dim::Batch, Dim::Batch) => Dim::Batch,
                (Dim::Fixed(a), Dim::Fixed(b)) if a == b => Dim::Fixed(a),
                (Dim::Fixed(_), Dim::Fixed(_) | Dim::Batch) | (Dim::Batch, Dim::Fixed(_)) => {
                    let shapes: Vec<_> = facts.iter().map(|one| one.shape.to_string()).collect();
                    let why = format!("the shapes {} do not fit together", shapes.join(" and "));
                    return Err(Refusal::wrong(why));
                }
            };
        }
    }
    let shape = build.shape(dims)?;
    let accesses = facts.iter().map(|fact| Access::new(&fact.shape, &shape));
    Ok((shape.clone(), accesses.collect()))
}

/// How an input is read for the elements of the output.
#[derive(Debug)]
pub(super) struct Access {
    batched: bool,
    len: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Element by element.
    Whole,
    /// One element for all.
    One,
    /// By these indices.
    Mapped(Box<[u32]>),
}

impl Access {
    pub(super) fn new(own: &Shape, output: &Shape) -> Self {
        let len = own.sample_len();
        let kind = if len == output.sample_len() {
            Kind::Whole
        } else if len == 1 {
            Kind::One
        } else {
            let sizes: Vec<_> = output.sizes().collect();
            let mut strides = vec![0_i64; sizes.len()];
            let mut step = 1_i64;
            for (stride, size) in strides.iter_mut().rev().zip(own.sizes().rev()) {
                *stride = if size == 1 { 0 } else { step };
                step = step.wrapping_mul(i64::try_from(size).unwrap_or(i64::MAX));
            }
            Kind::Mapped(index_map(&sizes, &strides, 0))
        };
        Self {
            batched: own.is_batched(),
            len,
            kind,
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self.kind, Kind::Whole)
    }

    /// The elements of one sample.
    fn sample<'a, T>(&self, all: &'a [T], at: usize) -> Result<&'a [T], Fault> {
        let start = if self.batched {
            at.saturating_mul(self.len)
        } else {
            0
        };
        let own = all.get(start..).and_then(|rest| rest.get(..self.len));
        own.ok_or(Fault::Buffer)
    }

    /// Calls `put` for each element of a sample of the output.
    pub(super) fn each<T: Copy, U>(
        &self,
        all: &[T],
        at: usize,
        output: &mut [U],
        mut put: impl FnMut(&mut U, T),
    ) -> Result<(), Fault> {
        let own = self.sample(all, at)?;
        match &self.kind {
            Kind::Whole => {
                for (place, value) in output.iter_mut().zip(own) {
                    put(place, *value);
                }
            }
            Kind::One => {
                let value = *own.first().ok_or(Fault::Buffer)?;
                for place in output {
                    put(place, value);
                }
            }
            Kind::Mapped(map) => {
                for (place, index) in output.iter_mut().zip(map) {
                    let value = usize::try_from(*index).ok().and_then(|at| own.get(at));
                    put(place, *value.ok_or(Fault::Buffer)?);
                }
            }
        }
        Ok(())
    }
}

/// The indices, in row-major order, that strides give for sizes.
pub(super) fn index_map(sizes: &[usize], strides: &[i64], start: i64) -> Box<[u32]> {
    let mut map = vec![start];
    for (size, stride) in sizes.iter().zip(strides) {
        let steps = (0_i64..).take(*size);
        map = map
            .iter()
            .flat_map(|base| {
                let steps = steps.clone();
                steps.map(|step| base.wrapping_add(step.wrapping_mul(*stride)))
            })
            .collect();
    }
    let narrowed = map
        .iter()
        .map(|index| u32::try_from(*index).unwrap_or(u32::MAX));
    narrowed.collect()
}

/// The first input, and then each of the others put to it.
struct Fold<T, F> {
    len: usize,
    accesses: Vec<Access>,
    /// The only input that depends on the data, where its elements are those of the output.
    only: Option<usize>,
    apply: F,
    element: PhantomData<fn(T)>,
}

impl<T, F> fmt::Debug for Fold<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.accesses).finish()
    }
}

impl<T: Number, F: Fn(T, T) -> T + Copy + Send + Sync> Kernel for Fold<T, F> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let apply = self.apply;
        for (at, access) in self.accesses.iter().enumerate() {
            let input = io.input::<T>(at)?;
            let output = io.output::<T>(0)?;
            for (sample, output) in output.chunks_exact_mut(self.len.max(1)).enumerate() {
                if at == 0 {
                    access.each(input, sample, output, |place, value| *place = value)?;
                } else {
                    access.each(input, sample, output, |place, value| {
                        *place = apply(*place, value);
                    })?;
                }
            }
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        self.only.map_or(Structure::Opaque, Structure::Elementwise)
    }
}

/// A type of numbers. Integers wrap; an integer over 0 is 0.
pub(crate) trait Number: Scalar {
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn pow(self, other: Self) -> Self;
    fn negated(self) -> Self;
    /// Through a 64-bit float.
    fn through(self, apply: impl Fn(f64) -> f64) -> Self;

    /// Weights as explanations take them: those of 32 bits.
    fn weighted(_weights: &Weights<Self>) -> Option<&Weights> {
        None
    }

    /// The lesser; NaN if either is.
    #[expect(clippy::eq_op, reason = "what is not itself is NaN")]
    fn least(self, other: Self) -> Self {
        if self < other || self != self {
            self
        } else {
            other
        }
    }

    /// The greater; NaN if either is.
    #[expect(clippy::eq_op, reason = "what is not itself is NaN")]
    fn greatest(self, other: Self) -> Self {
        if self > other || self != self {
            self
        } else {
            other
        }
    }
}

impl Number for f32 {
    fn weighted(weights: &Weights<Self>) -> Option<&Weights> {
        Some(weights)
    }

    fn add(self, other: Self) -> Self {
        self + other
    }

    fn sub(self, other: Self) -> Self {
        self - other
    }

    fn mul(self, other: Self) -> Self {
        self * other
    }

    fn div(self, other: Self) -> Self {
        self / other
    }

    fn pow(self, other: Self) -> Self {
        narrow(math::pow(f64::from(self), f64::from(other)))
    }

    fn negated(self) -> Self {
        -self
    }

    fn through(self, apply: impl Fn(f64) -> f64) -> Self {
        narrow(apply(f64::from(self)))
    }
}

impl Number for f64 {
    fn add(self, other: Self) -> Self {
        self + other
    }

    fn sub(self, other: Self) -> Self {
        self - other
    }

    fn mul(self, other: Self) -> Self {
        self * other
    }

    fn div(self, other: Self) -> Self {
        self / other
    }

    fn pow(self, other: Self) -> Self {
        math::pow(self, other)
    }

    fn negated(self) -> Self {
        -self
    }

    fn through(self, apply: impl Fn(Self) -> Self) -> Self {
        apply(self)
    }
}

macro_rules! integer {
    ($type:ty) => {
        impl Number for $type {
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            fn sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            fn div(self, other: Self) -> Self {
                self.checked_div(other).unwrap_or_default()
            }

            fn pow(self, other: Self) -> Self {
                let exponent = u32::try_from(other).unwrap_or(0);
                self.wrapping_pow(exponent)
            }

            fn negated(self) -> Self {
                self.wrapping_neg()
            }

            #[expect(
                clippy::cast_possible_truncation,
                reason = "operators that go through floats are built for floats alone"
            )]
            fn through(self, apply: impl Fn(f64) -> f64) -> Self {
                apply(self as f64) as Self
            }
        }
    };
}

integer!(i64);
integer!(i32);
