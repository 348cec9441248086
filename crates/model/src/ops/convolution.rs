//! Convolutions and pools along one dimension: `[N, channels, length]`.

use super::{Build, Built, Io, Kernel};
use crate::error::{Fault, Refusal};
use crate::tensor::{Dim, Element, Shape, narrow};

/// How a window moves.
#[derive(Clone, Copy, Debug)]
struct Window {
    size: usize,
    stride: usize,
    dilation: usize,
    /// Zeros before the first element.
    before: usize,
    /// Positions of the window.
    steps: usize,
}

impl Window {
    fn read(build: &Build<'_>, length: usize, size: usize) -> Result<Self, Refusal> {
        let auto = build.text("auto_pad")?.unwrap_or("NOTSET");
        if !matches!(auto, "NOTSET" | "VALID") {
            return Err(Refusal::unsupported(
                "`auto_pad`: export with explicit `pads`",
            ));
        }
        let one = |name, default: usize| match build.ints(name)? {
            None => Ok(default),
            Some([value]) => usize::try_from(*value)
                .ok()
                .filter(|value| *value > 0 && *value <= build.limits.dim_max)
                .ok_or_else(|| Refusal::wrong(format!("`{name}` is {value}"))),
            Some(_) => Err(Refusal::unsupported(format!(
                "`{name}` of several dimensions"
            ))),
        };
        let (stride, dilation) = (one("strides", 1)?, one("dilations", 1)?);
        if one("kernel_shape", size)? != size {
            return Err(Refusal::wrong("`kernel_shape` is not that of the weights"));
        }
        let (before, after) = match build.ints("pads")? {
            None => (0, 0),
            Some([before, after]) => {
                let pad = |value: &i64| usize::try_from(*value).ok().filter(|pad| *pad <= length);
                let pads = pad(before).zip(pad(after));
                pads.ok_or_else(|| Refusal::wrong("`pads` below 0 or over the length"))?
            }
            Some(_) => return Err(Refusal::unsupported("`pads` of several dimensions")),
        };
        let span = size
            .saturating_sub(1)
            .saturating_mul(dilation)
            .saturating_add(1);
        let padded = length.saturating_add(before).saturating_add(after);
        let Some(room) = padded.checked_sub(span) else {
            return Err(Refusal::wrong("a window wider than what it moves over"));
        };
        let steps = room.checked_div(stride).unwrap_or(0).saturating_add(1);
        Ok(Self {
            size,
            stride,
            dilation,
            before,
            steps,
        })
    }

    /// The elements that the window's `at`-th part meets: from which step on, and which element.
    fn meets(&self, at: usize) -> (usize, usize) {
        let offset = at.saturating_mul(self.dilation);
        let missing = self.before.saturating_sub(offset);
        let first = missing.div_ceil(self.stride.max(1));
        let start = first.saturating_mul(self.stride).saturating_add(offset);
        (first, start.saturating_sub(self.before))
    }
}

fn channels(shape: &Shape) -> Result<(Dim, usize, usize), Refusal> {
    match shape.dims() {
        [
            batch @ (Dim::Batch | Dim::Fixed(1)),
            Dim::Fixed(channels),
            Dim::Fixed(length),
        ] => Ok((*batch, *channels, *length)),
        _ => {
            let why = format!("an input of {shape}: [N, channels, length] is taken");
            Err(Refusal::unsupported(why))
        }
    }
}

pub(crate) fn conv(build: &Build<'_>) -> Result<Built, Refusal> {
    build.inputs_max(3)?;
    let (batch, inputs, length) = channels(&build.typed::<f32>(0)?.shape)?;
    let weights = build.constant::<f32>(1)?;
    let weights = weights
        .ok_or_else(|| Refusal::wrong("no weights"))?
        .to_vec();
    let shape = &build.input(1)?.shape;
    let [Dim::Fixed(outputs), Dim::Fixed(depth), Dim::Fixed(size)] = shape.dims() else {
        return Err(Refusal::unsupported(format!(
            "weights of {shape}: 1-D alone is taken"
        )));
    };
    let groups = build.int("group")?.unwrap_or(1);
    let groups = usize::try_from(groups).ok().filter(|groups| *groups > 0);
    let groups = groups.ok_or_else(|| Refusal::wrong("`group` below 1"))?;
    if depth.checked_mul(groups) != Some(inputs) || outputs.checked_rem(groups) != Some(0) {
        let why = format!("{inputs} channels in {groups} groups for weights of {shape}");
        return Err(Refusal::wrong(why));
    }
    let bias = match build.constant::<f32>(2)? {
        None => vec![0.0; *outputs],
        Some(bias) if bias.len() == *outputs => bias.to_vec(),
        Some(_) => {
            return Err(Refusal::wrong(
                "a bias of another length than there are outputs",
            ));
        }
    };
    let window = Window::read(build, length, *size)?;
    let out = build.shape(vec![batch, Dim::Fixed(*outputs), Dim::Fixed(window.steps)])?;
    let work = out.sample_len().saturating_mul(depth.saturating_mul(*size));
    let kernel = Conv {
        window,
        weights,
        bias,
        inputs,
        length,
        depth: *depth,
        group: outputs.checked_div(groups).unwrap_or(1),
    };
    Ok(Built::costly(Element::F32, out, kernel, work).reading(1))
}

#[derive(Debug)]
struct Conv {
    window: Window,
    weights: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
    length: usize,
    /// Channels that one output sees.
    depth: usize,
    /// Outputs of one group.
    group: usize,
}

