//! Operators that look elements up by index.

use std::marker::PhantomData;

use super::layout::picked;
use super::{Build, Built, Fact, Io, Kernel, Structure};
use crate::error::{Fault, Refusal};
use crate::tensor::{Dim, Element, Scalar, Values};

/// Slices of the first input along an axis: by constant indices out of anything, or by indices in
/// the data out of a constant table.
pub(crate) fn gather(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(2)?;
    let (table, indices) = (build.input(0)?, build.input(1)?);
    let axis = table.shape.axis(build.int("axis")?.unwrap_or(0))?;
    let size = table.shape.size(axis)?;
    let (front, back) = table
        .shape
        .dims()
        .split_at_checked(axis)
        .unwrap_or_default();
    let mut dims = front.to_vec();
    dims.extend(indices.shape.dims());
    dims.extend(back.iter().skip(1));
    if indices.constant.is_some() {
        let list = build.indices(1)?.unwrap_or_default();
        let mut counted = Vec::new();
        for index in list {
            counted.push(crate::tensor::axis_of(index, size)?);
        }
        let shape = build.shape(dims)?;
        let (before, behind) = table.shape.around(axis);
        let map = row_map(before, size, behind, &counted);
        return picked(table, vec![(shape, map)]);
    }
    let (before, behind) = table.shape.around(axis);
    if before != 1 {
        return Err(Refusal::unsupported(
            "indices in the data behind another axis",
        ));
    }
    looked_up(build, table, dims, size, behind)
}

/// Elements along the last axis, by the indices of the second input. Of a table of one dimension
/// one row comes back, as runtimes have it.
pub(crate) fn extract(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(2)?;
    let (table, indices) = (build.input(0)?, build.typed::<i64>(1)?);
    let last = table.shape.axis(-1)?;
    let size = table.shape.size(last)?;
    let mut dims = table.shape.dims().to_vec();
    dims.pop();
    if dims.is_empty() {
        dims.push(Dim::Fixed(1));
    }
    if let Some(list) = build.constant::<i64>(1).ok().flatten() {
        let mut counted = Vec::new();
        for index in list {
            let inside = usize::try_from(*index).ok().filter(|at| *at < size);
            let why = || Refusal::wrong(format!("no element {index} among {size}"));
            counted.push(inside.ok_or_else(why)?);
        }
        dims.push(Dim::Fixed(counted.len()));
        let shape = build.shape(dims)?;
        let (before, _) = table.shape.around(last);
        let map = row_map(before, size, 1, &counted);
        return picked(table, vec![(shape, map)]);
    }
    if indices.shape.sample_len() != 1 || table.shape.sample_len() != size {
        return Err(Refusal::unsupported(
            "several indices in the data for a sample",
        ));
    }
    dims.push(Dim::Batch);
    looked_up(build, table, dims, size, 1)
}

/// Indices of blocks along an axis.
fn row_map(before: usize, size: usize, behind: usize, picks: &[usize]) -> Box<[u32]> {
    let mut map = Vec::new();
    for front in 0..before {
        for pick in picks {
            let row = front.saturating_mul(size).saturating_add(*pick);
            let start = row.saturating_mul(behind);
            let block = start..start.saturating_add(behind);
            map.extend(block.map(|at| u32::try_from(at).unwrap_or(u32::MAX)));
        }
    }
    map.into_boxed_slice()
}

fn looked_up(
    build: &Build<'_>,
    table: &Fact,
    dims: Vec<Dim>,
    size: usize,
    row: usize,
) -> Result<Built, Refusal> {
    let Some(values) = &table.constant else {
        return Err(Refusal::unsupported(
            "a table and indices that both depend on the data",
        ));
    };
    let narrow = match build.input(1)?.element {
        Element::I64 => false,
        Element::I32 => true,
        Element::F32 | Element::F64 | Element::Bool => {
            return Err(Refusal::wrong("indices that are no integers"));
        }
    };
    let shape = build.shape(dims)?;
    let rows = Rows { size, row, narrow };
    Ok(match &**values {
        Values::F32(table) => Built::one(Element::F32, shape, Look::new(table, rows)),
        Values::F64(table) => Built::one(Element::F64, shape, Look::new(table, rows)),
        Values::I64(table) => Built::one(Element::I64, shape, Look::new(table, rows)),
        Values::I32(table) => Built::one(Element::I32, shape, Look::new(table, rows)),
        Values::Bool(table) => Built::one(Element::Bool, shape, Look::new(table, rows)),
    })
}

/// The rows of a table.
#[derive(Clone, Copy, Debug)]
struct Rows {
    /// How many there are.
    size: usize,
    /// Elements of each.
    row: usize,
    /// Whether indices are int32.
    narrow: bool,
}

#[derive(Debug)]
struct Look<T> {
    rows: Rows,
    element: PhantomData<fn(T)>,
}

impl<T: Scalar> Look<T> {
    fn new(_table: &[T], rows: Rows) -> Self {
        let element = PhantomData;
        Self { rows, element }
    }

    fn row<'a>(&self, table: &'a [T], index: i64) -> Result<&'a [T], Fault> {
        let size = self.rows.size;
        let wrapped = i64::try_from(size).unwrap_or(i64::MAX);
        // As runtimes have it, negative ones count from the end.
        let counted = if index < 0 {
            index.saturating_add(wrapped)
        } else {
            index
        };
        let at = usize::try_from(counted).ok().filter(|at| *at < size);
        let at = at.ok_or(Fault::Index { index, size })?;
        let start = at.saturating_mul(self.rows.row);
        let row = table
            .get(start..)
            .and_then(|rest| rest.get(..self.rows.row));
        row.ok_or(Fault::Buffer)
    }
}

impl<T: Scalar> Kernel for Look<T> {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let table = io.input::<T>(0)?;
        if self.rows.narrow {
            let indices = io.input::<i32>(1)?;
            let output = io.output::<T>(0)?.chunks_exact_mut(self.rows.row.max(1));
            for (place, index) in output.zip(indices) {
                place.copy_from_slice(self.row(table, i64::from(*index))?);
            }
            return Ok(());
        }
        let indices = io.input::<i64>(1)?;
        if self.rows.row == 1 {
            // A weight for each index, the whole of a linear model over hashed words.
            for (place, index) in io.output::<T>(0)?.iter_mut().zip(indices) {
                let direct = usize::try_from(*index).ok().and_then(|at| table.get(at));
                *place = match direct {
                    Some(value) => *value,
                    None => *self.row(table, *index)?.first().ok_or(Fault::Buffer)?,
                };
            }
            return Ok(());
        }
        let output = io.output::<T>(0)?.chunks_exact_mut(self.rows.row.max(1));
        for (place, index) in output.zip(indices) {
            place.copy_from_slice(self.row(table, *index)?);
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        if self.rows.row == 1 {
            Structure::Looked
        } else {
            Structure::Opaque
        }
    }
}
