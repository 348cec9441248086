"""Makes models as their users make them, with inputs and what ONNX Runtime says of them.

    models.py FOLDER ROWS [NAME...]

NAME may be `fixtures`, those that are committed, or `large`, those that are measured. For each
model: NAME.onnx, NAME.in0.f32 (or .i64), ..., NAME.out0.f32 (or .i64), ...: ROWS
samples as little-endian numbers.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

warnings.filterwarnings("ignore")
FEATURES = 6
OPSETS = {"": 17, "ai.onnx.ml": 3}
MODELS = {}


def model(make):
    MODELS[make.__name__] = make
    return make


# What trainers export.


def table(classes, features=FEATURES, rows=300):
    random = np.random.default_rng(7)
    x = random.normal(size=(rows, features)).astype(np.float32)
    score = x[:, 0] * 1.5 + np.sin(x[:, 1] * 2) + x[:, 2] * x[:, 3]
    if classes == 0:
        return x, score
    cuts = np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1])
    return x, np.digitize(score, cuts).astype(np.int64)


def from_sklearn(estimator, classes, features=FEATURES):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    x, y = table(classes, features)
    estimator.fit(x, y)
    has_scores = hasattr(estimator, "predict_proba")
    options = {id(estimator): {"zipmap": False}} if classes and has_scores else None
    kind = [("x", FloatTensorType([None, features]))]
    return convert_sklearn(estimator, initial_types=kind, options=options, target_opset=OPSETS)


def sklearn_model(name, classes, make, features=FEATURES):
    MODELS[name] = lambda: from_sklearn(make(), classes, features)


def sklearn_models():
    from sklearn import ensemble, linear_model, naive_bayes, neural_network, svm, tree
    from sklearn.pipeline import make_pipeline
    from sklearn.impute import SimpleImputer
    from sklearn import preprocessing, decomposition

    few = {"n_estimators": 5, "max_depth": 3, "random_state": 1}
    for classes in (2, 3):
        for name, make in {
            "logistic": lambda: linear_model.LogisticRegression(),
            "perceptron": lambda: neural_network.MLPClassifier((8, 4), max_iter=60, random_state=1),
            "perceptron_tanh": lambda: neural_network.MLPClassifier(
                (5,), activation="tanh", max_iter=60, random_state=1
            ),
            "forest": lambda: ensemble.RandomForestClassifier(**few),
            "boosting": lambda: ensemble.GradientBoostingClassifier(**few),
            "tree": lambda: tree.DecisionTreeClassifier(max_depth=4, random_state=1),
            "linear_svc": lambda: svm.LinearSVC(),
            "sgd": lambda: linear_model.SGDClassifier(loss="log_loss", random_state=1),
            "bayes": lambda: naive_bayes.GaussianNB(),
        }.items():
            sklearn_model(f"{name}_{classes}", classes, make)
    for name, make in {
        "scaled": lambda: make_pipeline(
            preprocessing.StandardScaler(), linear_model.LogisticRegression()
        ),
        "pipeline": lambda: make_pipeline(
            SimpleImputer(),
            preprocessing.MinMaxScaler(),
            preprocessing.Normalizer(),
            decomposition.PCA(3),
            linear_model.LogisticRegression(),
        ),
        "binarized": lambda: make_pipeline(
            preprocessing.Binarizer(threshold=0.3), linear_model.LogisticRegression()
        ),
    }.items():
        MODELS[name] = lambda make=make: from_pipeline(make())
    for name, make in {
        "linear_regression": lambda: linear_model.LinearRegression(),
        "forest_regression": lambda: ensemble.RandomForestRegressor(**few),
        "extra_trees_regression": lambda: ensemble.ExtraTreesRegressor(**few),
        "boosting_regression": lambda: ensemble.GradientBoostingRegressor(**few),
        "perceptron_regression": lambda: neural_network.MLPRegressor(
            hidden_layer_sizes=(8,), activation="logistic", max_iter=60, random_state=1
        ),
    }.items():
        sklearn_model(name, 0, make)


def from_pipeline(pipeline):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    x, y = table(2)
    pipeline.fit(x, y)
    kind = [("x", FloatTensorType([None, FEATURES]))]
    options = {id(pipeline): {"zipmap": False}}
    return convert_sklearn(pipeline, initial_types=kind, options=options, target_opset=OPSETS)


def from_lightgbm(estimator, classes, features=FEATURES, rows=300):
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    x, y = table(classes, features, rows)
    estimator.fit(x, y)
    kind = [("x", FloatTensorType([None, features]))]
    return convert_lightgbm(estimator, initial_types=kind, target_opset=15, zipmap=False)


def from_xgboost(estimator, classes):
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    x, y = table(classes)
    estimator.fit(x, y)
    kind = [("x", FloatTensorType([None, FEATURES]))]
    return convert_xgboost(estimator, initial_types=kind, target_opset=15)


def boosted(library, kind, **more):
    few = {"n_estimators": 8, "max_depth": 4, "random_state": 1}
    if library == "lightgbm":
        import lightgbm as module

        few["verbose"] = -1
        return getattr(module, f"LGBM{kind}")(**few, **more)
    import xgboost as module

    return getattr(module, f"XGB{kind}")(**few, **more)


@model
def lightgbm_2():
    return from_lightgbm(boosted("lightgbm", "Classifier"), 2)


@model
def lightgbm_3():
    return from_lightgbm(boosted("lightgbm", "Classifier"), 3)


@model
def lightgbm_regression():
    return from_lightgbm(boosted("lightgbm", "Regressor"), 0)


@model
def xgboost_2():
    return from_xgboost(boosted("xgboost", "Classifier"), 2)


@model
def xgboost_3():
    return from_xgboost(boosted("xgboost", "Classifier"), 3)


@model
def xgboost_regression():
    return from_xgboost(boosted("xgboost", "Regressor"), 0)


# Graphs by hand: what neural networks are exported as, and each operator on its own.


def numbers(*shape, seed=3, scale=0.5):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def graph(nodes, inputs, outputs, constants=None, opset=17):
    """`inputs` and `outputs`: (name, type, shape); the first dimension is the batch."""
    types = {"f": TensorProto.FLOAT, "i": TensorProto.INT64}
    ports = [
        [helper.make_tensor_value_info(name, types[kind], shape) for name, kind, shape in side]
        for side in (inputs, outputs)
    ]
    held = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    body = helper.make_graph(nodes, "g", ports[0], ports[1], held)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(body, opset_imports=opsets, ir_version=8)


def node(operator, inputs, outputs, **attributes):
    ml = {"TreeEnsembleClassifier", "TreeEnsembleRegressor", "LinearClassifier", "LinearRegressor",
          "Scaler", "Normalizer", "ArrayFeatureExtractor", "Binarizer", "Imputer",
          "FeatureVectorizer"}
    domain = "ai.onnx.ml" if operator in ml else ""
    return helper.make_node(operator, inputs.split(), outputs.split(), domain=domain, **attributes)


@model
def gather_sum():
    return hashed(64, 8)


def hashed(size, ids):
    return graph(
        [
            node("Gather", "weights ids", "terms", axis=0),
            node("ReduceSum", "terms axes", "sum", keepdims=1),
            node("Add", "sum bias", "logit"),
            node("Sigmoid", "logit", "score"),
        ],
        [("ids", "i", ["N", ids])],
        [("score", "f", ["N", 1])],
        {
            "weights": numbers(size),
            "axes": np.array([1], np.int64),
            "bias": np.array([0.25], np.float32),
        },
    )


@model
def dense():
    return perceptron([4, 8, 6, 1])


def perceptron(sizes):
    nodes, constants, last = [], {}, "x"
    for at, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
        constants[f"w{at}"] = numbers(columns, rows, seed=at)
        constants[f"b{at}"] = numbers(columns, seed=at + 50)
        nodes.append(node("Gemm", f"{last} w{at} b{at}", f"h{at}", transB=1))
        last = f"h{at}"
        if at + 2 < len(sizes):
            nodes.append(node("Relu", last, f"r{at}"))
            last = f"r{at}"
    nodes.append(node("Sigmoid", last, "score"))
    shapes = ["N", sizes[0]], ["N", sizes[-1]]
    return graph(nodes, [("x", "f", shapes[0])], [("score", "f", shapes[1])], constants)


@model
def convolution():
    """Characters by number: embedding, convolutions, pools, a head."""
    return graph(
        [
            node("Gather", "embedding ids", "e", axis=0),
            node("Transpose", "e", "t", perm=[0, 2, 1]),
            node("Conv", "t w0 b0", "c0", kernel_shape=[3], pads=[1, 1], name="first"),
            node("BatchNormalization", "c0 scale shift mean variance", "n0"),
            node("LeakyRelu", "n0", "r0", alpha=0.1),
            node("MaxPool", "r0", "p0", kernel_shape=[2], strides=[2]),
            node("Conv", "p0 w1", "c1", kernel_shape=[3], strides=[2], dilations=[2], group=2),
            node("Relu", "c1", "r1"),
            node("GlobalMaxPool", "r1", "m"),
            node("GlobalAveragePool", "r1", "a"),
            node("Concat", "m a", "ma", axis=1),
            node("Flatten", "ma", "f"),
            node("Gemm", "f w2 b2", "logits"),
            node("Softmax", "logits", "score"),
        ],
        [("ids", "i", ["N", 20])],
        [("score", "f", ["N", 3])],
        {
            "embedding": numbers(32, 4, seed=1),
            "w0": numbers(6, 4, 3, seed=2),
            "b0": numbers(6, seed=3),
            "scale": numbers(6, seed=4),
            "shift": numbers(6, seed=5),
            "mean": numbers(6, seed=6),
            "variance": np.abs(numbers(6, seed=7)) + 0.1,
            "w1": numbers(8, 3, 3, seed=8),
            "w2": numbers(16, 3, seed=9),
            "b2": numbers(3, seed=10),
        },
    )


@model
def layouts():
    whole = lambda *values: np.array(values, np.int64)
    return graph(
        [
            node("Reshape", "x two", "a"),
            node("Transpose", "a", "b", perm=[0, 2, 1]),
            node("Slice", "b starts ends axes steps", "c"),
            node("Unsqueeze", "c one", "d"),
            node("Squeeze", "d one", "e"),
            node("Slice", "b zero two_columns second", "b2"),
            node("Concat", "e b2", "f", axis=1),
            node("Reshape", "f flat", "g"),
            node("Gather", "g picks", "h", axis=1),
            node("Split", "h parts", "i j", axis=1),
            node("Sub", "i j", "y"),
        ],
        [("x", "f", ["N", 12])],
        [("y", "f", ["N", 2])],
        {
            "two": whole(0, 3, -1),
            "starts": whole(-1, 0),
            "ends": whole(-100, 3),
            "axes": whole(1, 2),
            "steps": whole(-2, 2),
            "one": whole(1),
            "zero": whole(0),
            "two_columns": whole(2),
            "second": whole(2),
            "flat": whole(-1, 12),
            "picks": whole(0, -1, 5, 11),
            "parts": whole(2, 2),
        },
    )


@model
def reductions():
    return graph(
        [
            node("Reshape", "x shape", "a"),
            node("ReduceSum", "a last", "s", keepdims=0),
            node("ReduceMean", "a", "m", axes=[1], keepdims=0),
            node("ReduceMax", "a", "t", axes=[1, 2], keepdims=1),
            node("Reshape", "t tail", "u"),
            node("ReduceMin", "a", "v", axes=[-1], keepdims=0),
            node("Softmax", "a", "w", axis=1),
            node("ReduceSumSquare", "w", "q", axes=[2], keepdims=0),
            node("ReduceL2", "w", "l", axes=[2], keepdims=0),
            node("Concat", "s m u v q l", "y", axis=1),
            node("ArgMax", "y", "best", axis=1, keepdims=0),
            node("ArgMin", "y", "worst", axis=1, keepdims=1),
        ],
        [("x", "f", ["N", 12])],
        [("y", "f", ["N", 17]), ("best", "i", ["N"]), ("worst", "i", ["N", 1])],
        {
            "shape": np.array([-1, 3, 4], np.int64),
            "last": np.array([2], np.int64),
            "tail": np.array([0, 1], np.int64),
        },
    )


@model
def arithmetic():
    return graph(
        [
            node("Abs", "x", "a"),
            node("Add", "a half", "b"),
            node("Log", "b", "c"),
            node("Sqrt", "b", "d"),
            node("Pow", "b exponent", "e"),
            node("Exp", "x", "f"),
            node("Neg", "f", "g"),
            node("Tanh", "x", "h"),
            node("Clip", "x low high", "i"),
            node("Min", "c d e", "j"),
            node("Max", "g h i", "k"),
            node("Mul", "j row", "l"),
            node("Div", "k b", "m"),
            node("Sub", "l m", "n"),
            node("Elu", "n", "o", alpha=0.7),
            node("Softplus", "x", "p"),
            node("HardSigmoid", "x", "q"),
            node("Reciprocal", "b", "r"),
            node("Sum", "o p q r", "y"),
            node("Floor", "y", "fl"),
            node("Ceil", "y", "ce"),
            node("Sign", "y", "si"),
            node("Concat", "fl ce si", "z", axis=1),
        ],
        [("x", "f", ["N", 4])],
        [("y", "f", ["N", 4]), ("z", "f", ["N", 12])],
        {
            "half": np.array(0.5, np.float32),
            "exponent": np.array([2, 0.5, -1, 1.7], np.float32),
            "row": numbers(1, 4),
            "low": np.array(-0.5, np.float32),
            "high": np.array(0.5, np.float32),
        },
    )


@model
def choices():
    return graph(
        [
            node("Greater", "x zero", "a"),
            node("Less", "x one", "b"),
            node("And", "a b", "c"),
            node("Not", "c", "d"),
            node("Or", "d a", "e"),
            node("Xor", "e b", "e2"),
            node("Equal", "n three", "f"),
            node("GreaterOrEqual", "n three", "g"),
            node("LessOrEqual", "n three", "g2"),
            node("Where", "c x zero", "h"),
            node("Cast", "e2", "i", to=TensorProto.FLOAT),
            node("Cast", "f", "j", to=TensorProto.INT64),
            node("Cast", "g", "k", to=TensorProto.FLOAT),
            node("Cast", "g2", "k2", to=TensorProto.FLOAT),
            node("Cast", "x", "l", to=TensorProto.INT64),
            node("Mul", "n l", "m"),
            node("Add", "m j", "whole"),
            node("Cast", "x", "w", to=TensorProto.DOUBLE),
            node("Exp", "w", "w2"),
            node("Cast", "w2", "w3", to=TensorProto.FLOAT),
            node("Sum", "h i k k2 w3", "y"),
        ],
        [("x", "f", ["N", 4]), ("n", "i", ["N", 4])],
        [("y", "f", ["N", 4]), ("whole", "i", ["N", 4])],
        {
            "zero": np.array([0], np.float32),
            "one": np.array([1], np.float32),
            "three": np.array([3], np.int64),
        },
    )


@model
def products():
    return graph(
        [
            node("MatMul", "x w", "a"),
            node("Reshape", "x rows", "b"),
            node("MatMul", "b v", "c"),
            node("Reshape", "x columns", "d"),
            node("MatMul", "c d", "e"),
            node("Reshape", "e flat", "f"),
            node("Concat", "a f", "y", axis=1),
        ],
        [("x", "f", ["N", 12])],
        [("y", "f", ["N", 23])],
        {
            "w": numbers(12, 5),
            "v": numbers(4, 2),
            "rows": np.array([0, 3, 4], np.int64),
            "columns": np.array([0, 2, 6], np.int64),
            "flat": np.array([0, -1], np.int64),
        },
    )


@model
def machine_learning():
    return graph(
        [
            node("Imputer", "x", "a", imputed_value_floats=[0.5], replaced_value_float=float("nan")),
            node("Scaler", "a", "b", offset=[0.1, 0.2, 0.3, 0.4], scale=[2.0, 3.0, 4.0, 5.0]),
            node("Normalizer", "b", "c", norm="L1"),
            node("Normalizer", "b", "d", norm="L2"),
            node("Normalizer", "b", "e", norm="MAX"),
            node("Binarizer", "b", "f", threshold=0.25),
            node("ArrayFeatureExtractor", "b picks", "g"),
            node("FeatureVectorizer", "c d e f g", "h", inputdimensions=[4, 4, 4, 4, 2]),
            node("LinearRegressor", "h", "r", targets=2, coefficients=list(map(float, numbers(36))),
                 intercepts=[0.5, -0.5]),
            node("LinearClassifier", "h", "label probabilities", classlabels_ints=[4, 5, 9],
                 coefficients=list(map(float, numbers(54))), intercepts=[0.1, 0.0, -0.1],
                 post_transform="SOFTMAX"),
        ],
        [("x", "f", ["N", 4])],
        [("r", "f", ["N", 2]), ("label", "i", ["N"]), ("probabilities", "f", ["N", 3])],
        {"picks": np.array([3, 1], np.int64)},
    )


@model
def windows():
    """Strides, pads and dilations together."""
    return graph(
        [
            node("Reshape", "x shape", "a"),
            node("Conv", "a w0", "b", pads=[2, 1], strides=[2], dilations=[3]),
            node("MaxPool", "a", "c", kernel_shape=[3], pads=[1, 2], strides=[2]),
            node("AveragePool", "a", "d", kernel_shape=[4], pads=[2, 1], strides=[3]),
            node("MaxPool", "a", "e", kernel_shape=[3], dilations=[2]),
            node("Conv", "a w1 b1", "f", group=2, auto_pad="VALID"),
            node("Flatten", "b", "b2"),
            node("Flatten", "c", "c2"),
            node("Flatten", "d", "d2"),
            node("Flatten", "e", "e2"),
            node("Flatten", "f", "f2"),
            node("Concat", "b2 c2 d2 e2 f2", "y", axis=1),
        ],
        [("x", "f", ["N", 22])],
        [("y", "f", ["N", None])],
        {
            "shape": np.array([0, 2, 11], np.int64),
            "w0": numbers(3, 2, 3, seed=1),
            "w1": numbers(4, 1, 4, seed=2),
            "b1": numbers(4, seed=3),
        },
    )


@model
def layers():
    """Gemm and MatMul in their forms."""
    return graph(
        [
            node("Gemm", "x w0 c0", "a", alpha=0.5, beta=2.0),
            node("Gemm", "a w1 c1", "b", transB=1),
            node("Gemm", "b w2", "c"),
            node("MatMul", "c w3", "d"),
            node("MatMul", "c vector", "e"),
            node("Unsqueeze", "e one", "f"),
            node("Concat", "a b c d f", "y", axis=1),
        ],
        [("x", "f", ["N", 5])],
        [("y", "f", ["N", 33 + 2 + 40 + 3 + 1])],
        {
            "w0": numbers(5, 33, seed=1),
            "c0": numbers(1, 33, seed=2),
            "w1": numbers(2, 33, seed=3),
            "c1": np.array(0.7, np.float32),
            "w2": numbers(2, 40, seed=4),
            "w3": numbers(40, 3, seed=5),
            "vector": numbers(40, seed=6),
            "one": np.array([1], np.int64),
        },
    )


@model
def old():
    """The forms that operators had in version 9."""
    return graph(
        [
            node("Reshape", "x shape", "a"),
            node("Slice", "a", "b", starts=[1, 0], ends=[3, 2], axes=[1, 2]),
            node("Clip", "b", "c", min=-0.75, max=0.5),
            node("Unsqueeze", "c", "d", axes=[1]),
            node("Squeeze", "d", "e", axes=[1]),
            node("Softmax", "e", "f"),
            node("ReduceSum", "f", "g", axes=[1], keepdims=0),
            node("Split", "f", "h i", axis=1, split=[1, 1]),
            node("Dropout", "h", "j", ratio=0.3),
            node("Flatten", "j", "k"),
            node("Flatten", "i", "l", axis=1),
            node("Concat", "g k l", "y", axis=1),
        ],
        [("x", "f", ["N", 12])],
        [("y", "f", ["N", 6])],
        {"shape": np.array([-1, 3, 4], np.int64)},
        opset=9,
    )


MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def trees(modes, targets, trees=5, depth=3, seed=1, missing=True, sign=1.0):
    """Random complete trees, as lists of attributes; values on a grid, so that samples hit them."""
    random = np.random.default_rng(seed)
    nodes = {name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values",
                                   "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    leaves = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    inner = 2**depth - 1
    for tree in range(trees):
        for at in range(2 * inner + 1):
            leaf = at >= inner
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(at)
            nodes["featureids"].append(0 if leaf else int(random.integers(FEATURES)))
            nodes["modes"].append("LEAF" if leaf else modes[int(random.integers(len(modes)))])
            nodes["values"].append(0.0 if leaf else float(random.integers(-4, 5)) / 2)
            nodes["truenodeids"].append(0 if leaf else 2 * at + 1)
            nodes["falsenodeids"].append(0 if leaf else 2 * at + 2)
            tracks = 0 if leaf or not missing else int(random.integers(2))
            nodes["missing_value_tracks_true"].append(tracks)
            for target in range(targets if leaf else 0):
                leaves["treeids"].append(tree)
                leaves["nodeids"].append(at)
                leaves["ids"].append(target)
                weight = float(random.normal()) / 2
                leaves["weights"].append(abs(weight) if sign == 0 else weight * sign)
    return nodes, leaves


def regressor(aggregate, targets, transform="NONE", modes=MODES, base=True):
    nodes, leaves = trees(modes, targets)
    attributes = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"target_{name}": values for name, values in leaves.items()}
    if base:
        attributes["base_values"] = [0.25 * (at + 1) for at in range(targets)]
    built = node("TreeEnsembleRegressor", "x", "y", n_targets=targets, aggregate_function=aggregate,
                 post_transform=transform, **attributes)
    return graph([built], [("x", "f", ["N", FEATURES])], [("y", "f", ["N", targets])])


def classifier(labels, weighted, transform="NONE", sign=1.0, base=None):
    nodes, leaves = trees(["BRANCH_LEQ", "BRANCH_GT"], weighted, sign=sign)
    attributes = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"class_{name}": values for name, values in leaves.items()}
    if base:
        attributes["base_values"] = base
    built = node("TreeEnsembleClassifier", "x", "label scores", classlabels_int64s=labels,
                 post_transform=transform, **attributes)
    outputs = [("label", "i", ["N"]), ("scores", "f", ["N", len(labels)])]
    return graph([built], [("x", "f", ["N", FEATURES])], outputs)


for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
    for targets in (1, 3):
        MODELS[f"trees_{aggregate.lower()}_{targets}"] = (
            lambda aggregate=aggregate, targets=targets: regressor(aggregate, targets)
        )
for mode in MODES:
    MODELS[f"trees_{mode.lower()}"] = lambda mode=mode: regressor("SUM", 1, modes=[mode], base=False)
for transform in ("LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
    MODELS[f"trees_{transform.lower()}"] = (
        lambda transform=transform: regressor("SUM", 3, transform)
    )
    MODELS[f"classes_{transform.lower()}"] = (
        lambda transform=transform: classifier([3, 5, 8], 3, transform)
    )
MODELS["classes_binary"] = lambda: classifier([0, 1], 1)
MODELS["classes_binary_positive"] = lambda: classifier([4, 7], 1, sign=0)
MODELS["classes_binary_logistic"] = lambda: classifier([0, 1], 1, "LOGISTIC")
MODELS["classes_binary_base"] = lambda: classifier([0, 1], 1, "LOGISTIC", base=[0.3])
MODELS["classes_positive_logistic"] = lambda: classifier([0, 1], 1, "LOGISTIC", sign=0)
MODELS["classes_two_weights"] = lambda: classifier([0, 1], 2)
MODELS["classes_two_softmax"] = lambda: classifier([0, 1], 2, "SOFTMAX")
MODELS["classes_base"] = lambda: classifier([0, 1, 2], 3, base=[0.1, -0.2, 0.3])


# Models of the sizes that a shield runs, for measurements.
LARGE = {
    "bench_trees": lambda: from_lightgbm(
        __import__("lightgbm").LGBMClassifier(n_estimators=100, num_leaves=31, verbose=-1), 2, 34, 20000
    ),
    "bench_perceptron": lambda: perceptron([34, 64, 32, 1]),
    "bench_hashed": lambda: hashed(1 << 17, 200),
}

# One of each kind is committed, so that tests run without Python.
FIXTURES = """arithmetic bayes_3 boosting_3 choices classes_base classes_binary classes_binary_base
classes_binary_positive classes_softmax_zero classes_two_softmax convolution dense forest_2
gather_sum layouts lightgbm_2 lightgbm_3 logistic_2 logistic_3 machine_learning layers old perceptron_2
pipeline products reductions scaled sgd_3 trees_average_1 trees_branch_eq trees_branch_lt
trees_max_3 trees_min_1 trees_sum_1 trees_sum_3 windows xgboost_2""".split()


# Inputs and what ONNX Runtime says.


def samples(port, rows, random, most):
    shape = [rows] + [dim for dim in port.shape[1:]]
    if port.type == "tensor(int64)":
        return random.integers(0, most, size=shape).astype(np.int64)
    values = random.normal(size=shape).astype(np.float32) * 1.5
    # Values on a grid meet thresholds exactly; a few are missing where trees look at them.
    grid = random.random(size=shape) < 0.3
    return np.where(grid, np.round(values * 2) / 2, values).astype(np.float32)


def write(folder, name, rows, made):
    import onnxruntime

    content = made.SerializeToString(deterministic=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(11)
    most = 1 << 17 if name == "bench_hashed" else 32
    given = {port.name: samples(port, rows, random, most) for port in session.get_inputs()}
    if name.startswith(("trees_", "xgboost", "lightgbm")) or name == "machine_learning":
        for array in given.values():
            array[random.random(size=array.shape) < 0.05] = np.nan
    told = session.run(None, given)
    (folder / f"{name}.onnx").write_bytes(content)
    for side, arrays in (("in", given.values()), ("out", told)):
        for at, array in enumerate(arrays):
            kind = {"float32": "f32", "int64": "i64"}[str(array.dtype)]
            (folder / f"{name}.{side}{at}.{kind}").write_bytes(array.tobytes())


def main():
    folder, rows, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    sklearn_models()
    if names == ["large"]:
        chosen = LARGE
    elif names == ["fixtures"]:
        chosen = {name: MODELS[name] for name in FIXTURES}
    else:
        chosen = {name: make for name, make in MODELS.items() if not names or name in names}
    for name, make in chosen.items():
        write(folder, name, rows, make())
        print(name)


if __name__ == "__main__":
    main()
