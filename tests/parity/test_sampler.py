"""The samplers against torch.randperm and Megatron's rules: which sample numbers each data-parallel rank reads."""

import json
import random

import numpy
import torch

from support import run_tool


def carry_out(requests):
    results = json.loads(run_tool("data_tool", input=json.dumps(requests)).stdout)
    for request, result in zip(requests, results, strict=True):
        assert not isinstance(result, dict), (request, result)
    return results


def torch_permutation(size, seed):
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def rest_of_a_pass(number, done, total, micro, ranks, rank, sharding):
    """The batches that Megatron's random sampler gives a rank in one pass (its "epoch"), of which `done` samples are read."""
    if sharding:
        share = total // (micro * ranks) * micro
        numbers = (rank * share + torch_permutation(share, number)[done // ranks:]).tolist()
    else:
        numbers = torch_permutation(total // micro * micro, number)[done:][rank::ranks].tolist()
    batches = [numbers[i : i + micro] for i in range(0, len(numbers) - micro + 1, micro)]
    # With a micro-batch smaller than the number of ranks, some of them could fill one more from what is dropped.
    return batches[: total // (micro * ranks) - done // (micro * ranks)]


def expected(total, micro, ranks, rank, sharding, consumed, count):
    in_a_pass = total - total % (micro * ranks)
    batches, number, done = [], consumed // in_a_pass, consumed % in_a_pass
    while len(batches) < count:
        batches += rest_of_a_pass(number, done, total, micro, ranks, rank, sharding)
        number, done = number + 1, 0
    return batches[:count]


def test_cyclic_samplers_read_what_megatrons_read():
    rng = random.Random(5)
    requests, truths = [], []
    for _ in range(150):
        micro, ranks = rng.randint(1, 9), rng.randint(1, 12)
        total = rng.randint(micro * ranks, rng.choice([micro * ranks + 30, 3000]))
        sharding = rng.random() < 0.5
        consumed = micro * ranks * rng.randrange(0, 3 * (total // (micro * ranks)) + 1)
        count = min(total // (micro * ranks) * 2 + 3, 400)
        requests.append(dict(do="sampler", cyclic=True, sharding=sharding, total=total, micro_batch=micro, ranks=ranks,
                             consumed=consumed, batches=count))
        truths.append([expected(total, micro, ranks, rank, sharding, consumed, count) for rank in range(ranks)])
    for request, truth, read in zip(requests, truths, carry_out(requests), strict=True):
        assert read == truth, request


def test_permutations_are_torchs():
    sizes = [(n, seed) for n in (0, 1, 2, 3, 255, 256, 257, 512, 513, 100_003) for seed in (0, 1, 77, 2**32 - 1)] + [(3_000_001, 4)]
    requests = [dict(do="permutation", size=n, seed=seed, wide_from=None) for n, seed in sizes]
    for (n, seed), numbers in zip(sizes, carry_out(requests), strict=True):
        truth = torch_permutation(n, seed)
        if n > 10**6:
            assert numbers == weighted_sum(truth)
        else:
            assert numbers == truth.tolist(), (n, seed)


def weighted_sum(numbers):
    places = numpy.arange(1, len(numbers) + 1, dtype=numpy.uint64)
    return int((places * numbers.numpy().astype(numpy.uint64)).sum(dtype=numpy.uint64))


def wide_permutation(size, seed):
    """What torch does from 2^32 / 20 numbers on: 64 bits of the same generator for each, placed from the inside out."""
    words = numpy.random.RandomState(seed)._bit_generator.random_raw(2 * size).tolist()
    numbers = list(range(size))
    for i in range(size):
        place = ((words[2 * i] << 32) | words[2 * i + 1]) % (i + 1)
        numbers[i] = numbers[place]
        numbers[place] = i
    return numbers


def test_permutations_of_very_many_numbers():
    sizes = [(n, seed) for n in (1, 2, 255, 256, 257, 512, 1000, 20_001) for seed in (0, 3)]
    results = carry_out([dict(do="permutation", size=n, seed=seed, wide_from=0) for n, seed in sizes])
    for (n, seed), numbers in zip(sizes, results, strict=True):
        assert numbers == wide_permutation(n, seed), (n, seed)
