//! Operators that prepare features: scaling, normal forms, what stands for missing values.

use super::layout::joined;
use super::linear::features;
use super::pointwise;
use super::{Build, Built, Io, Kernel, Structure};
use crate::error::{Fault, Refusal};
use crate::tensor::{Dim, Element, Scalar, narrow};

pub(crate) fn scaler(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let shape = build.typed::<f32>(0)?.shape.clone();
    let (features, _) = features(build)?;
    let list = |name, default: f32| match build.floats(name)? {
        None | Some([]) => Ok(vec![default; features]),
        Some([one]) => Ok(vec![*one; features]),
        Some(list) if list.len() == features => Ok(list.to_vec()),
        Some(list) => {
            let why = format!("`{name}` of {} for {features} features", list.len());
            Err(Refusal::wrong(why))
        }
    };
    let kernel = Scale {
        before: list("offset", 0.0)?,
        scale: list("scale", 1.0)?,
        after: vec![0.0; features],
        block: 1,
    };
    Ok(Built::one(Element::F32, shape, kernel))
}

/// At inference: each channel moved and scaled.
pub(crate) fn batch_normalization(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(5)?;
    build.float("momentum")?;
    if build.flag("training_mode", false)? || !build.flag("spatial", true)? {
        return Err(Refusal::unsupported(
            "`training_mode`, or not `spatial`: export for inference",
        ));
    }
    let shape = build.typed::<f32>(0)?.shape.clone();
    let channels = shape.size(1)?;
    let list = |at| {
        let list = build.constant::<f32>(at)?.unwrap_or_default();
        if list.len() == channels {
            return Ok(list);
        }
        Err(Refusal::wrong(format!(
            "input {at} is not one number for each channel"
        )))
    };
    let (scale, after, before, variance) = (list(1)?, list(2)?, list(3)?, list(4)?);
    let epsilon = f64::from(build.float("epsilon")?.unwrap_or(1e-5));
    let scales = scale.iter().zip(variance);
    let scale = scales.map(|(scale, variance)| {
        narrow(f64::from(*scale) / (f64::from(*variance) + epsilon).sqrt())
    });
    let scale: Vec<f32> = scale.collect();
    if scale.iter().any(|scale| !scale.is_finite()) {
        return Err(Refusal::wrong("a variance below 0"));
    }
    let (_, block) = shape.around(1);
    let kernel = Scale {
        before: before.to_vec(),
        scale,
        after: after.to_vec(),
        block,
    };
    Ok(Built::one(Element::F32, shape, kernel).reading(1))
}

/// (x - before) * scale + after, for each channel of blocks.
#[derive(Debug)]
struct Scale {
    before: Vec<f32>,
    scale: Vec<f32>,
    after: Vec<f32>,
    /// Elements of a channel of a sample.
    block: usize,
}

impl Kernel for Scale {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let sample = self.scale.len().saturating_mul(self.block).max(1);
        let outputs = io.output::<f32>(0)?.chunks_exact_mut(sample);
        for (input, output) in input.chunks_exact(sample).zip(outputs) {
            let block = self.block.max(1);
            let blocks = input
                .chunks_exact(block)
                .zip(output.chunks_exact_mut(block));
            let channels = self.before.iter().zip(&self.scale).zip(&self.after);
            for ((input, output), ((before, scale), after)) in blocks.zip(channels) {
                for (place, value) in output.iter_mut().zip(input) {
                    *place = (value - before) * scale + after;
                }
            }
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Elementwise(0)
    }
}

pub(crate) fn binarizer(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let threshold = build.float("threshold")?.unwrap_or(0.0);
    pointwise::map(build, move |x: f32| f32::from(u8::from(x > threshold)))
}

