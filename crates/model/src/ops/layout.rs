//! Operators that move elements, and compute none.

use std::marker::PhantomData;

use super::arithmetic::index_map;
use super::{Build, Built, Fact, Io, Kernel, Making};
use crate::cost::Cost;
use crate::error::{ErrorKind, Fault, Refusal};
use crate::onnx::Value;
use crate::tensor::{Dim, Element, Scalar, Shape, Values};

pub(crate) fn identity(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let fact = build.input(0)?;
    Ok(Built::alias(fact.element, fact.shape.clone()))
}

/// At inference it changes nothing.
pub(crate) fn dropout(build: &Build<'_>) -> Result<Built, Refusal> {
    build.float("ratio")?;
    build.int("seed")?;
    if build
        .constant::<bool>(2)?
        .is_some_and(|list| list.contains(&true))
    {
        return Err(Refusal::unsupported("training_mode: export for inference"));
    }
    let fact = build.input(0)?;
    Ok(Built::alias(fact.element, fact.shape.clone()))
}

pub(crate) fn constant(build: &Build<'_>) -> Result<Built, Refusal> {
    let fixed = |len| build.shape(vec![Dim::Fixed(len)]);
    let mut made = Vec::new();
    if let Some(value) = build.value("value") {
        let Value::Tensor(tensor) = value else {
            return Err(Refusal::wrong("`value` is no tensor"));
        };
        let dims = tensor.dims.iter().map(|size| Dim::Fixed(*size)).collect();
        made.push(Built::constant(tensor.values.clone(), build.shape(dims)?));
    }
    if let Some(value) = build.float("value_float")? {
        made.push(Built::constant(Values::F32(vec![value]), Shape::default()));
    }
    if let Some(list) = build.floats("value_floats")? {
        made.push(Built::constant(
            Values::F32(list.to_vec()),
            fixed(list.len())?,
        ));
    }
    if let Some(value) = build.int("value_int")? {
        made.push(Built::constant(Values::I64(vec![value]), Shape::default()));
    }
    if let Some(list) = build.ints("value_ints")? {
        made.push(Built::constant(
            Values::I64(list.to_vec()),
            fixed(list.len())?,
        ));
    }
    match (made.pop(), made.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(Refusal::new(ErrorKind::Ambiguous, "several values")),
        (None, _) => Err(Refusal::unsupported("no value of a type that is evaluated")),
    }
}

/// The same elements under another shape: only what stands behind the batch may change.
fn reshaped(build: &Build<'_>, dims: Vec<Dim>) -> Result<Built, Refusal> {
    let fact = build.input(0)?;
    let shape = build.shape(dims)?;
    let same = shape.sample_len() == fact.shape.sample_len();
    if !same || shape.is_batched() != fact.shape.is_batched() {
        let why = format!("{} cannot be taken as {shape}", fact.shape);
        return Err(Refusal::wrong(why));
    }
    Ok(Built::alias(fact.element, shape))
}

pub(crate) fn reshape(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(2)?;
    let keeps_zero = build.flag("allowzero", false)?;
    let fact = build.input(0)?;
    let wanted = build.indices(1)?;
    let wanted = wanted.ok_or_else(|| Refusal::wrong("no shape"))?;
    let (mut dims, mut open, mut product) = (Vec::new(), None, 1_usize);
    for (at, size) in wanted.iter().enumerate() {
        let dim = match usize::try_from(*size) {
            Ok(0) if !keeps_zero => {
                let dim = fact.shape.dims().get(at).copied();
                dim.ok_or_else(|| Refusal::wrong("a 0 for a dimension that is not there"))?
            }
            Ok(size) => Dim::Fixed(size),
            Err(_) if *size == -1 && open.is_none() => {
                open = Some(at);
                Dim::Fixed(1)
            }
            Err(_) => return Err(Refusal::wrong(format!("a dimension of {size}"))),
        };
        if let Dim::Fixed(size) = dim {
            product = product.saturating_mul(size);
        }
        dims.push(dim);
    }
    if let Some(place) = open.and_then(|open| dims.get_mut(open)) {
        // Where no other dimension is the batch, the open one is, and holds nothing else.
        let len = fact.shape.sample_len();
        let batch = fact.shape.is_batched() && !dims_has_batch(&wanted, fact, keeps_zero);
        let rest = len.checked_div(product).unwrap_or(0);
        *place = if batch && rest == 1 {
            Dim::Batch
        } else {
            Dim::Fixed(rest)
        };
    }
    reshaped(build, dims)
}

