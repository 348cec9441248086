"""A linear model of n-grams, and trees over the numbers and its score."""
import lightgbm
import numpy as np
from sklearn.linear_model import SGDClassifier

FOLDS = 3


class Stack:
    """score = trees(numbers, linear(ids)), as a logarithm of odds."""

    def __init__(self, linear, trees):
        self.linear, self.trees = linear, trees

    def decide(self, table):
        line = self.linear.decision_function(table.ids).astype(np.float32)
        return self.trees.predict(np.hstack([table.x, line[:, None]]), raw_score=True)


def linear(ids, label, weight):
    model = SGDClassifier(loss="log_loss", alpha=2e-6, max_iter=6, tol=None, average=True, random_state=0)
    return model.fit(ids, label, sample_weight=weight)


def fit(table, label, weight, group, leaves=31, rounds=200, ignored=()):
    """Fits on rows; rows of one group are in one fold, so that the trees see the linear model's
    scores of rows that it was not fitted on. Trees do not look at the columns that are ignored."""
    fold = np.asarray(group, dtype=np.int64) * 2654435761 % (1 << 32) % FOLDS
    score = np.zeros(len(label), np.float32)
    for one in range(FOLDS):
        rest = fold != one
        score[~rest] = linear(table.ids[rest], label[rest], weight[rest]).decision_function(table.ids[~rest])
    settings = {"objective": "binary", "num_leaves": leaves, "learning_rate": 0.08, "min_data_in_leaf": 60, "feature_fraction": 0.5, "bagging_fraction": 0.8,
                "bagging_freq": 1, "lambda_l2": 5, "max_bin": 127, "verbose": -1, "seed": 1, "deterministic": True, "num_threads": 2}
    x = np.hstack([table.x, score[:, None]])
    x[:, list(ignored)] = 0
    data = lightgbm.Dataset(x, label, weight=weight)
    return Stack(linear(table.ids, label, weight), lightgbm.train(settings, data, num_boost_round=rounds))


def recall(bad, good, rate):
    """(share of bad above the strictest threshold that at most this share of good is above, threshold)"""
    if len(good) * rate < 1:
        return None, None
    threshold = np.sort(good)[::-1][int(len(good) * rate)]
    return float((bad > threshold).mean()), float(threshold)
