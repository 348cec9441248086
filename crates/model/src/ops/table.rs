//! The one table of operators; `docs/spec/onnx.md` is tested against it.

use super::{
    Build, Built, arithmetic, choose, convolution, gather, layout, linear, pointwise, prepare,
    product, reduce, softmax, trees,
};
use crate::error::Refusal;

/// An operator that is evaluated.
#[derive(Debug)]
pub(crate) struct Operator {
    /// Whether it is of ai.onnx.ml, and not of ONNX's own.
    pub(crate) ml: bool,
    pub(crate) name: &'static str,
    /// What of it is evaluated, where that is not all.
    pub(crate) what: &'static str,
    /// How many outputs it has at most.
    pub(crate) outputs: usize,
    pub(crate) build: fn(&Build<'_>) -> Result<Built, Refusal>,
}

/// The operator of a domain and a name.
pub(crate) fn find(ml: bool, name: &str) -> Option<&'static Operator> {
    let mut operators = OPERATORS.iter();
    operators.find(|operator| operator.ml == ml && operator.name == name)
}

const fn own(
    name: &'static str,
    what: &'static str,
    build: fn(&Build<'_>) -> Result<Built, Refusal>,
) -> Operator {
    Operator {
        ml: false,
        name,
        what,
        outputs: 1,
        build,
    }
}

const fn ml(
    name: &'static str,
    what: &'static str,
    outputs: usize,
    build: fn(&Build<'_>) -> Result<Built, Refusal>,
) -> Operator {
    Operator {
        ml: true,
        name,
        what,
        outputs,
        build,
    }
}

const fn split(mut operator: Operator, outputs: usize) -> Operator {
    operator.outputs = outputs;
    operator
}

const NUMBERS: &str = "float32, float64, int64, int32";
const REALS: &str = "float32, float64";
const F32: &str = "float32";
const AXES: &str = "float32, float64; axes other than the batch, constant";
const ORDERED: &str = "float32, float64, int64, int32; sums of integers wrap";

/// Every operator, in the order of its name. An unknown one is refused by name.
pub(crate) const OPERATORS: &[Operator] = &[
    own("Abs", NUMBERS, pointwise::abs),
    own("Add", ORDERED, arithmetic::add),
    own("And", "bool", choose::and),
    own(
        "ArgMax",
        "float32, float64; axis other than the batch",
        reduce::arg_max,
    ),
    own(
        "ArgMin",
        "float32, float64; axis other than the batch",
        reduce::arg_min,
    ),
    own(
        "AveragePool",
        "1-D; float32; padding apart from the average",
        convolution::average_pool,
    ),
    own(
        "BatchNormalization",
        "inference; float32; all but the data constant",
        prepare::batch_normalization,
    ),
    own(
        "Cast",
        "between float32, float64, int64, int32, bool; floats saturate",
        pointwise::cast,
    ),
    own("Ceil", REALS, pointwise::ceil),
    own("Clip", "numbers; constant bounds", pointwise::clip),
    own("Concat", "axis other than the batch", layout::concat),
    own("Constant", "tensors and numbers", layout::constant),
    own(
        "Conv",
        "1-D; float32; constant weights; explicit pads",
        convolution::conv,
    ),
    own(
        "Div",
        "float32, float64, int64, int32; an integer over 0 is 0",
        arithmetic::div,
    ),
    own("Dropout", "inference: its input", layout::dropout),
    own("Elu", REALS, pointwise::elu),
    own("Equal", "any", choose::equal),
    own("Exp", REALS, pointwise::exp),
    own("Flatten", "axis behind the batch", layout::flatten),
    own("Floor", REALS, pointwise::floor),
    own(
        "Gather",
        "constant indices, or a constant table behind no axis",
        gather::gather,
    ),
    own(
        "Gemm",
        "float32, float64; constant B and C; transA 0",
        product::gemm,
    ),
    own("GlobalAveragePool", F32, convolution::global_average_pool),
    own("GlobalMaxPool", F32, convolution::global_max_pool),
    own("Greater", "numbers", choose::greater),
    own("GreaterOrEqual", "numbers", choose::greater_or_equal),
    own("HardSigmoid", REALS, pointwise::hard_sigmoid),
    own("Identity", "any", layout::identity),
    own("LeakyRelu", REALS, pointwise::leaky_relu),
    own("Less", "numbers", choose::less),
    own("LessOrEqual", "numbers", choose::less_or_equal),
    own("Log", REALS, pointwise::log),
    own(
        "LogSoftmax",
        "float32; axis other than the batch",
        softmax::log_softmax,
    ),
    own(
        "MatMul",
        "float32, float64; constant B, or as many matrices on both sides",
        product::matmul,
    ),
    own("Max", NUMBERS, arithmetic::max),
    own(
        "MaxPool",
        "1-D; float32; explicit pads; values alone",
        convolution::max_pool,
    ),
    own("Min", NUMBERS, arithmetic::min),
    own("Mul", ORDERED, arithmetic::mul),
    own("Neg", NUMBERS, pointwise::neg),
    own("Not", "bool", choose::not),
    own("Or", "bool", choose::or),
    own(
        "Pow",
        "float32, float64; base and exponent alike",
        arithmetic::pow,
    ),
    own("Reciprocal", REALS, pointwise::reciprocal),
    own("ReduceL1", AXES, reduce::l1),
    own("ReduceL2", AXES, reduce::l2),
    own("ReduceLogSumExp", AXES, reduce::log_sum_exp),
    own("ReduceMax", AXES, reduce::max),
    own("ReduceMean", AXES, reduce::mean),
    own("ReduceMin", AXES, reduce::min),
    own("ReduceSum", AXES, reduce::sum),
    own("ReduceSumSquare", AXES, reduce::sum_square),
    own("Relu", NUMBERS, pointwise::relu),
    own(
        "Reshape",
        "constant shape; the batch stays first",
        layout::reshape,
    ),
    own("Sigmoid", REALS, pointwise::sigmoid),
    own("Sign", NUMBERS, pointwise::sign),
    own(
        "Slice",
        "constant; axes other than the batch",
        layout::slice,
    ),
    own(
        "Softmax",
        "float32; axis other than the batch",
        softmax::softmax,
    ),
    own("Softplus", REALS, pointwise::softplus),
    split(
        own(
            "Split",
            "constant; axis other than the batch",
            layout::split,
        ),
        64,
    ),
    own("Sqrt", REALS, pointwise::sqrt),
    own(
        "Squeeze",
        "axes other than the batch, constant",
        layout::squeeze,
    ),
    own("Sub", ORDERED, arithmetic::sub),
    own("Sum", ORDERED, arithmetic::add),
    own("Tanh", REALS, pointwise::tanh),
    own("Transpose", "the batch stays first", layout::transpose),
    own("Unsqueeze", "constant axes", layout::unsqueeze),
    own("Where", "any", choose::select),
    own("Xor", "bool", choose::xor),
    ml(
        "ArrayFeatureExtractor",
        "constant indices, or a constant table of one row",
        1,
        gather::extract,
    ),
    ml("Binarizer", F32, 1, prepare::binarizer),
    ml(
        "FeatureVectorizer",
        "float32, of the sizes that it names",
        1,
        prepare::feature_vectorizer,
    ),
    ml("Imputer", "float32, int64", 1, prepare::imputer),
    ml(
        "LinearClassifier",
        "float32; int64 labels; NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO",
        2,
        linear::classifier,
    ),
    ml(
        "LinearRegressor",
        "float32; NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO",
        1,
        linear::regressor,
    ),
    ml("Normalizer", "float32; MAX, L1, L2", 1, prepare::normalizer),
    ml("Scaler", F32, 1, prepare::scaler),
    ml(
        "TreeEnsembleClassifier",
        "float32; int64 labels; all branches; NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO",
        2,
        trees::classifier,
    ),
    ml(
        "TreeEnsembleRegressor",
        "float32; all branches; SUM, AVERAGE, MIN, MAX; NONE, and for several targets SOFTMAX, LOGISTIC, SOFTMAX_ZERO",
        1,
        trees::regressor,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_stands_once_and_in_order() {
        let keys: Vec<_> = OPERATORS.iter().map(|one| (one.ml, one.name)).collect();
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(keys, sorted);
        assert!(find(true, "Scaler").is_some() && find(false, "Scaler").is_none());
    }

    #[test]
    fn the_documentation_lists_them() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/spec/onnx.md");
        #[expect(clippy::disallowed_methods, reason = "a test of a file")]
        let text = std::fs::read_to_string(path).unwrap();
        let table = text.split("## What is refused").next().unwrap();
        let rows: Vec<_> = table
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let expected: Vec<_> = OPERATORS
            .iter()
            .map(|one| {
                let domain = if one.ml { "ai.onnx.ml" } else { "" };
                format!("| `{}` | {domain} | {} |", one.name, one.what)
            })
            .collect();
        assert_eq!(rows, expected, "docs/spec/onnx.md is not up to date");
    }
}
