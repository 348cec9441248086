//! Operators over one value, element by element.

use std::fmt;
use std::marker::PhantomData;

use super::arithmetic::Number;
use super::{Build, Built, Io, Kernel, Structure};
use crate::error::{Fault, Refusal};
use crate::math;
use crate::onnx::element_of;
use crate::tensor::{Element, Scalar, narrow};

pub(crate) fn abs(build: &Build<'_>) -> Result<Built, Refusal> {
    numbers(build, Simple::Abs)
}

pub(crate) fn neg(build: &Build<'_>) -> Result<Built, Refusal> {
    numbers(build, Simple::Neg)
}

pub(crate) fn relu(build: &Build<'_>) -> Result<Built, Refusal> {
    numbers(build, Simple::Relu)
}

pub(crate) fn sign(build: &Build<'_>) -> Result<Built, Refusal> {
    numbers(build, Simple::Sign)
}

pub(crate) fn ceil(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, f64::ceil)
}

pub(crate) fn floor(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, f64::floor)
}

pub(crate) fn exp(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, math::exp)
}

pub(crate) fn log(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, math::ln)
}

pub(crate) fn reciprocal(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, |x| 1.0 / x)
}

pub(crate) fn sigmoid(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, math::logistic)
}

pub(crate) fn sqrt(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, f64::sqrt)
}

pub(crate) fn tanh(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, math::tanh)
}

pub(crate) fn softplus(build: &Build<'_>) -> Result<Built, Refusal> {
    reals(build, |x| {
        let (size, above) = (x.abs(), if x > 0.0 { x } else { 0.0 });
        above + math::ln(1.0 + math::exp(-size))
    })
}

pub(crate) fn elu(build: &Build<'_>) -> Result<Built, Refusal> {
    let alpha = f64::from(build.float("alpha")?.unwrap_or(1.0));
    reals(build, move |x| {
        if x < 0.0 {
            alpha * (math::exp(x) - 1.0)
        } else {
            x
        }
    })
}

pub(crate) fn leaky_relu(build: &Build<'_>) -> Result<Built, Refusal> {
    let alpha = f64::from(build.float("alpha")?.unwrap_or(0.01));
    reals(build, move |x| if x < 0.0 { alpha * x } else { x })
}

pub(crate) fn hard_sigmoid(build: &Build<'_>) -> Result<Built, Refusal> {
    let alpha = f64::from(build.float("alpha")?.unwrap_or(0.2));
    let beta = f64::from(build.float("beta")?.unwrap_or(0.5));
    reals(build, move |x| (alpha * x + beta).greatest(0.0).least(1.0))
}

/// Bounds are attributes before version 11, inputs from then on.
pub(crate) fn clip(build: &Build<'_>) -> Result<Built, Refusal> {
    match build.input(0)?.element {
        Element::F32 => {
            let (low, high) = if build.opset < 11 {
                (build.float("min")?, build.float("max")?)
            } else {
                bounds::<f32>(build)?
            };
            clipped(build, low, high)
        }
        Element::F64 => bounds::<f64>(build).and_then(|(low, high)| clipped(build, low, high)),
        Element::I64 => bounds::<i64>(build).and_then(|(low, high)| clipped(build, low, high)),
        Element::I32 => bounds::<i32>(build).and_then(|(low, high)| clipped(build, low, high)),
        Element::Bool => Err(Refusal::wrong("bool is no number")),
    }
}

fn bounds<T: Number>(build: &Build<'_>) -> Result<(Option<T>, Option<T>), Refusal> {
    build.inputs_max(3)?;
    let bound = |at| {
        let list = build.constant::<T>(at)?;
        list.map_or(Ok(None), |list| match list {
            [bound] => Ok(Some(*bound)),
            _ => Err(Refusal::wrong(format!("input {at} is no single number"))),
        })
    };
    Ok((bound(1)?, bound(2)?))
}

fn clipped<T: Number>(
    build: &Build<'_>,
    low: Option<T>,
    high: Option<T>,
) -> Result<Built, Refusal> {
    map::<T, T, _>(build, move |x| {
        let raised = low.map_or(x, |low| x.greatest(low));
        high.map_or(raised, |high| raised.least(high))
    })
}

pub(crate) fn cast(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    // It speaks of 8-bit floats alone.
    build.flag("saturate", true)?;
    let to = build.int("to")?.ok_or_else(|| Refusal::wrong("no `to`"))?;
    let (from, to) = (build.input(0)?, element_of(to)?);
    if from.element == to {
        return Ok(Built::alias(to, from.shape.clone()));
    }
    match from.element {
        Element::F32 => cast_from::<f32>(build, to),
        Element::F64 => cast_from::<f64>(build, to),
        Element::I64 => cast_from::<i64>(build, to),
        Element::I32 => cast_from::<i32>(build, to),
        Element::Bool => cast_from::<bool>(build, to),
    }
}

