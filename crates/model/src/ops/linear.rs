//! Weighted sums: the weights, and the linear models of ai.onnx.ml.

use super::arithmetic::Number;
use super::trees::scores::Transform;
use super::{Build, Built, Io, Kernel, Making, Structure};
use crate::cost::Cost;
use crate::error::{Fault, Refusal};
use crate::limits::Limits;
use crate::tensor::{Dim, Element, Shape};

/// Columns that are summed side by side, where there are many: as many sums as a processor keeps
/// busy at once.
const WIDE: usize = 32;
/// And where there are few.
const LANES: usize = 16;
/// Fewer columns than this are summed one by one, each in lanes along the rows.
const NARROW: usize = 4;
/// Partial sums of one column.
const PARTS: usize = 8;

/// Weights of a layer: `columns` sums over `rows` inputs.
#[derive(Debug)]
pub(crate) struct Weights<T = f32> {
    rows: usize,
    columns: usize,
    /// Columns of a panel.
    lanes: usize,
    /// Panels of columns, row by row, the last one filled up with zeros. Of one lane each is a
    /// column.
    panels: Vec<T>,
    /// As many as panels have columns.
    bias: Vec<T>,
}

impl<T: Number> Weights<T> {
    /// `weight` tells the weight of a row and a column.
    pub(crate) fn new(
        (rows, columns): (usize, usize),
        bias: Vec<T>,
        limits: &Limits,
        weight: impl Fn(usize, usize) -> Option<T>,
    ) -> Result<Self, Refusal> {
        if rows == 0 || columns == 0 || bias.len() != columns {
            return Err(Refusal::wrong("weights without rows or columns"));
        }
        let padded = columns.saturating_add(WIDE).saturating_mul(rows);
        let max = limits.constants_max.saturating_mul(2);
        if padded > max {
            return Err(Refusal::bound("weights", "2 x constants_max", max));
        }
        let lanes = match columns {
            ..NARROW => 1,
            NARROW..WIDE => LANES,
            _ => WIDE,
        };
        let mut panels = Vec::new();
        for first in (0..columns).step_by(lanes) {
            for row in 0..rows {
                let own = first..first.saturating_add(lanes);
                panels.extend(own.map(|column| {
                    let there = if column < columns {
                        weight(row, column)
                    } else {
                        None
                    };
                    there.unwrap_or_default()
                }));
            }
        }
        let mut bias = bias;
        bias.resize(columns.next_multiple_of(lanes), T::default());
        Ok(Self {
            rows,
            columns,
            lanes,
            panels,
            bias,
        })
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Multiply-adds for one row of inputs.
    pub(crate) fn work(&self) -> usize {
        self.rows.saturating_mul(self.columns)
    }

    pub(crate) fn bytes(&self) -> usize {
        let len = self.panels.len().saturating_add(self.bias.len());
        len.saturating_mul(size_of::<T>())
    }

    pub(crate) fn bias(&self, column: usize) -> Option<T> {
        self.bias.get(column).copied()
    }

    /// The weights of one column, by row.
    pub(crate) fn column(&self, column: usize) -> impl Iterator<Item = T> {
        let panel = column.checked_div(self.lanes).unwrap_or(0);
        let lane = column.checked_rem(self.lanes).unwrap_or(0);
        let size = self.rows.saturating_mul(self.lanes);
        let start = panel.saturating_mul(size).saturating_add(lane);
        let own = self.panels.iter().skip(start).step_by(self.lanes.max(1));
        own.take(self.rows).copied()
    }

    /// The sums for each row of inputs. Each sum is made in one order, whatever the others are.
    pub(crate) fn apply(&self, inputs: &[T], outputs: &mut [T]) {
        match self.lanes {
            1 => self.apply_columns(inputs, outputs),
            LANES => self.apply_panels::<LANES>(inputs, outputs),
            _ => self.apply_panels::<WIDE>(inputs, outputs),
        }
    }

    fn apply_columns(&self, inputs: &[T], outputs: &mut [T]) {
        let inputs = inputs.chunks_exact(self.rows.max(1));
        let outputs = outputs.chunks_exact_mut(self.columns.max(1));
        for (input, output) in inputs.zip(outputs) {
            let weights = self.panels.chunks_exact(self.rows.max(1));
            for ((place, weights), bias) in output.iter_mut().zip(weights).zip(&self.bias) {
                *place = bias.add(dot(input, weights));
            }
        }
    }

    fn apply_panels<const N: usize>(&self, inputs: &[T], outputs: &mut [T]) {
        let inputs = inputs.chunks_exact(self.rows.max(1));
        let outputs = outputs.chunks_exact_mut(self.columns.max(1));
        for (input, output) in inputs.zip(outputs) {
            let panels = self.panels.chunks_exact(self.rows.saturating_mul(N).max(1));
            let (biases, _) = self.bias.as_chunks::<N>();
            for ((place, panel), bias) in output.chunks_mut(N).zip(panels).zip(biases) {
                let mut sums = *bias;
                for (value, weights) in input.iter().zip(panel.as_chunks::<N>().0) {
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = sum.add(value.mul(*weight));
                    }
                }
                put(place, sums);
            }
        }
    }
}

