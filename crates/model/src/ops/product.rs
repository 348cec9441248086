//! Products of matrices.

use std::marker::PhantomData;

use super::arithmetic::Number;
use super::linear::Weights;
use super::{Build, Built, Io, Kernel, Making, Structure};
use crate::cost::Cost;
use crate::error::{Fault, Refusal};
use crate::tensor::{Dim, Element, Shape};

/// alpha * A * B + beta * C, with A the data and B and C constant.
pub(crate) fn gemm(build: &Build<'_>) -> Result<Built, Refusal> {
    match build.input(0)?.element {
        Element::F32 => gemm_of::<f32>(build),
        Element::F64 => gemm_of::<f64>(build),
        Element::I64 | Element::I32 | Element::Bool => Err(Refusal::unsupported(
            "a product of integers: export as float32",
        )),
    }
}

fn gemm_of<T: Number>(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(3)?;
    let data = build.typed::<T>(0)?;
    if build.flag("transA", false)? {
        return Err(Refusal::unsupported("transA: the batch must stay first"));
    }
    let transposed = build.flag("transB", false)?;
    let alpha = f64::from(build.float("alpha")?.unwrap_or(1.0));
    let beta = f64::from(build.float("beta")?.unwrap_or(1.0));
    let [rows @ (Dim::Batch | Dim::Fixed(_)), Dim::Fixed(depth)] = data.shape.dims() else {
        return Err(Refusal::wrong(format!("A of {}", data.shape)));
    };
    let fact = build.typed::<T>(1)?;
    let weights = build.constant::<T>(1)?.unwrap_or_default();
    let [Dim::Fixed(first), Dim::Fixed(second)] = fact.shape.dims() else {
        return Err(Refusal::wrong(format!("B of {}", fact.shape)));
    };
    let (inner, columns) = if transposed {
        (*second, *first)
    } else {
        (*first, *second)
    };
    if inner != *depth {
        let why = format!("A of {} and B of {} do not fit", data.shape, fact.shape);
        return Err(Refusal::wrong(why));
    }
    let scaled = |value: &T, by: f64| {
        if by == 1.0 {
            *value
        } else {
            value.through(|x| x * by)
        }
    };
    let bias = bias::<T>(build, columns)?;
    let bias = bias.iter().map(|value| scaled(value, beta)).collect();
    let made = Weights::new((inner, columns), bias, build.limits, |row, column| {
        let at = if transposed {
            column.saturating_mul(inner).saturating_add(row)
        } else {
            row.saturating_mul(columns).saturating_add(column)
        };
        weights.get(at).map(|value| scaled(value, alpha))
    })?;
    let shape = build.shape(vec![*rows, Dim::Fixed(columns)])?;
    Ok(weighted(shape, made))
}

/// C as one number for each column.
fn bias<T: Number>(build: &Build<'_>, columns: usize) -> Result<Vec<T>, Refusal> {
    let Some(list) = build.constant::<T>(2)? else {
        return Ok(vec![T::default(); columns]);
    };
    match list {
        [one] => Ok(vec![*one; columns]),
        list if list.len() == columns => {
            let shape = &build.input(2)?.shape;
            let last = shape.dims().last() == Some(&Dim::Fixed(columns));
            if !last {
                let why = format!("C of {shape}: one number for each column is taken");
                return Err(Refusal::unsupported(why));
            }
            Ok(list.to_vec())
        }
        list => {
            let why = format!("C of {} numbers for {columns} columns", list.len());
            Err(Refusal::unsupported(why))
        }
    }
}

pub(crate) fn matmul(build: &Build<'_>) -> Result<Built, Refusal> {
    match build.input(0)?.element {
        Element::F32 => matmul_of::<f32>(build),
        Element::F64 => matmul_of::<f64>(build),
        Element::I64 | Element::I32 | Element::Bool => Err(Refusal::unsupported(
            "a product of integers: export as float32",
        )),
    }
}

