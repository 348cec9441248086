"""The fitted model as ONNX, of few operators: Gather, ReduceSum, Add, Concat, trees, Sigmoid."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .table import IDS


def single(threshold):
    """The greatest single that is not above: `x <= threshold` then says of singles what it says of doubles."""
    value = np.float32(threshold)
    return float(np.nextafter(value, np.float32(-np.inf)) if float(value) > threshold else value)


def trees(booster):
    """The attributes of a TreeEnsembleRegressor."""
    nodes = {key: [] for key in ("nodeids", "treeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")}
    target = {key: [] for key in ("treeids", "nodeids", "weights")}
    for number, tree in enumerate(booster.dump_model()["tree_info"]):
        count = 0

        def add(node):
            nonlocal count
            own, count = count, count + 1
            at = len(nodes["nodeids"])
            leaf = "split_feature" not in node
            nodes["nodeids"].append(own)
            nodes["treeids"].append(number)
            nodes["featureids"].append(0 if leaf else node["split_feature"])
            nodes["values"].append(0.0 if leaf else single(node["threshold"]))
            nodes["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
            nodes["truenodeids"].append(0)
            nodes["falsenodeids"].append(0)
            if leaf:
                target["treeids"].append(number)
                target["nodeids"].append(own)
                target["weights"].append(float(node["leaf_value"]))
            else:
                nodes["truenodeids"][at] = add(node["left_child"])
                nodes["falsenodeids"][at] = add(node["right_child"])
            return own

        add(tree["tree_structure"])
    attributes = {f"nodes_{key}": value for key, value in nodes.items()}
    attributes |= {f"target_{key}": value for key, value in target.items()}
    attributes["target_ids"] = [0] * len(target["weights"])
    return attributes


def write(stack, width, ids_max, path):
    """Inputs `x` (N, width) and `ids` (N, ids_max); output `score` (N, 1), 0 to 1."""
    table = np.zeros((IDS, 1), np.float32)
    # coarser weights pack better and change no verdict
    table[:, 0] = np.round(stack.linear.coef_[0] * 256) / 256
    table[0] = 0
    constants = [
        numpy_helper.from_array(table, "weights"),
        numpy_helper.from_array(np.array(stack.linear.intercept_, np.float32), "bias"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
    ]
    nodes = [
        helper.make_node("Gather", ["weights", "ids"], ["gathered"], axis=0),
        helper.make_node("ReduceSum", ["gathered", "axis"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "bias"], ["line"]),
        helper.make_node("Concat", ["x", "line"], ["all"], axis=1),
        helper.make_node("TreeEnsembleRegressor", ["all"], ["odds"], domain="ai.onnx.ml", n_targets=1, aggregate_function="SUM", post_transform="NONE", **trees(stack.trees)),
        helper.make_node("Sigmoid", ["odds"], ["score"]),
    ]
    port = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "stack", [port("x", TensorProto.FLOAT, ["N", width]), port("ids", TensorProto.INT64, ["N", ids_max])], [port("score", TensorProto.FLOAT, ["N", 1])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], producer_name="shieldwall")
    model.ir_version = 9
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))