/// Whether a 0 of a wanted shape stands for the batch.
fn dims_has_batch(wanted: &[i64], fact: &Fact, keeps_zero: bool) -> bool {
    let pairs = wanted.iter().zip(fact.shape.dims());
    pairs
        .into_iter()
        .any(|(size, dim)| *size == 0 && !keeps_zero && *dim == Dim::Batch)
}

pub(crate) fn flatten(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let fact = build.input(0)?;
    let axis = build.int("axis")?.unwrap_or(1);
    let rank = fact.shape.rank();
    // One past the last is an axis too.
    let axis = if usize::try_from(axis) == Ok(rank) {
        rank
    } else {
        fact.shape.axis(axis)?
    };
    let (front, back) = fact.shape.dims().split_at_checked(axis).unwrap_or_default();
    let side = |dims: &[Dim]| {
        let sizes = dims.iter().map(|dim| match dim {
            Dim::Batch => 1,
            Dim::Fixed(size) => *size,
        });
        let product: usize = sizes.product();
        match (dims.contains(&Dim::Batch), product) {
            (true, 1) => Ok(Dim::Batch),
            (true, _) => Err(Refusal::unsupported("samples would be taken together")),
            (false, product) => Ok(Dim::Fixed(product)),
        }
    };
    reshaped(build, vec![side(front)?, side(back)?])
}

pub(crate) fn squeeze(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(2)?;
    let fact = build.input(0)?;
    let axes = build.axes(1, 13, fact.shape.rank())?;
    let mut dims = Vec::new();
    for (at, dim) in fact.shape.dims().iter().enumerate() {
        let named = axes.as_ref().is_some_and(|axes| axes.contains(&at));
        if named && *dim != Dim::Fixed(1) {
            return Err(Refusal::wrong(format!("axis {at} is not 1")));
        }
        if !(named || axes.is_none() && *dim == Dim::Fixed(1)) {
            dims.push(*dim);
        }
    }
    reshaped(build, dims)
}

pub(crate) fn unsqueeze(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(2)?;
    let fact = build.input(0)?;
    let added = match build.opset {
        ..13 => build.ints("axes")?.map_or(0, <[i64]>::len),
        _ => build.indices(1)?.map_or(0, |list| list.len()),
    };
    let rank = fact.shape.rank().saturating_add(added);
    if rank > build.limits.rank_max {
        let max = build.limits.rank_max;
        return Err(Refusal::bound("dimensions", "rank_max", max));
    }
    let axes = build.axes(1, 13, rank)?;
    let axes = axes.ok_or_else(|| Refusal::wrong("no axes"))?;
    let mut own = fact.shape.dims().iter().copied();
    let dims = (0..rank).map(|at| {
        if axes.contains(&at) {
            Dim::Fixed(1)
        } else {
            own.next().unwrap_or(Dim::Fixed(1))
        }
    });
    reshaped(build, dims.collect())
}

pub(crate) fn transpose(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let fact = build.input(0)?;
    let rank = fact.shape.rank();
    let order = match build.ints("perm")? {
        Some(written) => {
            let order = written.iter().map(|axis| fact.shape.axis(*axis));
            order.collect::<Result<Vec<_>, _>>()?
        }
        None => (0..rank).rev().collect(),
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return Err(Refusal::wrong("`perm` does not name each axis once"));
    }
    let strides = strides(&fact.shape);
    let dims = order
        .iter()
        .filter_map(|axis| fact.shape.dims().get(*axis).copied());
    let shape = build.shape(dims.collect())?;
    let steps: Vec<_> = order
        .iter()
        .filter_map(|axis| strides.get(*axis).copied())
        .collect();
    let sizes: Vec<_> = shape.sizes().collect();
    let map = index_map(&sizes, &steps, 0);
    picked(fact, vec![(shape, map)])
}

/// Starts, ends, axes and steps: attributes before version 10, inputs from then on.
pub(crate) fn slice(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(5)?;
    let fact = build.input(0)?;
    let list = |at, name| match build.opset {
        ..10 => Ok(build.ints(name)?.map(<[i64]>::to_vec)),
        _ => build.indices(at),
    };
    let (starts, ends) = (list(1, "starts")?, list(2, "ends")?);
    let (Some(starts), Some(ends)) = (starts, ends) else {
        return Err(Refusal::wrong("no starts or no ends"));
    };
    let axes = match list(3, "axes")? {
        Some(axes) => axes,
        None => (0_i64..).take(starts.len()).collect(),
    };
    let steps = match build.opset {
        ..10 => None,
        _ => build.indices(4)?,
    };
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Refusal::wrong(
            "starts, ends, axes and steps of several lengths",
        ));
    }
    let mut strides = strides(&fact.shape);
    let mut dims = fact.shape.dims().to_vec();
    let mut first = 0_i64;
    let mut seen = Vec::new();
    for (((start, end), axis), step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let axis = fact.shape.axis(*axis)?;
        if seen.contains(&axis) {
            return Err(Refusal::wrong("an axis twice"));
        }
        seen.push(axis);
        let size = fact.shape.size(axis)?;
        let (start, count) = span(size, *start, *end, *step)?;
        let (Some(dim), Some(stride)) = (dims.get_mut(axis), strides.get_mut(axis)) else {
            continue;
        };
        *dim = Dim::Fixed(count);
        first = first.wrapping_add(start.wrapping_mul(*stride));
        *stride = stride.wrapping_mul(*step);
    }
    let shape = build.shape(dims)?;
    let sizes: Vec<_> = shape.sizes().collect();
    let map = index_map(&sizes, &strides, first);
    picked(fact, vec![(shape, map)])
}

