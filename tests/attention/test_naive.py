"""The oracle against computations that share nothing with it: torch's own operators, loops and numbers by hand."""

import math
from itertools import product

import pytest
import torch
from torch.nn import functional as F

from mta_eval.attention import naive
from mta_eval.attention.kernels import Kernels, KeyPadding

DOUBLE = torch.float64
SIZES = ((1, 1), (1, 4), (2, 3), (3, 2), (4, 6), (6, 11))
# as the released code pads the keys; one more on the right if the size is even (equation 4)
SIDES = {
    "both": lambda size: (math.ceil(size / 2) - 1, size // 2),
    "left": lambda n: (n - 1, 0),
    "right": lambda n: (0, n - 1),
}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed + sum(shape)))


def identity(heads: int, queries: int, keys: int) -> torch.Tensor:
    kernel = torch.zeros(heads, queries, keys, dtype=DOUBLE)
    kernel[:, -1, (keys - 1) // 2] = 1
    return kernel


def conv2d(scores: torch.Tensor, kernel: torch.Tensor, padding: str) -> torch.Tensor:
    padded = F.pad(scores, (*SIDES[padding](kernel.shape[2]), kernel.shape[1] - 1, 0))
    return F.conv2d(padded[None], kernel[:, None], groups=len(kernel))[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", ["both", "left", "right"])
def test_a_convolution_is_conv2d_of_padded_scores(size: tuple[int, int], padding: KeyPadding) -> None:
    for tokens in (1, 3, 17):
        scores, kernel = random(2, tokens, tokens), random(2, *size)
        torch.testing.assert_close(naive.convolve(scores, kernel, padding), conv2d(scores, kernel, padding))


@pytest.mark.parametrize("size", SIZES)
def test_a_convolution_is_equation_4_key_by_key(size: tuple[int, int]) -> None:
    scores, kernel, tokens = random(1, 9, 9)[0].tril(), random(1, *size)[0], range(9)
    first, last = -math.floor(size[1] / 2), math.ceil(size[1] / 2) - 1
    wanted = torch.zeros(9, 9, dtype=DOUBLE)
    for i, j, up, back in product(tokens, tokens, range(size[0]), range(first, last + 1)):
        if i - up in tokens and j - back in tokens:  # theta[0, last] of the paper is the kernel's lower left corner
            wanted[i, j] += kernel[size[0] - 1 - up, last - back] * scores[i - up, j - back]
    torch.testing.assert_close(naive.convolve(scores[None], kernel[None])[0], wanted)


@pytest.mark.parametrize(
    ("padding", "offsets"), [("both", [-1, 0, 1, 2]), ("left", [-3, -2, -1, 0]), ("right", [0, 1, 2, 3])]
)
def test_the_keys_of_an_even_kernel(padding: KeyPadding, offsets: list[int]) -> None:
    scores = torch.zeros(1, 9, 9, dtype=DOUBLE)
    scores[0, 4, 4] = 1
    for column, offset in enumerate(offsets):
        kernel = torch.zeros(1, 2, 4, dtype=DOUBLE)
        kernel[0, 1, column] = 1
        assert naive.convolve(scores, kernel, padding).nonzero().tolist() == [[0, 4, 4 - offset]]
        kernel = kernel.flip(1)  # the row above: the query before
        assert naive.convolve(scores, kernel, padding).nonzero().tolist() == [[0, 5, 4 - offset]]


def test_softmax_taken_twice_by_hand() -> None:
    q, k = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[0.0], [math.log(3) / 2]]])  # second row: weights 1/4, 3/4
    found = naive.weights(q, k, Kernels(softmax_again=True))[0]
    share = 1 / (1 + math.exp(1 / 2))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.0], [share, 1 - share]]))


def test_three_tokens_by_hand() -> None:
    q, k = torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[[1.0], [-1.0], [0.5]]])
    kernel = torch.tensor([[[0.0, 0.5, 0.0], [0.1, 1.0, 10.0]]])
    # scores without the future: [1], [2, -2], [3, -3, 1.5]
    logits = [
        [1.0],
        [2 - 20 + 0.5, 0.2 - 2],
        [3 - 30 + 1, 0.3 - 3 + 15 - 1, -0.3 + 1.5],
    ]
    found = naive.weights(q, k, Kernels(convolve_before=kernel))[0]
    for row, values in enumerate(logits):
        total = sum(math.exp(value) for value in values)
        wanted = [math.exp(value) / total for value in values] + [0.0] * (2 - row)
        assert found[row].tolist() == pytest.approx(wanted, rel=1e-5)


def test_equation_6_by_hand() -> None:
    q, k = torch.zeros(1, 3, 1), torch.zeros(1, 3, 1)  # weights before: [1], [1/2, 1/2], [1/3, 1/3, 1/3]
    kernel = torch.tensor([[[0.0, 2.0, 0.0], [0.0, 1.0, 30.0]]])
    found = naive.weights(q, k, Kernels(convolve_after=kernel))[0]
    wanted = [[1.0, 0, 0], [0.5 + 15 + 2, 0.5, 0], [1 / 3 + 10 + 1, 1 / 3 + 10 + 1, 1 / 3]]
    torch.testing.assert_close(found, torch.tensor(wanted))