/// Writes the first sums. By value and apart, so that those of the loop above stay in registers.
#[inline(never)]
fn put<T: Copy, const N: usize>(place: &mut [T], sums: [T; N]) {
    for (place, sum) in place.iter_mut().zip(sums) {
        *place = sum;
    }
}

/// The sum of products, in eight parts that are added at the end.
fn dot<T: Number>(a: &[T], b: &[T]) -> T {
    let (heads, tail) = a.as_chunks::<PARTS>();
    let (other_heads, other_tail) = b.as_chunks::<PARTS>();
    let mut parts = [T::default(); PARTS];
    for (a, b) in heads.iter().zip(other_heads) {
        for ((part, a), b) in parts.iter_mut().zip(a).zip(b) {
            *part = part.add(a.mul(*b));
        }
    }
    for ((part, a), b) in parts.iter_mut().zip(tail).zip(other_tail) {
        *part = part.add(a.mul(*b));
    }
    total(parts)
}

/// The sum of a list, in eight parts that are added at the end.
pub(super) fn sum<T: Number>(list: &[T]) -> T {
    let (heads, tail) = list.as_chunks::<PARTS>();
    let mut parts = [T::default(); PARTS];
    for head in heads {
        for (part, value) in parts.iter_mut().zip(head) {
            *part = part.add(*value);
        }
    }
    for (part, value) in parts.iter_mut().zip(tail) {
        *part = part.add(*value);
    }
    total(parts)
}

fn total<T: Number>([a, b, c, d, e, f, g, h]: [T; PARTS]) -> T {
    let (first, second) = (a.add(e).add(c.add(g)), b.add(f).add(d.add(h)));
    first.add(second)
}

/// The features of a sample, for what takes rows of them: `[N, features]`, or one sample.
pub(super) fn features(build: &Build<'_>) -> Result<(usize, Dim), Refusal> {
    let shape = &build.typed::<f32>(0)?.shape;
    match shape.dims() {
        [rows @ (Dim::Batch | Dim::Fixed(1)), Dim::Fixed(features)] => Ok((*features, *rows)),
        [Dim::Fixed(features)] => Ok((*features, Dim::Fixed(1))),
        _ => Err(Refusal::unsupported(format!(
            "an input of {shape}: [N, features] is taken"
        ))),
    }
}

pub(crate) fn regressor(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let (features, rows) = features(build)?;
    let targets = count(build.int("targets")?.unwrap_or(1))?;
    let transform = Transform::read(build)?;
    transform.of_several(targets)?;
    let weights = attributes(build, features, targets)?;
    let shape = build.shape(vec![rows, Dim::Fixed(targets)])?;
    built(
        vec![(Element::F32, shape)],
        Regressor { weights, transform },
    )
}