fn matmul_of<T: Number>(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(2)?;
    let (left, right) = (build.typed::<T>(0)?, build.typed::<T>(1)?);
    let unfit = || {
        let why = format!("{} and {} do not fit", left.shape, right.shape);
        Refusal::wrong(why)
    };
    let mut dims = left.shape.dims().to_vec();
    let Some(Dim::Fixed(depth)) = dims.pop() else {
        return Err(unfit());
    };
    // A table of weights, under every row of the data.
    if let Some(weights) = build.constant::<T>(1).ok().flatten() {
        let columns = match right.shape.dims() {
            [Dim::Fixed(inner)] if *inner == depth => 1,
            [Dim::Fixed(inner), Dim::Fixed(columns)] if *inner == depth => *columns,
            _ => return Err(unfit()),
        };
        if right.shape.rank() == 2 {
            dims.push(Dim::Fixed(columns));
        }
        let bias = vec![T::default(); columns];
        let made = Weights::new((depth, columns), bias, build.limits, |row, column| {
            let at = row.saturating_mul(columns).saturating_add(column);
            weights.get(at).copied()
        })?;
        return Ok(weighted(build.shape(dims)?, made));
    }
    let other = right.shape.dims();
    let (Some((Dim::Fixed(rows), front)), [behind @ .., Dim::Fixed(inner), Dim::Fixed(columns)]) =
        (dims.split_last(), other)
    else {
        return Err(unfit());
    };
    if front != behind || *inner != depth {
        return Err(unfit());
    }
    let kernel = Matrices {
        sizes: (*rows, depth, *columns),
        element: PhantomData::<fn(T)>,
    };
    dims.push(Dim::Fixed(*columns));
    let shape = build.shape(dims)?;
    let work = shape.sample_len().saturating_mul(depth);
    Ok(Built::costly(T::ELEMENT, shape, kernel, work))
}

fn weighted<T: Number>(shape: Shape, weights: Weights<T>) -> Built {
    let rows = shape
        .sample_len()
        .checked_div(weights.columns())
        .unwrap_or(0);
    let mut cost = Cost::work(weights.work().saturating_mul(rows));
    cost.constant_bytes = weights.bytes();
    Built {
        outputs: vec![(T::ELEMENT, shape)],
        making: Making::Kernel(Box::new(Weighted(weights))),
        cost,
        reads: 1,
    }
}

#[derive(Debug)]
struct Weighted<T>(Weights<T>);

impl<T: Number> Kernel for Weighted<T> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<T>(0)?;
        self.0.apply(input, io.output::<T>(0)?);
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        T::weighted(&self.0).map_or(Structure::Opaque, Structure::Weighted)
    }
}

/// Matrices that both depend on the data: as many on either side.
#[derive(Debug)]
struct Matrices<T> {
    /// Rows of the first, columns of the first and rows of the second, columns of the second.
    sizes: (usize, usize, usize),
    element: PhantomData<fn(T)>,
}

impl<T: Number> Kernel for Matrices<T> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (rows, depth, columns) = self.sizes;
        let (a, b) = (io.input::<T>(0)?, io.input::<T>(1)?);
        let size = |a: usize, b: usize| a.saturating_mul(b).max(1);
        let output = io.output::<T>(0)?;
        let lefts = a.chunks_exact(size(rows, depth));
        let rights = b.chunks_exact(size(depth, columns));
        for ((output, a), b) in output
            .chunks_exact_mut(size(rows, columns))
            .zip(lefts)
            .zip(rights)
        {
            let outputs = output.chunks_exact_mut(columns.max(1));
            for (output, a) in outputs.zip(a.chunks_exact(depth.max(1))) {
                output.fill(T::default());
                for (value, row) in a.iter().zip(b.chunks_exact(columns.max(1))) {
                    for (place, weight) in output.iter_mut().zip(row) {
                        *place = place.add(value.mul(*weight));
                    }
                }
            }
        }
        Ok(())
    }
}
