//! Operators that make one number of many.

use std::marker::PhantomData;

use super::arithmetic::{Number, index_map};
use super::linear;
use super::{Build, Built, Io, Kernel, Structure};
use crate::error::{Fault, Refusal};
use crate::math;
use crate::tensor::{Dim, Element, Shape};

pub(crate) fn sum(build: &Build<'_>) -> Result<Built, Refusal> {
    reduce(build, What::Sum, 13)
}

pub(crate) fn mean(build: &Build<'_>) -> Result<Built, Refusal> {
    reduce(build, What::Mean, 18)
}

pub(crate) fn max(build: &Build<'_>) -> Result<Built, Refusal> {
    reduce(build, What::Max, 18)
}

pub(crate) fn min(build: &Build<'_>) -> Result<Built, Refusal> {
    reduce(build, What::Min, 18)
}

pub(crate) fn sum_square(build: &Build<'_>) -> Result<Built, Refusal> {
    reduce(build, What::SumSquare, 18)
}

pub(crate) fn l1(build: &Build<'_>) -> Result<Built, Refusal> {
    reduce(build, What::L1, 18)
}

pub(crate) fn l2(build: &Build<'_>) -> Result<Built, Refusal> {
    reduce(build, What::L2, 18)
}

pub(crate) fn log_sum_exp(build: &Build<'_>) -> Result<Built, Refusal> {
    reduce(build, What::LogSumExp, 18)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Sum,
    Mean,
    Max,
    Min,
    SumSquare,
    L1,
    L2,
    LogSumExp,
}

/// Axes are an attribute before version `since`, an input from then on.
fn reduce(build: &Build<'_>, what: What, since: i64) -> Result<Built, Refusal> {
    build.inputs_max(2)?;
    let fact = build.input(0)?;
    let keep = build.flag("keepdims", true)?;
    let idle = build.flag("noop_with_empty_axes", false)?;
    let rank = fact.shape.rank();
    let axes = build.axes(1, since, rank)?.filter(|axes| !axes.is_empty());
    let axes = match axes {
        Some(axes) => axes,
        None if idle => return Ok(Built::alias(fact.element, fact.shape.clone())),
        None => (0..rank).collect(),
    };
    let groups = Groups::new(&fact.shape, &axes)?;
    let shape = build.shape(without(&fact.shape, &axes, keep))?;
    let work = fact.shape.sample_len().saturating_mul(what.work());
    let element = fact.element;
    let room = groups.room(build)?;
    let mut built = match element {
        Element::F32 => Built::costly(element, shape, Reduce::<f32>::new(what, groups), work),
        Element::F64 => Built::costly(element, shape, Reduce::<f64>::new(what, groups), work),
        Element::I64 if matches!(what, What::Sum | What::Max | What::Min) => {
            Built::costly(element, shape, Reduce::<i64>::new(what, groups), work)
        }
        Element::I64 | Element::I32 | Element::Bool => {
            return Err(Refusal::unsupported("of integers: cast to float32 first"));
        }
    };
    built.outputs.push((element, room));
    Ok(built)
}

/// The dimensions without some axes, or with 1 in their place.
fn without(shape: &Shape, axes: &[usize], keep: bool) -> Vec<Dim> {
    let dims = shape.dims().iter().enumerate();
    dims.filter_map(|(at, dim)| match (axes.contains(&at), keep) {
        (false, _) => Some(*dim),
        (true, true) => Some(Dim::Fixed(1)),
        (true, false) => None,
    })
    .collect()
}

/// Elements of a sample in groups: those that differ along some axes alone.
#[derive(Debug)]
pub(super) struct Groups {
    /// Elements of a sample.
    pub(super) sample: usize,
    /// Elements of a group.
    pub(super) len: usize,
    /// The elements of each group one behind the other, where they are not so by themselves.
    pub(super) map: Option<Box<[u32]>>,
}

impl Groups {
    pub(super) fn new(shape: &Shape, axes: &[usize]) -> Result<Self, Refusal> {
        for axis in axes {
            shape.size(*axis)?;
        }
        let strides = super::layout::strides(shape);
        let rest = (0..shape.rank()).filter(|at| !axes.contains(at));
        let order: Vec<_> = rest.chain(axes.iter().copied()).collect();
        let sizes: Vec<_> = shape.sizes().collect();
        let pick = |at: &usize| sizes.get(*at).copied().unwrap_or(1);
        let ordered: Vec<_> = order.iter().map(pick).collect();
        let steps: Vec<_> = order
            .iter()
            .filter_map(|at| strides.get(*at).copied())
            .collect();
        let map = index_map(&ordered, &steps, 0);
        let together = map.iter().zip(0_u32..).all(|(index, at)| *index == at);
        let len = axes.iter().map(pick).product();
        if len == 0 || shape.sample_len() == 0 {
            return Err(Refusal::wrong("no elements"));
        }
        Ok(Self {
            sample: shape.sample_len(),
            len,
            map: (!together).then_some(map),
        })
    }

