//! What is made of scores at the end.

use crate::error::Refusal;
use crate::math;
use crate::ops::{Build, softmax};
use crate::tensor::narrow;

/// A `post_transform`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transform {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
}

impl Transform {
    pub(crate) fn read(build: &Build<'_>) -> Result<Self, Refusal> {
        match build.text("post_transform")?.unwrap_or("NONE") {
            "NONE" => Ok(Self::None),
            "LOGISTIC" => Ok(Self::Logistic),
            "SOFTMAX" => Ok(Self::Softmax),
            "SOFTMAX_ZERO" => Ok(Self::SoftmaxZero),
            "PROBIT" => {
                let why = "PROBIT: runtimes approximate it, each in its way";
                Err(Refusal::unsupported(why))
            }
            other => Err(Refusal::wrong(format!("`post_transform` is `{other}`"))),
        }
    }

    /// Refuses a transform of a single score, which runtimes leave out.
    pub(crate) fn of_several(self, scores: usize) -> Result<(), Refusal> {
        if scores == 1 && self != Self::None {
            let why = "a post_transform of one target: runtimes leave it out; write an operator";
            return Err(Refusal::unsupported(why));
        }
        Ok(())
    }

    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Logistic => {
                for score in scores {
                    *score = logistic(*score);
                }
            }
            Self::Softmax => softmax::in_place(scores),
            Self::SoftmaxZero => softmax_zero(scores),
        }
    }
}

pub(crate) fn logistic(x: f32) -> f32 {
    narrow(math::logistic(f64::from(x)))
}

/// Softmax over the scores that are not 0: those have no part in the sum.
fn softmax_zero(scores: &mut [f32]) {
    let most = f64::from(softmax::most(scores));
    let mut sum = 0.0_f64;
    for score in scores.iter_mut() {
        let value = f64::from(*score);
        *score = if score.abs() > ZERO {
            let power = math::exp(value - most);
            sum += power;
            narrow(power)
        } else {
            narrow(value * math::exp(-most))
        };
    }
    if sum > 0.0 {
        for score in scores {
            *score = narrow(f64::from(*score) / sum);
        }
    }
}

/// What counts as 0.
const ZERO: f32 = 1e-7;