@pytest.mark.parametrize("shape", [(1, 4), (2, 2), (4, 1), (2, 3)])
def test_heads_mix_within_their_group(shape: tuple[int, int]) -> None:
    groups, size = shape
    scores, kernel = random(groups * size, 5, 6), random(groups, size, size)
    wanted = torch.einsum("ghf,gfij->ghij", kernel, scores.view(groups, size, 5, 6)).reshape(-1, 5, 6)
    torch.testing.assert_close(naive.mix_heads(scores, kernel), wanted)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_without_kernels_it_is_softmax_attention(groups: int) -> None:
    q, k, v = random(2, 4, 9, 3), random(2, groups, 9, 3, seed=1), random(2, groups, 9, 5, seed=2)
    repeat = 4 // groups
    wanted = F.scaled_dot_product_attention(
        q, k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1), is_causal=True
    )
    torch.testing.assert_close(naive.attention(q, k, v), wanted)
    eye = torch.eye(2, dtype=DOUBLE).expand(2, 2, 2)
    kernels = Kernels(identity(4, 3, 4), eye, identity(4, 2, 5), eye)
    torch.testing.assert_close(naive.attention(q, k, v, kernels), wanted)


@pytest.mark.parametrize("padding", ["both", "left", "right"])
def test_everything_together_in_the_released_order(padding: KeyPadding) -> None:
    q, k, v = random(1, 4, 12, 3), random(1, 2, 12, 3, seed=1), random(1, 2, 12, 2, seed=2)
    kernels = Kernels(random(4, 3, 5), random(1, 4, 4), random(4, 2, 3), random(2, 2, 2), padding)
    assert kernels.convolve_before is not None
    assert kernels.convolve_after is not None
    k_all, v_all = k[0].repeat_interleave(2, 0), v[0].repeat_interleave(2, 0)
    logits = conv2d((q[0] @ k_all.mT / math.sqrt(3)).tril(), kernels.convolve_before, padding)
    logits = torch.einsum("hf,fij->hij", kernels.mix_before[0], logits)  # type: ignore[index]
    mask = torch.full((12, 12), -math.inf, dtype=DOUBLE).triu(1)
    weights = conv2d(torch.softmax(logits + mask, -1), kernels.convolve_after, padding).tril()
    mixed = torch.block_diag(*kernels.mix_after) @ weights.flatten(1)  # type: ignore[misc]
    wanted = mixed.view(4, 12, 12) @ v_all
    torch.testing.assert_close(naive.attention(q, k, v, kernels)[0], wanted)
    torch.testing.assert_close(naive.weights(q[0], k[0], kernels), mixed.view(4, 12, 12))


def test_a_document_is_computed_as_if_it_stood_alone_and_padding_gets_zeros() -> None:
    q, k, v = random(2, 2, 7, 3), random(2, 1, 7, 3, seed=1), random(2, 1, 7, 2, seed=2)
    kernels = Kernels(random(2, 3, 3), random(1, 2, 2), random(2, 2, 3), random(1, 2, 2))
    found = naive.attention(q, k, v, kernels, torch.tensor([[0, 5, 5, 0, 2, 2, 2], [1, 1, 3, 1, 3, 0, 0]]))
    for row, tokens in ((0, [1, 2]), (0, [4, 5, 6]), (1, [0, 1, 3]), (1, [2, 4])):
        alone = naive.attention(q[[row]][:, :, tokens], k[[row]][:, :, tokens], v[[row]][:, :, tokens], kernels)
        assert torch.equal(found[row][:, tokens], alone[0])
    assert not found[0][:, [0, 3]].any()
    assert not found[1][:, [5, 6]].any()


def test_diff_is_one_softmax_less_another_over_values_of_double_width() -> None:
    q, k, v = random(2, 4, 6, 3), random(2, 4, 6, 3, seed=1), random(2, 2, 6, 6, seed=2)
    found = naive.differential_attention(q, k, v, torch.tensor(0.7, dtype=DOUBLE))
    for pair in range(2):
        first, second = (
            F.scaled_dot_product_attention(q[:, head], k[:, head], v[:, pair], is_causal=True)
            for head in (2 * pair, 2 * pair + 1)
        )
        torch.testing.assert_close(found[:, pair], first - 0.7 * second)


def test_diffs_lambda() -> None:
    one, half, none = torch.tensor([1.0, 1.0]), torch.tensor([0.5, 0.0]), torch.zeros(2)
    assert naive.initial_scale(0) == pytest.approx(0.2)
    assert naive.initial_scale(10) == pytest.approx(0.8 - 0.6 * 0.0497870684)
    assert naive.differential_scale(one, half, one, none, 0).item() == pytest.approx(math.exp(0.5) - 1 + 0.2)
    assert naive.differential_scale(none, one, one, half, 0).item() == pytest.approx(1 - math.exp(0.5) + 0.2)


def test_the_norm_is_rms_norm_of_each_heads_output() -> None:
    out, weight = random(2, 3, 4, 5), random(5)
    torch.testing.assert_close(naive.group_norm(out, weight), F.rms_norm(out, (5,), weight, 1e-5))
    assert not naive.group_norm(torch.zeros(5), weight).any()


@pytest.mark.parametrize("width", [1, 5])
def test_the_gate_is_a_sigmoid_of_a_linear_layer(width: int) -> None:
    out, weight, bias = random(2, 3, 4, 5), random(width, 5), random(width)
    torch.testing.assert_close(naive.gate(out, weight, bias), out * torch.sigmoid(F.linear(out, weight, bias)))
