//! Comparisons, logic, and the choice that follows from them.

use std::fmt;
use std::marker::PhantomData;

use super::arithmetic::{Access, Number, broadcast};
use super::{Build, Built, Io, Kernel, pointwise};
use crate::error::{Fault, Refusal};
use crate::tensor::{Element, Scalar};

pub(crate) fn and(build: &Build<'_>) -> Result<Built, Refusal> {
    pair(build, |a: bool, b| a && b)
}

pub(crate) fn or(build: &Build<'_>) -> Result<Built, Refusal> {
    pair(build, |a: bool, b| a || b)
}

pub(crate) fn xor(build: &Build<'_>) -> Result<Built, Refusal> {
    pair(build, |a: bool, b| a != b)
}

pub(crate) fn not(build: &Build<'_>) -> Result<Built, Refusal> {
    pointwise::map(build, |value: bool| !value)
}

pub(crate) fn equal(build: &Build<'_>) -> Result<Built, Refusal> {
    if build.input(0)?.element == Element::Bool {
        return pair(build, |a: bool, b| a == b);
    }
    compare(build, Order::Equal)
}

pub(crate) fn less(build: &Build<'_>) -> Result<Built, Refusal> {
    compare(build, Order::Less)
}

pub(crate) fn less_or_equal(build: &Build<'_>) -> Result<Built, Refusal> {
    compare(build, Order::LessOrEqual)
}

pub(crate) fn greater(build: &Build<'_>) -> Result<Built, Refusal> {
    compare(build, Order::Greater)
}

pub(crate) fn greater_or_equal(build: &Build<'_>) -> Result<Built, Refusal> {
    compare(build, Order::GreaterOrEqual)
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

fn compare(build: &Build<'_>, order: Order) -> Result<Built, Refusal> {
    match build.input(0)?.element {
        Element::F32 => compared::<f32>(build, order),
        Element::F64 => compared::<f64>(build, order),
        Element::I64 => compared::<i64>(build, order),
        Element::I32 => compared::<i32>(build, order),
        Element::Bool => Err(Refusal::wrong("bool is no number")),
    }
}

fn compared<T: Number>(build: &Build<'_>, order: Order) -> Result<Built, Refusal> {
    match order {
        Order::Equal => pair(build, |a: T, b: T| a == b),
        Order::Less => pair(build, |a: T, b: T| a < b),
        Order::LessOrEqual => pair(build, |a: T, b: T| a <= b),
        Order::Greater => pair(build, |a: T, b: T| a > b),
        Order::GreaterOrEqual => pair(build, |a: T, b: T| a >= b),
    }
}

fn pair<T: Scalar, F>(build: &Build<'_>, apply: F) -> Result<Built, Refusal>
where
    F: Fn(T, T) -> bool + Copy + Send + Sync + 'static,
{
    build.inputs_max(2)?;
    let facts = [build.typed::<T>(0)?, build.typed::<T>(1)?];
    let (shape, accesses) = broadcast(build, &facts)?;
    let len = shape.sample_len();
    // The first is held as it is, until the second is put to it.
    let held = (T::ELEMENT, shape.clone());
    let kernel = Pair {
        len,
        accesses,
        apply,
        element: PhantomData::<fn(T)>,
    };
    let mut built = Built::costly(Element::Bool, shape, kernel, len.saturating_mul(2));
    built.outputs.push(held);
    Ok(built)
}

struct Pair<T, F> {
    len: usize,
    accesses: Vec<Access>,
    apply: F,
    element: PhantomData<fn(T)>,
}

impl<T, F> fmt::Debug for Pair<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.accesses).finish()
    }
}

impl<T: Scalar, F: Fn(T, T) -> bool + Copy + Send + Sync> Kernel for Pair<T, F> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (a, b) = (io.input::<T>(0)?, io.input::<T>(1)?);
        let [first, second] = self.accesses.as_slice() else {
            return Err(Fault::Buffer);
        };
        let (truths, held) = io.two_outputs::<bool, T>()?;
        let len = self.len.max(1);
        let samples = truths.chunks_exact_mut(len).zip(held.chunks_exact_mut(len));
        for (sample, (truths, held)) in samples.enumerate() {
            first.each(a, sample, held, |place, value| *place = value)?;
            let mut held = held.iter();
            second.each(b, sample, truths, |place, value| {
                let first = held.next().copied().unwrap_or_default();
                *place = (self.apply)(first, value);
            })?;
        }
        Ok(())
    }
}

/// Where: the second input where the first is true, the third elsewhere.
pub(crate) fn select(build: &Build<'_>) -> Result<Built, Refusal> {
    match build.input(1)?.element {
        Element::F32 => selected::<f32>(build),
        Element::F64 => selected::<f64>(build),
        Element::I64 => selected::<i64>(build),
        Element::I32 => selected::<i32>(build),
        Element::Bool => selected::<bool>(build),
    }
}

fn selected<T: Scalar>(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(3)?;
    let facts = [
        build.typed::<bool>(0)?,
        build.typed::<T>(1)?,
        build.typed::<T>(2)?,
    ];
    let (shape, accesses) = broadcast(build, &facts)?;
    let len = shape.sample_len();
    let held = (Element::Bool, shape.clone());
    let kernel = Select {
        len,
        accesses,
        element: PhantomData::<fn(T)>,
    };
    let mut built = Built::costly(T::ELEMENT, shape, kernel, len.saturating_mul(3));
    built.outputs.push(held);
    Ok(built)
}

#[derive(Debug)]
struct Select<T> {
    len: usize,
    accesses: Vec<Access>,
    element: PhantomData<fn(T)>,
}

impl<T: Scalar> Kernel for Select<T> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (truths, yes, no) = (io.input::<bool>(0)?, io.input::<T>(1)?, io.input::<T>(2)?);
        let [first, second, third] = self.accesses.as_slice() else {
            return Err(Fault::Buffer);
        };
        let (output, held) = io.two_outputs::<T, bool>()?;
        let len = self.len.max(1);
        let samples = output.chunks_exact_mut(len).zip(held.chunks_exact_mut(len));
        for (sample, (output, held)) in samples.enumerate() {
            first.each(truths, sample, held, |place, value| *place = value)?;
            third.each(no, sample, output, |place, value| *place = value)?;
            let mut held = held.iter();
            second.each(yes, sample, output, |place, value| {
                if held.next().copied().unwrap_or_default() {
                    *place = value;
                }
            })?;
        }
        Ok(())
    }
}