/// All inputs side by side, each of the size that is said.
pub(crate) fn feature_vectorizer(build: &Build<'_>) -> Result<Built, Refusal> {
    let sizes = build.ints("inputdimensions")?.unwrap_or_default();
    if sizes.len() != build.inputs().len() {
        return Err(Refusal::wrong(
            "`inputdimensions` of another length than there are inputs",
        ));
    }
    for (at, size) in sizes.iter().enumerate() {
        let shape = &build.typed::<f32>(at)?.shape;
        if shape.rank() != 2 || usize::try_from(*size) != Ok(shape.size(1)?) {
            let why = format!("input {at} of {shape} for a size of {size}");
            return Err(Refusal::unsupported(why));
        }
    }
    joined(build, 1)
}

pub(crate) fn imputer(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    match build.input(0)?.element {
        Element::F32 => {
            let values = build.floats("imputed_value_floats")?.unwrap_or_default();
            let missing = build.any_float("replaced_value_float")?.unwrap_or(0.0);
            build.refuse("imputed_value_int64s", "the input is float32")?;
            build.int("replaced_value_int64")?;
            imputed(build, values, missing)
        }
        Element::I64 => {
            let values = build.ints("imputed_value_int64s")?.unwrap_or_default();
            let missing = build.int("replaced_value_int64")?.unwrap_or(0);
            build.refuse("imputed_value_floats", "the input is int64")?;
            build.any_float("replaced_value_float")?;
            imputed(build, values, missing)
        }
        Element::F64 | Element::I32 | Element::Bool => {
            Err(Refusal::unsupported("export with an input of float32"))
        }
    }
}

fn imputed<T: Scalar>(build: &Build<'_>, values: &[T], missing: T) -> Result<Built, Refusal> {
    let shape = build.input(0)?.shape.clone();
    let [.., Dim::Fixed(features)] = shape.dims() else {
        return Err(Refusal::wrong(format!("an input of {shape}")));
    };
    let values = match values {
        [one] => vec![*one; *features],
        list if list.len() == *features => list.to_vec(),
        list => {
            let why = format!("{} values for {features} features", list.len());
            return Err(Refusal::wrong(why));
        }
    };
    Ok(Built::one(
        T::ELEMENT,
        shape.clone(),
        Impute { values, missing },
    ))
}

#[derive(Debug)]
struct Impute<T> {
    values: Vec<T>,
    missing: T,
}

impl<T: Scalar> Kernel for Impute<T> {
    #[expect(clippy::eq_op, reason = "what is not itself is NaN")]
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<T>(0)?;
        let len = self.values.len().max(1);
        let rows = io.output::<T>(0)?.chunks_exact_mut(len);
        let missing_is_nan = self.missing != self.missing;
        for (input, output) in input.chunks_exact(len).zip(rows) {
            for ((place, value), instead) in output.iter_mut().zip(input).zip(&self.values) {
                let is_nan = *value != *value;
                let replaced = *value == self.missing || is_nan && missing_is_nan;
                *place = if replaced { *instead } else { *value };
            }
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Elementwise(0)
    }
}

pub(crate) fn normalizer(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let (features, _) = features(build)?;
    let norm = match build.text("norm")?.unwrap_or("MAX") {
        "MAX" => Norm::Max,
        "L1" => Norm::L1,
        "L2" => Norm::L2,
        other => return Err(Refusal::wrong(format!("`norm` is `{other}`"))),
    };
    let shape = build.input(0)?.shape.clone();
    Ok(Built::one(
        Element::F32,
        shape,
        Normalize { features, norm },
    ))
}

#[derive(Clone, Copy, Debug)]
enum Norm {
    Max,
    L1,
    L2,
}

#[derive(Debug)]
struct Normalize {
    features: usize,
    norm: Norm,
}

impl Kernel for Normalize {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let len = self.features.max(1);
        let rows = io.output::<f32>(0)?.chunks_exact_mut(len);
        for (input, output) in input.chunks_exact(len).zip(rows) {
            let norm = match self.norm {
                Norm::Max => super::softmax::most(input),
                Norm::L1 => input.iter().map(|value| value.abs()).sum(),
                Norm::L2 => input.iter().map(|value| value * value).sum::<f32>().sqrt(),
            };
            for (place, value) in output.iter_mut().zip(input) {
                *place = if norm == 0.0 { *value } else { value / norm };
            }
        }
        Ok(())
    }
}
