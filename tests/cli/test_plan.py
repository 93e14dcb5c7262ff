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
        "error: batch.global / batch.micro, 1 micro-batches, does not divide by 2 data-parallel ranks. What fits: "
        "parallel.tensor=4 parallel.pipeline=2 (with 1 data-parallel rank); 4 ranks with the layout as it is\n"), result.stderr
    for arguments in (["--ranks", "0"], ["parallel.tensor=3"], ["--ranks", "6", "parallel.tensor=4"]):
        assert run("plan", "layout", "llama_tiny", *arguments).returncode == 2, arguments
    assert run("plan").returncode == 2