/// The first index of a slice, and how many it has.
fn span(size: usize, start: i64, end: i64, step: i64) -> Result<(i64, usize), Refusal> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let (start, end) = (from_end(start), from_end(end));
    let length = if step > 0 {
        let (start, end) = (start.clamp(0, size), end.clamp(0, size));
        (start, end.saturating_sub(start))
    } else {
        let last = size.saturating_sub(1);
        let (start, end) = (start.clamp(0, last.max(0)), end.clamp(-1, last));
        (start, start.saturating_sub(end))
    };
    let (start, length) = length;
    let Some(size) = step.checked_abs().filter(|size| *size > 0) else {
        return Err(Refusal::wrong(format!("a step of {step}")));
    };
    let whole = length.max(0).saturating_add(size.saturating_sub(1));
    let count = usize::try_from(whole.checked_div(size).unwrap_or(0)).unwrap_or(0);
    if count == 0 {
        return Err(Refusal::unsupported("a slice of nothing"));
    }
    Ok((start, count))
}

/// Sizes are an attribute before version 13, an input from then on; none means equal parts.
pub(crate) fn split(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(2)?;
    let fact = build.input(0)?;
    let axis = fact.shape.axis(build.int("axis")?.unwrap_or(0))?;
    let size = fact.shape.size(axis)?;
    let sizes = match build.opset {
        ..13 => build.ints("split")?.map(<[i64]>::to_vec),
        _ => build.indices(1)?,
    };
    let count = build.outputs();
    let parts: Vec<usize> = match sizes {
        Some(sizes) => {
            let parts = sizes.iter().map(|size| usize::try_from(*size));
            let parts: Result<_, _> = parts.collect();
            parts.map_err(|_negative| Refusal::wrong("a part of a negative size"))?
        }
        None => {
            build.int("num_outputs")?;
            let part = size.checked_div(count).unwrap_or(0);
            vec![part; count]
        }
    };
    let sum = parts
        .iter()
        .fold(0_usize, |sum, part| sum.saturating_add(*part));
    if parts.len() != count || sum != size {
        return Err(Refusal::wrong(format!(
            "{count} parts of {sum}, for a size of {size}"
        )));
    }
    let strides = strides(&fact.shape);
    let stride = strides.get(axis).copied().unwrap_or(1);
    let (mut made, mut start) = (Vec::new(), 0_i64);
    for part in parts {
        let mut dims = fact.shape.dims().to_vec();
        if let Some(dim) = dims.get_mut(axis) {
            *dim = Dim::Fixed(part);
        }
        let shape = build.shape(dims)?;
        let sizes: Vec<_> = shape.sizes().collect();
        let map = index_map(&sizes, &strides, start.wrapping_mul(stride));
        start = start.wrapping_add(i64::try_from(part).unwrap_or(i64::MAX));
        made.push((shape, map));
    }
    picked(fact, made)
}

/// How far apart neighbours are along each axis of a sample.
pub(super) fn strides(shape: &Shape) -> Vec<i64> {
    let mut strides = vec![0; shape.rank()];
    let mut step = 1_i64;
    for (stride, size) in strides.iter_mut().rev().zip(shape.sizes().rev()) {
        *stride = step;
        step = step.wrapping_mul(i64::try_from(size).unwrap_or(i64::MAX));
    }
    strides
}