pub(crate) fn classifier(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    build.refuse("classlabels_strings", "train with integer labels")?;
    build.flag("multi_class", false)?;
    let (features, rows) = features(build)?;
    let transform = Transform::read(build)?;
    let labels = build.ints("classlabels_ints")?.unwrap_or_default().to_vec();
    let targets = build
        .floats("intercepts")?
        .map_or(labels.len(), <[f32]>::len);
    let weights = attributes(build, features, targets)?;
    let doubled = targets == 1 && labels.len() == 2;
    if !doubled && labels.len() != targets {
        let why = format!("{} labels for {targets} rows of weights", labels.len());
        return Err(Refusal::wrong(why));
    }
    if doubled && transform != Transform::None {
        let why = "one row of weights with a post_transform: runtimes differ; write both rows";
        return Err(Refusal::unsupported(why));
    }
    let scores = build.shape(vec![rows, Dim::Fixed(labels.len())])?;
    let sums = build.shape(vec![rows, Dim::Fixed(targets)])?;
    let label = build.shape(vec![rows])?;
    let outputs = vec![
        (Element::I64, label),
        (Element::F32, scores),
        (Element::F32, sums),
    ];
    let kernel = Classifier {
        weights,
        labels,
        transform,
    };
    built(outputs, kernel)
}

fn built(outputs: Vec<(Element, Shape)>, kernel: impl Kernel + 'static) -> Result<Built, Refusal> {
    let mut cost = Cost::default();
    if let Structure::Weighted(weights) = kernel.structure() {
        cost = Cost::work(weights.work());
        cost.constant_bytes = weights.bytes();
    }
    Ok(Built {
        outputs,
        making: Making::Kernel(Box::new(kernel)),
        cost,
        reads: 1,
    })
}

/// Coefficients and intercepts, as both operators write them.
fn attributes(build: &Build<'_>, features: usize, targets: usize) -> Result<Weights, Refusal> {
    let coefficients = build.floats("coefficients")?.unwrap_or_default();
    if coefficients.len() != features.saturating_mul(targets) {
        let why = format!(
            "{} coefficients for {features} features and {targets} targets",
            coefficients.len()
        );
        return Err(Refusal::wrong(why));
    }
    let bias = match build.floats("intercepts")? {
        None | Some([]) => vec![0.0; targets],
        Some(list) => list.to_vec(),
    };
    Weights::new((features, targets), bias, build.limits, |row, column| {
        let at = column.saturating_mul(features).saturating_add(row);
        coefficients.get(at).copied()
    })
}

pub(super) fn count(value: i64) -> Result<usize, Refusal> {
    let count = usize::try_from(value).ok().filter(|count| *count > 0);
    count.ok_or_else(|| Refusal::wrong(format!("{value} targets")))
}

#[derive(Debug)]
struct Regressor {
    weights: Weights,
    transform: Transform,
}

impl Kernel for Regressor {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let output = io.output::<f32>(0)?;
        self.weights.apply(input, output);
        for scores in output.chunks_exact_mut(self.weights.columns().max(1)) {
            self.transform.apply(scores);
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Weighted(&self.weights)
    }
}

#[derive(Debug)]
struct Classifier {
    weights: Weights,
    labels: Vec<i64>,
    transform: Transform,
}

impl Kernel for Classifier {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let (labels, scores, sums) = io.three_outputs::<i64, f32, f32>()?;
        self.weights.apply(input, sums);
        let sums = sums.chunks_exact(self.weights.columns().max(1));
        let scores = scores.chunks_exact_mut(self.labels.len().max(1));
        for ((label, scores), sums) in labels.iter_mut().zip(scores).zip(sums) {
            if let ([sum], [no, yes]) = (sums, &mut *scores) {
                let at = usize::from(*sum > 0.0);
                *label = self.labels.get(at).copied().unwrap_or_default();
                (*no, *yes) = (1.0 - sum, *sum);
                continue;
            }
            let mut best = (0, f32::NEG_INFINITY);
            for (at, sum) in sums.iter().enumerate() {
                if *sum > best.1 {
                    best = (at, *sum);
                }
            }
            *label = self.labels.get(best.0).copied().unwrap_or_default();
            scores.copy_from_slice(sums);
            self.transform.apply(scores);
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Weighted(&self.weights)
    }
}
