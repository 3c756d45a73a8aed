"""RCL's loss as a loop over numbers, random inputs for it, and how losses are compared."""

from functools import partial

import support
import torch

N, D, K, H = 5, 6, 9, 3


unit = partial(support.unit, seed=0, dtype=torch.float64)


def value_and_gradients(function, *inputs):
    """Of a function of float64 inputs, and its gradients to every input."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    value = function(*inputs)
    assert value.dtype == torch.float64
    return [value, *torch.autograd.grad(value, inputs)]


def same_value_and_gradients(one, other, *inputs):
    pair = (value_and_gradients(function, *inputs) for function in (one, other))
    for a, b in zip(*pair, strict=True):
        torch.testing.assert_close(a, b)


def flags(*shape, seed=0, share=0.6):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < share


def naive(q, keys, positive, queue, temperature, present, queued):
    """Eqs. 2 and 3: predictions ``[H, N, D]``, positive ``[H, N, R]``, alpha_h = 1 / H."""
    total = 0.0
    for h in range(len(q)):
        for n in range(q.shape[1]):
            relative = [r for r in range(keys.shape[1]) if present[n, r]]
            for r in relative:
                own = torch.exp(torch.dot(q[h, n], keys[n, r]) / temperature)
                denominator = sum(torch.exp(torch.dot(q[h, n], s) / temperature) for s in queue)
                if not queued[r]:
                    denominator = denominator + own
                numerator = own if positive[h, n, r] else 1.0
                loss = -torch.log(numerator / denominator)
                total = total + loss / (len(q) * q.shape[1] * len(relative))
    return total


def setting(n=N, relative=4, k=K, levels=H, seed=0):
    """Keys of which the first, the own one, is always there and the others stand in the queue."""
    queue = unit(k, D, seed=seed + 1)
    places = torch.randint(k, (n, relative - 1), generator=torch.Generator().manual_seed(seed))
    keys = torch.cat([unit(n, 1, D, seed=seed + 2), queue[places]], dim=1)
    positive = flags(levels, n, relative, seed=seed + 3)
    present = flags(n, relative, seed=seed + 4)
    present[:, 0] = True
    return unit(levels, n, D, seed=seed + 5), keys, positive, queue, present