impl Kernel for Conv {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let output = io.output::<f32>(0)?;
        let steps = self.window.steps.max(1);
        let sample = self.inputs.saturating_mul(self.length).max(1);
        let row = self.depth.saturating_mul(self.window.size).max(1);
        let outputs = steps.saturating_mul(self.bias.len()).max(1);
        for (input, output) in input
            .chunks_exact(sample)
            .zip(output.chunks_exact_mut(outputs))
        {
            let groups = input.chunks_exact(self.depth.saturating_mul(self.length).max(1));
            let mut kernels = self.weights.chunks_exact(row).zip(&self.bias);
            let blocks = output.chunks_exact_mut(steps.saturating_mul(self.group).max(1));
            for (group, block) in groups.zip(blocks) {
                for (output, (weights, bias)) in block.chunks_exact_mut(steps).zip(&mut kernels) {
                    output.fill(*bias);
                    self.slide(group, weights, output);
                }
            }
        }
        Ok(())
    }
}

impl Conv {
    /// Adds what one output sees of its channels.
    fn slide(&self, group: &[f32], weights: &[f32], output: &mut [f32]) {
        let channels = group.chunks_exact(self.length.max(1));
        for (channel, weights) in channels.zip(weights.chunks_exact(self.window.size.max(1))) {
            for (at, weight) in weights.iter().enumerate() {
                let (first, start) = self.window.meets(at);
                let output = output.get_mut(first..).unwrap_or_default();
                let values = channel.get(start..).unwrap_or_default();
                if self.window.stride == 1 {
                    for (place, value) in output.iter_mut().zip(values) {
                        *place += value * weight;
                    }
                } else {
                    let values = values.iter().step_by(self.window.stride);
                    for (place, value) in output.iter_mut().zip(values) {
                        *place += value * weight;
                    }
                }
            }
        }
    }
}

pub(crate) fn max_pool(build: &Build<'_>) -> Result<Built, Refusal> {
    build.int("storage_order")?;
    pool(build, true)
}

pub(crate) fn average_pool(build: &Build<'_>) -> Result<Built, Refusal> {
    if build.flag("count_include_pad", false)? {
        return Err(Refusal::unsupported(
            "`count_include_pad`: padding has no part in the average",
        ));
    }
    pool(build, false)
}

fn pool(build: &Build<'_>, most: bool) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let (batch, channels, length) = channels(&build.typed::<f32>(0)?.shape)?;
    if build.flag("ceil_mode", false)? {
        return Err(Refusal::unsupported(
            "`ceil_mode`: runtimes differ; pad instead",
        ));
    }
    let Some([size]) = build.ints("kernel_shape")? else {
        return Err(Refusal::unsupported(
            "`kernel_shape` of other than one dimension",
        ));
    };
    let size = usize::try_from(*size)
        .ok()
        .filter(|size| *size > 0 && *size <= length.max(1));
    let size =
        size.ok_or_else(|| Refusal::wrong("`kernel_shape` outside of what it moves over"))?;
    let window = Window::read(build, length, size)?;
    if window.before >= size {
        return Err(Refusal::wrong("`pads` as wide as the window"));
    }
    let shape = build.shape(vec![batch, Dim::Fixed(channels), Dim::Fixed(window.steps)])?;
    let counts = build.shape(vec![Dim::Fixed(window.steps)])?;
    let work = shape.sample_len().saturating_mul(size);
    let kernel = Pool {
        window,
        length,
        most,
    };
    let mut built = Built::costly(Element::F32, shape, kernel, work);
    built.outputs.push((Element::F32, counts));
    Ok(built)
}

#[derive(Debug)]
struct Pool {
    window: Window,
    length: usize,
    most: bool,
}

impl Kernel for Pool {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let (output, counts) = io.two_outputs::<f32, f32>()?;
        let stride = self.window.stride.max(1);
        let outputs = output.chunks_exact_mut(self.window.steps.max(1));
        for (channel, output) in input.chunks_exact(self.length.max(1)).zip(outputs) {
            output.fill(if self.most { f32::NEG_INFINITY } else { 0.0 });
            counts.fill(0.0);
            for at in 0..self.window.size {
                let (first, start) = self.window.meets(at);
                let output = output.get_mut(first..).unwrap_or_default();
                let counts = counts.get_mut(first..).unwrap_or_default();
                let values = channel.get(start..).unwrap_or_default();
                let values = values.iter().step_by(stride);
                for ((place, count), value) in output.iter_mut().zip(counts).zip(values) {
                    *place = if self.most {
                        place.max(*value)
                    } else {
                        *place + value
                    };
                    *count += 1.0;
                }
            }
            if !self.most {
                for (place, count) in output.iter_mut().zip(&*counts) {
                    *place /= count.max(1.0);
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn global_max_pool(build: &Build<'_>) -> Result<Built, Refusal> {
    global(build, true)
}

pub(crate) fn global_average_pool(build: &Build<'_>) -> Result<Built, Refusal> {
    global(build, false)
}

fn global(build: &Build<'_>, most: bool) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let (batch, channels, length) = channels(&build.typed::<f32>(0)?.shape)?;
    if length == 0 {
        return Err(Refusal::wrong("a length of 0"));
    }
    let shape = build.shape(vec![batch, Dim::Fixed(channels), Dim::Fixed(1)])?;
    let work = channels.saturating_mul(length);
    Ok(Built::costly(
        Element::F32,
        shape,
        Global { length, most },
        work,
    ))
}

#[derive(Debug)]
struct Global {
    length: usize,
    most: bool,
}

impl Kernel for Global {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let count = u32::try_from(self.length).unwrap_or(u32::MAX);
        let channels = input.chunks_exact(self.length.max(1));
        for (place, channel) in io.output::<f32>(0)?.iter_mut().zip(channels) {
            *place = if self.most {
                super::softmax::most(channel)
            } else {
                narrow(f64::from(super::linear::sum(channel)) / f64::from(count))
            };
        }
        Ok(())
    }
}