    /// Calls `each` with the elements of each group and its number.
    pub(super) fn each<T: Copy + Default>(
        &self,
        input: &[T],
        held: &mut [T],
        mut each: impl FnMut(&[T]),
    ) -> Result<(), Fault> {
        for sample in input.chunks_exact(self.sample.max(1)) {
            let Some(map) = &self.map else {
                sample.chunks_exact(self.len.max(1)).for_each(&mut each);
                continue;
            };
            for group in map.chunks_exact(self.len.max(1)) {
                let held = held.get_mut(..self.len).ok_or(Fault::Buffer)?;
                for (place, index) in held.iter_mut().zip(group) {
                    let value = usize::try_from(*index).ok().and_then(|at| sample.get(at));
                    *place = *value.ok_or(Fault::Buffer)?;
                }
                each(held);
            }
        }
        Ok(())
    }

    /// The room that `each` needs: one group.
    pub(super) fn room(&self, build: &Build<'_>) -> Result<Shape, Refusal> {
        build.shape(vec![Dim::Fixed(self.len)])
    }
}

#[derive(Debug)]
struct Reduce<T> {
    what: What,
    groups: Groups,
    element: PhantomData<fn(T)>,
}

impl<T> Reduce<T> {
    fn new(what: What, groups: Groups) -> Self {
        let element = PhantomData;
        Self {
            what,
            groups,
            element,
        }
    }
}

impl What {
    fn work(self) -> usize {
        match self {
            Self::Sum
            | Self::Mean
            | Self::Max
            | Self::Min
            | Self::SumSquare
            | Self::L1
            | Self::L2 => 1,
            Self::LogSumExp => 16,
        }
    }

    fn of<T: Number>(self, list: &[T]) -> T {
        let fold = |apply: fn(T, T) -> T| list.iter().copied().reduce(apply).unwrap_or_default();
        let added = |apply: fn(T) -> T| {
            let terms = list.iter().map(|value| apply(*value));
            terms.reduce(T::add).unwrap_or_default()
        };
        match self {
            Self::Sum => linear::sum(list),
            Self::Mean => {
                let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
                linear::sum(list).through(|sum| sum / f64::from(count))
            }
            Self::Max => fold(T::greatest),
            Self::Min => fold(T::least),
            Self::SumSquare => added(|value| value.mul(value)),
            Self::L1 => added(|value| {
                if value < T::default() {
                    value.negated()
                } else {
                    value
                }
            }),
            Self::L2 => added(|value| value.mul(value)).through(f64::sqrt),
            Self::LogSumExp => {
                let most = fold(T::greatest);
                let terms = list.iter().map(|value| value.sub(most).through(math::exp));
                let sum = terms.reduce(T::add).unwrap_or_default();
                most.add(sum.through(math::ln))
            }
        }
    }
}

impl<T: Number> Kernel for Reduce<T> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<T>(0)?;
        let (output, held) = io.two_outputs::<T, T>()?;
        let mut places = output.iter_mut();
        self.groups.each(input, held, |group| {
            if let Some(place) = places.next() {
                *place = self.what.of(group);
            }
        })
    }

    fn structure(&self) -> Structure<'_> {
        if self.what == What::Sum && self.groups.len == self.groups.sample {
            Structure::Summed
        } else {
            Structure::Opaque
        }
    }
}

pub(crate) fn arg_max(build: &Build<'_>) -> Result<Built, Refusal> {
    arg(build, true)
}

pub(crate) fn arg_min(build: &Build<'_>) -> Result<Built, Refusal> {
    arg(build, false)
}

fn arg(build: &Build<'_>, most: bool) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let fact = build.input(0)?;
    let axis = fact.shape.axis(build.int("axis")?.unwrap_or(0))?;
    let keep = build.flag("keepdims", true)?;
    let last = build.flag("select_last_index", false)?;
    let groups = Groups::new(&fact.shape, &[axis])?;
    let shape = build.shape(without(&fact.shape, &[axis], keep))?;
    let room = groups.room(build)?;
    let work = fact.shape.sample_len();
    let mut built = match fact.element {
        Element::F32 => {
            let kernel = Arg::<f32> {
                groups,
                most,
                last,
                element: PhantomData,
            };
            Built::costly(Element::I64, shape, kernel, work)
        }
        Element::F64 => {
            let kernel = Arg::<f64> {
                groups,
                most,
                last,
                element: PhantomData,
            };
            Built::costly(Element::I64, shape, kernel, work)
        }
        Element::I64 | Element::I32 | Element::Bool => {
            return Err(Refusal::unsupported("of integers: cast to float32 first"));
        }
    };
    built.outputs.push((fact.element, room));
    Ok(built)
}

#[derive(Debug)]
struct Arg<T> {
    groups: Groups,
    most: bool,
    last: bool,
    element: PhantomData<fn(T)>,
}

impl<T: Number> Kernel for Arg<T> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<T>(0)?;
        let (output, held) = io.two_outputs::<i64, T>()?;
        let mut places = output.iter_mut();
        self.groups.each(input, held, |group| {
            let mut best: Option<(i64, T)> = None;
            for (value, at) in group.iter().zip(0_i64..) {
                let better = best.is_none_or(|(_, other)| {
                    let beats = if self.most {
                        *value > other
                    } else {
                        *value < other
                    };
                    beats || self.last && *value == other
                });
                if better {
                    best = Some((at, *value));
                }
            }
            if let (Some(place), Some((at, _))) = (places.next(), best) {
                *place = at;
            }
        })
    }
}