/// Elements of a sample of the first input by their indices, as one or more outputs.
pub(super) fn picked(fact: &Fact, outputs: Vec<(Shape, Box<[u32]>)>) -> Result<Built, Refusal> {
    let len = fact.shape.sample_len();
    let mut shapes = Vec::new();
    let mut maps = Vec::new();
    for (shape, map) in outputs {
        let inside = |at: &u32| usize::try_from(*at).is_ok_and(|at| at < len);
        if !map.iter().all(inside) || map.len() != shape.sample_len() {
            return Err(Refusal::wrong("an element that is not there"));
        }
        shapes.push((fact.element, shape));
        maps.push(map);
    }
    let work = maps.iter().map(|map| map.len()).sum();
    let kernel: Box<dyn Kernel> = match fact.element {
        Element::F32 => Box::new(Pick::<f32>::new(len, maps)),
        Element::F64 => Box::new(Pick::<f64>::new(len, maps)),
        Element::I64 => Box::new(Pick::<i64>::new(len, maps)),
        Element::I32 => Box::new(Pick::<i32>::new(len, maps)),
        Element::Bool => Box::new(Pick::<bool>::new(len, maps)),
    };
    Ok(Built {
        outputs: shapes,
        making: Making::Kernel(kernel),
        cost: Cost::work(work),
        reads: 1,
    })
}

#[derive(Debug)]
struct Pick<T> {
    /// Elements of a sample of the input.
    len: usize,
    maps: Vec<Box<[u32]>>,
    element: PhantomData<fn(T)>,
}

impl<T> Pick<T> {
    fn new(len: usize, maps: Vec<Box<[u32]>>) -> Self {
        let element = PhantomData;
        Self { len, maps, element }
    }
}

impl<T: Scalar> Kernel for Pick<T> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<T>(0)?;
        for (at, map) in self.maps.iter().enumerate() {
            let output = io.output::<T>(at)?.chunks_exact_mut(map.len().max(1));
            for (own, output) in input.chunks_exact(self.len.max(1)).zip(output) {
                for (place, index) in output.iter_mut().zip(map) {
                    let value = usize::try_from(*index).ok().and_then(|at| own.get(at));
                    *place = *value.ok_or(Fault::Buffer)?;
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn concat(build: &Build<'_>) -> Result<Built, Refusal> {
    let axis = build
        .int("axis")?
        .ok_or_else(|| Refusal::wrong("no `axis`"))?;
    joined(build, axis)
}

/// All inputs one behind the other along an axis.
pub(super) fn joined(build: &Build<'_>, axis: i64) -> Result<Built, Refusal> {
    let first = build.input(0)?;
    let axis = first.shape.axis(axis)?;
    let mut dims = first.shape.dims().to_vec();
    let mut blocks = Vec::new();
    let mut total = 0_usize;
    for at in 0..build.inputs().len() {
        let fact = build.input(at)?;
        let size = fact.shape.size(axis)?;
        total = total.saturating_add(size);
        let own = fact.shape.dims();
        let same = own.iter().zip(&dims).zip(0..);
        let mut same = same.filter(|(_, at)| *at != axis);
        if fact.element != first.element
            || own.len() != dims.len()
            || !same.all(|((own, dim), _)| own == dim)
        {
            let why = format!(
                "{} and {} cannot stand side by side",
                first.shape, fact.shape
            );
            return Err(Refusal::wrong(why));
        }
        let (_, behind) = fact.shape.around(axis);
        blocks.push(size.saturating_mul(behind));
    }
    if let Some(dim) = dims.get_mut(axis) {
        *dim = Dim::Fixed(total);
    }
    let shape = build.shape(dims)?;
    let kernel: Box<dyn Kernel> = match first.element {
        Element::F32 => Box::new(Join::<f32>::new(blocks)),
        Element::F64 => Box::new(Join::<f64>::new(blocks)),
        Element::I64 => Box::new(Join::<i64>::new(blocks)),
        Element::I32 => Box::new(Join::<i32>::new(blocks)),
        Element::Bool => Box::new(Join::<bool>::new(blocks)),
    };
    Ok(Built {
        cost: Cost::work(shape.sample_len()),
        outputs: vec![(first.element, shape)],
        making: Making::Kernel(kernel),
        reads: usize::MAX,
    })
}

#[derive(Debug)]
struct Join<T> {
    /// For each input, the elements that stand together in the output.
    blocks: Vec<usize>,
    element: PhantomData<fn(T)>,
}

impl<T> Join<T> {
    fn new(blocks: Vec<usize>) -> Self {
        let element = PhantomData;
        Self { blocks, element }
    }
}

impl<T: Scalar> Kernel for Join<T> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let row = self
            .blocks
            .iter()
            .fold(0_usize, |row, block| row.saturating_add(*block));
        let mut start = 0_usize;
        for (at, block) in self.blocks.iter().enumerate() {
            let input = io.input::<T>(at)?;
            let rows = io.output::<T>(0)?.chunks_exact_mut(row.max(1));
            let end = start.saturating_add(*block);
            for (own, row) in input.chunks_exact((*block).max(1)).zip(rows) {
                row.get_mut(start..end)
                    .ok_or(Fault::Buffer)?
                    .copy_from_slice(own);
            }
            start = end;
        }
        Ok(())
    }
}