fn cast_from<T: Castable>(build: &Build<'_>, to: Element) -> Result<Built, Refusal> {
    match to {
        Element::F32 => map(build, T::to_f32),
        Element::F64 => map(build, T::to_f64),
        Element::I64 => map(build, T::to_i64),
        Element::I32 => map(build, T::to_i32),
        Element::Bool => map(build, |value: T| value != T::default()),
    }
}

/// What can be cast. Floats lose their fraction and saturate; NaN is 0; wide integers wrap.
trait Castable: Scalar {
    fn to_f32(self) -> f32;
    fn to_f64(self) -> f64;
    fn to_i64(self) -> i64;
    fn to_i32(self) -> i32;
}

macro_rules! castable {
    ($(#[$lint:meta])* $type:ty) => {
        $(#[$lint])*
        impl Castable for $type {
            fn to_f32(self) -> f32 {
                self as f32
            }

            fn to_f64(self) -> f64 {
                self as f64
            }

            fn to_i64(self) -> i64 {
                self as i64
            }

            fn to_i32(self) -> i32 {
                self as i32
            }
        }
    };
}

castable!(
    #[expect(clippy::cast_possible_truncation, reason = "it is what a cast means")]
    f32
);
castable!(
    #[expect(clippy::cast_possible_truncation, reason = "it is what a cast means")]
    f64
);
castable!(
    #[expect(clippy::cast_possible_truncation, reason = "it is what a cast means")]
    i64
);
castable!(i32);

impl Castable for bool {
    fn to_f32(self) -> f32 {
        f32::from(u8::from(self))
    }

    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }

    fn to_i64(self) -> i64 {
        i64::from(self)
    }

    fn to_i32(self) -> i32 {
        i32::from(self)
    }
}

/// What is simple enough to be done to each type as it is.
#[derive(Clone, Copy, Debug)]
enum Simple {
    Abs,
    Neg,
    Relu,
    Sign,
}

fn numbers(build: &Build<'_>, what: Simple) -> Result<Built, Refusal> {
    match build.input(0)?.element {
        Element::F32 => simple::<f32>(build, what),
        Element::F64 => simple::<f64>(build, what),
        Element::I64 => simple::<i64>(build, what),
        Element::I32 => simple::<i32>(build, what),
        Element::Bool => Err(Refusal::wrong("bool is no number")),
    }
}

fn simple<T: Number>(build: &Build<'_>, what: Simple) -> Result<Built, Refusal> {
    match what {
        Simple::Abs => map(build, |x: T| if x < T::default() { x.negated() } else { x }),
        Simple::Neg => map(build, T::negated),
        Simple::Relu => map(
            build,
            |x: T| if x < T::default() { T::default() } else { x },
        ),
        Simple::Sign => map(build, |x: T| {
            x.through(|x| {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    x
                }
            })
        }),
    }
}

/// A function of reals, computed in 64 bits.
fn reals<F>(build: &Build<'_>, apply: F) -> Result<Built, Refusal>
where
    F: Fn(f64) -> f64 + Send + Sync + 'static,
{
    match build.input(0)?.element {
        Element::F32 => map(build, move |x: f32| narrow(apply(f64::from(x)))),
        Element::F64 => map(build, apply),
        Element::I64 | Element::I32 | Element::Bool => {
            Err(Refusal::wrong("the operator takes floats"))
        }
    }
}

pub(super) fn map<T: Scalar, U: Scalar, F>(build: &Build<'_>, apply: F) -> Result<Built, Refusal>
where
    F: Fn(T) -> U + Send + Sync + 'static,
{
    let shape = build.typed::<T>(0)?.shape.clone();
    let types = PhantomData::<fn(T) -> U>;
    Ok(Built::one(U::ELEMENT, shape, Map { apply, types }))
}

struct Map<F, T, U> {
    apply: F,
    types: PhantomData<fn(T) -> U>,
}

impl<F, T, U> fmt::Debug for Map<F, T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Map")
    }
}

impl<F: Fn(T) -> U + Send + Sync, T: Scalar, U: Scalar> Kernel for Map<F, T, U> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<T>(0)?;
        for (place, value) in io.output::<U>(0)?.iter_mut().zip(input) {
            *place = (self.apply)(*value);
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Elementwise(0)
    }
}
