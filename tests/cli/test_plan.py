"""`llm-pretrain plan layout`: who holds what, who talks to whom, and what is refused."""

import re

from test_recipes_cli import run


def plan(*arguments):
    result = run("plan", "layout", *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def shares(text):
    """The rows of the first table, by heading."""
    table = text.split("Who holds what\n")[1].split("\nsequences:")[0].splitlines()
    starts = [match.start() for match in re.finditer(r"-+", table[1])] + [None]
    cells = [[line[a:b].strip() for a, b in zip(starts, starts[1:])] for line in [table[0], *table[2:]]]
    return [dict(zip(cells[0], row)) for row in cells[1:] if row[0].isdigit()]


def test_each_rank_has_its_part():
    text = plan("llama3_8b", "--ranks", "16", "parallel.context=1", "parallel.tensor=2", "parallel.pipeline=4")
    assert text.startswith("llama3_8b on 16 ranks: tensor 2 x data 2 x pipeline 4\n")
    rows = shares(text)
    assert [int(row["rank"]) for row in rows] == list(range(16))
    for rank, row in enumerate(rows):
        assert (int(row["tensor"]), int(row["data"]), int(row["pipeline"])) == (rank % 2, rank // 2 % 2, rank // 4)
        assert row["layers"] == ["0-7", "8-15", "16-23", "24-31"][rank // 4]
        assert row["query heads"] == ["0-15", "16-31"][rank % 2]
        assert row["sequences"] == str(rank // 2 % 2)
    # The matrices are halved and the norms are not, so one copy has each norm once too often.
    held = sum(int(row["parameters"].replace(",", "")) for row in rows if row["data"] == "0")
    assert held == 8_030_261_248 + (2 * 32 + 1) * 4096
    assert "0,1 | 2,3 | 4,5 | 6,7 | ..." in text and "0,4,8,12 | 1,5,9,13 | 2,6,10,14 | 3,7,11,15" in text
    assert "by stage: 4 3 2 1" in text


def test_many_ranks_are_listed_once_or_all():
    assert len(shares(plan("llama3_70b", "--ranks", "64"))) == 32
    assert len(shares(plan("llama3_70b", "--ranks", "64", "--all"))) == 64


def test_without_a_number_of_ranks_it_is_one_copy():
    assert plan("llama_tiny").startswith("llama_tiny on 1 rank: data 1\n")


def test_what_does_not_fit_is_refused_with_what_does():
    result = run("plan", "layout", "llama_tiny", "--ranks", "8", "parallel.tensor=2", "parallel.pipeline=2",
                 "batch.global=4", "batch.micro=4")
    assert result.returncode == 2
    assert result.stderr == (
        "error: batch.global / batch.micro, 1 micro-batch, does not divide by 2 data-parallel ranks. What fits: "
        "batch.micro=2 with the layout as it is; parallel.tensor=4 parallel.pipeline=2 (with 1 data-parallel rank); 4 ranks with the layout as it is\n"), result.stderr
    assert result.stdout == "", "said once"
    for arguments in (["--ranks", "0"], ["parallel.tensor=3"], ["--ranks", "6", "parallel.tensor=4"]):
        assert run("plan", "layout", "llama_tiny", *arguments).returncode == 2, arguments
    assert run("plan").returncode == 2


def test_what_is_proposed_fits_the_ranks():
    for ranks, key in [(3, "parallel.tensor=3"), (6, "parallel.tensor=6"), (2, "parallel.first_stage_layers=9")]:
        layout = ["llama_tiny", "--ranks", str(ranks), "model.layers=8", "batch.global=12", "batch.micro=1", "parallel.pipeline=1"]
        refused = run("plan", "layout", *layout, key, *(["parallel.pipeline=2"] if "stage" in key else []))
        assert refused.returncode == 2, refused.stdout
        proposals = re.findall(r"((?:parallel\.\w+=\w+ )+)\(with", refused.stderr)
        assert proposals, refused.stderr
        for proposal in proposals:
            plan(*layout, *proposal.split())


def test_the_order_of_the_axes():
    layout = ["llama3_8b", "--ranks", "16", "parallel.context=1", "parallel.tensor=2", "parallel.pipeline=4"]
    text = plan(*layout, "parallel.order=tensor-context-expert-pipeline-data")
    assert text.startswith("llama3_8b on 16 ranks: tensor 2 x pipeline 4 x data 2\n")
    for rank, row in enumerate(shares(text)):
        assert (int(row["tensor"]), int(row["pipeline"]), int(row["data"])) == (rank % 2, rank // 2 % 4, rank // 8)
    assert "0,2,4,6 | 1,3,5,7 | 8,10,12,14 | 9,11,13,15" in text
    for order, says in {
        "tp-dp-pp": "lacks context, expert: name each axis once, as in parallel.order=tensor-data-pipeline-context-expert",
        "cp-tp-dp-xx-yy": 'has "xx", "yy", which are no axes and lacks expert, pipeline: name each axis once, as in '
                          "parallel.order=context-tensor-data-expert-pipeline",
        "tensor-context-expert-data-data": "has data twice and lacks pipeline: name each axis once, as in "
                                           "parallel.order=tensor-context-expert-data-pipeline",
        "": 'has "", which is no axis and lacks tensor, context, expert, data, pipeline: name each axis once, as in '
            "parallel.order=tensor-context-expert-data-pipeline",
    }.items():
        result = run("plan", "layout", *layout, f"parallel.order={order}")
        assert result.returncode == 2 and result.stderr == f'error: parallel.order "{order}" {says}\n', result.stderr


def test_stages_of_different_sizes():
    def layers(*overrides):
        text = plan("llama3_8b", "--ranks", "4", "parallel.context=1", "parallel.tensor=1", "parallel.pipeline=4", *overrides)
        return [row["layers"] for row in shares(text)]

    assert layers("parallel.first_stage_layers=7", "parallel.last_stage_layers=5") == ["0-6", "7-16", "17-26", "27-31"]
    assert layers("parallel.count_loss=true") == ["0-7", "8-15", "16-24", "25-31"]
    assert layers("parallel.count_embedding=true", "parallel.count_loss=true") == ["0-6", "7-15", "16-24", "25-31"]
    refused = run("plan", "layout", "llama3_8b", "--ranks", "4", "parallel.context=1", "parallel.tensor=1", "parallel.pipeline=4",
                  "parallel.first_stage_layers=16", "parallel.last_stage_layers=15")
    assert refused.returncode == 2
    assert refused.stderr == (
        "error: parallel.first_stage_layers 16 + parallel.last_stage_layers 15 of model.layers 32 leave 1 for the 2 pieces of the other "
        "stages: 30 at most would do. What fits: parallel.tensor=1 parallel.pipeline=4 parallel.first_stage_layers=0 parallel.last_stage_layers=0 "
        "(with 1 data-parallel rank); "
        "parallel.tensor=1 parallel.pipeline=2 parallel.first_stage_layers=0 parallel.last_stage_layers=0 (with 2 data-parallel ranks); "
        "parallel.tensor=2 parallel.pipeline=2 parallel.first_stage_layers=0 parallel.last_stage_layers=0 (with 1 data-parallel rank)\n"), refused.stderr
