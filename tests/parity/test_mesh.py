"""Groups of the mesh against megatron-core's RankGenerator, over shapes and orders."""

import itertools
import json
import random

import pytest

from support import run_tool

parallel_state = pytest.importorskip("megatron.core.parallel_state")
AXES = {"tp": "tensor", "cp": "context", "ep": "expert", "dp": "data", "pp": "pipeline"}
SETS = ["tp", "cp", "ep", "dp", "pp", "tp-pp", "dp-cp", "tp-dp", "tp-cp", "tp-dp-cp", "tp-pp-dp-cp-ep"]


def cases():
    """A shape and an order each. Megatron's generator takes either context or expert ranks, not both."""
    pick = random.Random(0)
    orders = list(itertools.permutations(AXES))
    yield (2, 1, 1, 4, 2), ("tp", "cp", "ep", "dp", "pp")
    for order in orders:
        shape = [pick.choice((1, 2, 3, 4)) for _ in AXES]
        shape[pick.choice((1, 2))] = 1
        yield tuple(shape), order


def test_groups_are_megatrons():
    requests, expected = [], []
    for shape, order in cases():
        sizes = dict(zip(AXES, shape))
        generator = parallel_state.RankGenerator(**sizes, order="-".join(order))
        requests.append({"shape": {AXES[axis]: size for axis, size in sizes.items()},
                         "order": [AXES[axis] for axis in order],
                         "groups": [[AXES[axis] for axis in group.split("-")] for group in SETS]})
        embedding = [parallel_state.default_embedding_ranks(ranks) for ranks in generator.get_ranks("pp")]
        expected.append([generator.get_ranks(group) for group in SETS] + [embedding])
    answers = run_tool("mesh_tool", input="".join(json.dumps(r) + "\n" for r in requests)).stdout.splitlines()
    assert len(answers) == len(expected) > 100
    for request, answer, groups in zip(requests, answers, expected):
        assert json.loads(answer) == groups, request
