//! Softmax and its logarithm.

use super::reduce::Groups;
use super::{Build, Built, Io, Kernel, Structure};
use crate::error::{Fault, Refusal};
use crate::math;
use crate::tensor::{Element, narrow};

pub(crate) fn softmax(build: &Build<'_>) -> Result<Built, Refusal> {
    built(build, false)
}

pub(crate) fn log_softmax(build: &Build<'_>) -> Result<Built, Refusal> {
    built(build, true)
}

/// Before version 13 all axes from `axis` on are one, from then on it is one axis.
fn built(build: &Build<'_>, log: bool) -> Result<Built, Refusal> {
    build.inputs_max(1)?;
    let shape = &build.typed::<f32>(0)?.shape;
    let default = if build.opset < 13 { 1 } else { -1 };
    let axis = shape.axis(build.int("axis")?.unwrap_or(default))?;
    let axes: Vec<_> = match build.opset {
        ..13 => (axis..shape.rank()).collect(),
        _ => vec![axis],
    };
    let groups = Groups::new(shape, &axes)?;
    let room = groups.room(build)?;
    let work = shape.sample_len().saturating_mul(32);
    let kernel = Softmax { groups, log };
    let mut built = Built::costly(Element::F32, shape.clone(), kernel, work);
    built.outputs.push((Element::F32, room));
    Ok(built)
}

#[derive(Debug)]
struct Softmax {
    groups: Groups,
    log: bool,
}

impl Kernel for Softmax {
    fn run(&self, io: &mut Io<'_>) -> Result<(), Fault> {
        let input = io.input::<f32>(0)?;
        let (output, held) = io.two_outputs::<f32, f32>()?;
        let len = self.groups.len;
        let Some(map) = &self.groups.map else {
            output.copy_from_slice(input);
            for group in output.chunks_exact_mut(len.max(1)) {
                self.apply(group);
            }
            return Ok(());
        };
        let sample = self.groups.sample.max(1);
        for (input, output) in input
            .chunks_exact(sample)
            .zip(output.chunks_exact_mut(sample))
        {
            for group in map.chunks_exact(len.max(1)) {
                let held = held.get_mut(..len).ok_or(Fault::Buffer)?;
                for (place, index) in held.iter_mut().zip(group) {
                    let value = usize::try_from(*index).ok().and_then(|at| input.get(at));
                    *place = *value.ok_or(Fault::Buffer)?;
                }
                self.apply(held);
                for (value, index) in held.iter().zip(group) {
                    let place = usize::try_from(*index)
                        .ok()
                        .and_then(|at| output.get_mut(at));
                    *place.ok_or(Fault::Buffer)? = *value;
                }
            }
        }
        Ok(())
    }

    fn structure(&self) -> Structure<'_> {
        Structure::Weighed
    }
}

impl Softmax {
    fn apply(&self, group: &mut [f32]) {
        if !self.log {
            return in_place(group);
        }
        let most = f64::from(most(group));
        let terms = group
            .iter()
            .map(|value| math::exp(f64::from(*value) - most));
        let log = math::ln(terms.sum());
        for value in group {
            *value = narrow(f64::from(*value) - most - log);
        }
    }
}

/// Softmax over a list.
pub(super) fn in_place(group: &mut [f32]) {
    let most = f64::from(most(group));
    let mut sum = 0.0_f64;
    for value in group.iter_mut() {
        let power = math::exp(f64::from(*value) - most);
        sum += power;
        *value = narrow(power);
    }
    for value in group {
        *value = narrow(f64::from(*value) / sum);
    }
}

pub(super) fn most(list: &[f32]) -> f32 {
    list.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}
