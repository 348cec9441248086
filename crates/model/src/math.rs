//! Exponentials and logarithms of our own.
//!
//! The C library's differ in their last bits between its versions and between processors, and a
//! verdict must not. These are sums and products of IEEE doubles alone, which every processor
//! rounds alike; they are exact to about 1e-15, far below a 32-bit float's last bit.

use std::f64::consts::{LOG2_E, SQRT_2};

/// e to the power of x.
pub(crate) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.78 {
        return f64::INFINITY;
    }
    if x < -745.2 {
        return 0.0;
    }
    let power = (x * LOG2_E).round();
    let rest = (x - power * LN_2_HIGH) - power * LN_2_LOW;
    let series = EXP_SERIES
        .iter()
        .rev()
        .fold(0.0, |sum, term| sum * rest + term);
    scale(series, power)
}

/// The natural logarithm.
pub(crate) fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_infinite() {
        return x;
    }
    let (mut fraction, mut power) = split(x);
    if fraction > SQRT_2 {
        fraction *= 0.5;
        power += 1.0;
    }
    let s = (fraction - 1.0) / (fraction + 1.0);
    let square = s * s;
    let series = (0_u8..12).rev().fold(0.0, |sum, at| {
        sum * square + 1.0 / (2.0 * f64::from(at) + 1.0)
    });
    power * LN_2_HIGH + (2.0 * s * series + power * LN_2_LOW)
}

/// The hyperbolic tangent.
pub(crate) fn tanh(x: f64) -> f64 {
    if x.abs() < 0.02 {
        let square = x * x;
        return x * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0 - square * 17.0 / 315.0)));
    }
    let e = exp(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// 1 / (1 + e^-x).
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// x to the power of y, with the corner cases of C's `pow`.
pub(crate) fn pow(x: f64, y: f64) -> f64 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    if y == 1.0 {
        return x;
    }
    if y == 2.0 {
        return x * x;
    }
    if y.is_infinite() {
        let grows = (x.abs() > 1.0) == (y > 0.0);
        return if x == -1.0 {
            1.0
        } else if grows {
            f64::INFINITY
        } else {
            0.0
        };
    }
    let whole = y.trunc() == y;
    let odd = whole && (y * 0.5).trunc() != y * 0.5;
    if x < 0.0 && x.is_finite() && !whole {
        return f64::NAN;
    }
    let size = if x == 0.0 || x.is_infinite() {
        if (x == 0.0) == (y > 0.0) {
            0.0
        } else {
            f64::INFINITY
        }
    } else {
        exp(y * ln(x.abs()))
    };
    if odd && x.is_sign_negative() {
        -size
    } else {
        size
    }
}

/// A number times a power of two, in two steps: the power alone may be too large or too small.
fn scale(x: f64, power: f64) -> f64 {
    let half = (power * 0.5).round();
    x * two_to(half) * two_to(power - half)
}

/// Two to the power of a whole number between -1022 and 1023.
fn two_to(power: f64) -> f64 {
    // Adding 1.5 x 2^52 leaves a whole number in the lowest bits.
    let whole = (power + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits());
    f64::from_bits(whole.wrapping_add(1023) << 52)
}

/// A positive number as one in [1, 2) times a power of two.
fn split(x: f64) -> (f64, f64) {
    let (x, lifted) = if x < f64::MIN_POSITIVE {
        (x * 18_014_398_509_481_984.0, 54.0)
    } else {
        (x, 0.0)
    };
    let bits = x.to_bits();
    let power = u16::try_from(bits >> 52).unwrap_or_default();
    let fraction = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    (fraction, f64::from(power) - 1023.0 - lifted)
}

const WHOLE: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts: the first ends in zeros, so that its product with a power is exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1/n!, so that 0.35^14/14! is below a double's last bit.
const EXP_SERIES: [f64; 14] = [
    1.0,
    1.0,
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Apart by so many parts of the value, or equal where that has no meaning.
    fn near(ours: f64, theirs: f64, parts: f64) -> bool {
        ours == theirs
            || (ours.is_nan() && theirs.is_nan())
            // Below the smallest normal number there are fewer digits.
            || (ours - theirs).abs() <= theirs.abs().max(f64::MIN_POSITIVE) * parts
    }

    #[test]
    fn they_agree_with_the_c_library() {
        for step in -80_000_i32..80_000 {
            let x = f64::from(step) / 100.0 + 0.003;
            assert!(
                near(exp(x), x.exp(), 4e-15),
                "exp {x}: {} {}",
                exp(x),
                x.exp()
            );
            assert!(near(tanh(x / 100.0), (x / 100.0).tanh(), 1e-11), "tanh {x}");
            let y = x.exp();
            assert!(
                y == 0.0 || near(ln(y), y.ln(), 4e-15),
                "ln {y}: {} {}",
                ln(y),
                y.ln()
            );
            let power = f64::from(step % 7) / 2.0;
            assert!(near(pow(x, power), x.powf(power), 1e-13), "{x} ^ {power}");
        }
    }

    #[test]
    fn corners_are_those_of_c() {
        let corners = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -3.0, 1e308, 5e-324];
        let corners = corners
            .into_iter()
            .chain([f64::NAN, f64::INFINITY, -f64::INFINITY]);
        for x in corners.clone() {
            assert!(near(exp(x), x.exp(), 1e-14), "exp {x}");
            assert!(near(ln(x), x.ln(), 1e-14), "ln {x}");
            assert!(near(tanh(x), x.tanh(), 1e-14), "tanh {x}");
            for y in corners.clone() {
                let (ours, theirs) = (pow(x, y), x.powf(y));
                assert!(near(ours, theirs, 1e-12), "{x} ^ {y}: {ours} {theirs}");
                let same = ours.is_sign_negative() == theirs.is_sign_negative();
                assert!(same || ours.is_nan(), "{x} ^ {y}");
            }
        }
    }
}
