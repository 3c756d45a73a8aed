"""RCL's objective and its step."""

import pytest
import torch
import torch.nn.functional as F
from queue_models import clustered_rcl, rcl
from support import Views, fit, unit, views_loader

from cueco_solo.host import nnclr_loss_func
from cueco_solo.losses.cueco import info_nce
from cueco_solo.methods.rcl import RCL

# eight samples: labels of levels 2 and 3, and what stands in the queue beside random entries
LEVELS = [[0, 0, 0, 3, 3, 5, 6, 6], [0, 0, 0, 0, 0, 5, 5, 5]]
QUEUED = [1, 2, 0, 4, 3, 6, 7, 5, 1]
QUERIES = torch.tensor([0, 3, 5, 7])


def views(predictors, n=4):
    """Predictions and keys of both views."""
    return (unit(predictors, n, 16), unit(predictors, n, 16)), (unit(n, 16), unit(n, 16))


def expected_loss(model, p, k, index, pairs):
    """Eqs. 2 and 3 sample by sample, with lists and numbers."""
    labels = model.hierarchy.labels.tolist()
    entry_samples = model.queue.index.tolist()
    temperature, total = model.options.temperature, 0.0
    for query, key in pairs:
        queue = model.queue.keys[key]
        for n, sample in enumerate(index.tolist()):
            relative = [(k[key][n], [True] * len(labels), False)]
            for level in labels[1:]:
                members = [
                    j
                    for j, other in enumerate(entry_samples)
                    if other not in (-1, sample) and level[other] == level[sample]
                ]
                if members:
                    j = max(members, key=lambda j: float(k[key][n] @ queue[j]))
                    same = [row[sample] == row[entry_samples[j]] for row in labels]
                    relative.append((queue[j], same, True))
            for h in range(len(labels)):
                q = p[query][h if len(p[query]) > 1 else 0, n]
                for r, positive, queued in relative:
                    denominator = torch.exp(queue @ q / temperature).sum()
                    denominator = denominator + (0 if queued else torch.exp(r @ q / temperature))
                    numerator = torch.exp(r @ q / temperature) if positive[h] else torch.ones(())
                    loss = -torch.log(numerator / denominator)
                    total = total + loss / (len(relative) * len(labels) * len(index) * len(pairs))
    return total


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("levels", "predictors"), [(1, 1), (3, 1), (3, 3)])
def test_before_clustering_each_predictor_has_info_nce(levels, predictors, symmetric):
    """Eq. 1 for each view with its own key and queue, whatever stands in the queue."""
    model = rcl(num_levels=levels, num_predictors=predictors, symmetric=symmetric, temperature=0.15)
    model.queue.enqueue(unit(2, 20, 16), torch.arange(20))
    p, k = views(predictors)
    queue = model.queue.keys
    expected = [
        info_nce(p[query][h], k[key], queue[key], temperature=0.15)
        for query, key in ([(0, 1), (1, 0)] if symmetric else [(0, 1)])
        for h in range(predictors)
    ]
    loss, shares = model.losses(p, k, QUERIES)
    torch.testing.assert_close(loss, torch.stack(expected).mean())
    assert all(float(shares[f"train_positive_level{h + 1}"]) == 1 for h in range(predictors))
    assert float(shares["train_retrieved"]) == 0


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("predictors", [1, 3])
def test_after_clustering_the_loss_is_the_equations(predictors, symmetric):
    """On a hand-made hierarchy; the queue holds random entries and ones of the queries too."""
    model = clustered_rcl(
        LEVELS,
        QUEUED,
        queue_size=12,
        num_predictors=predictors,
        symmetric=symmetric,
        temperature=0.3,
    )
    p, k = views(predictors)
    pairs = [(0, 1), (1, 0)] if symmetric else [(0, 1)]
    p = tuple(x.requires_grad_() for x in p)
    loss, _ = model.losses(p, k, QUERIES)
    expected = expected_loss(model, p, k, QUERIES, pairs)
    torch.testing.assert_close(loss, expected)
    used = p if symmetric else p[:1]
    gradients = (torch.autograd.grad(value, used) for value in (loss, expected))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def placed(**kwargs):
    """Model whose queue holds basis vectors, entry j being vector j."""
    model = clustered_rcl(LEVELS, QUEUED, queue_size=12, **kwargs)
    model.queue.keys[:] = torch.eye(12, 16)
    return model


def looking_at(*weights):
    """A key whose similarity with entry j falls in the order of the given entries."""
    key = torch.zeros(16)
    for rank, entry in enumerate(weights):
        key[entry] = 1 / (rank + 1)
    return F.normalize(key, dim=0)[None]


def test_relative_keys():
    model, eye = placed(), torch.eye(12, 16)

    def retrieved(key, sample):
        index = torch.tensor([sample])
        keys, positive, present, queued = model._relative_keys(key, model.queue.keys[0], index)
        assert torch.equal(keys[:, 0], key) and queued.tolist() == [False, True, True]
        assert present[0, 0] and (positive[:, 0, 0] == 1).all()
        places = [(keys[0, r] @ eye.T).argmax().item() if present[0, r] else None for r in (1, 2)]
        return places, positive[:, 0, 1:].T.tolist()

    # sample 0: its own entry (2) and the random ones (9 to 11) are nearest but never chosen, even
    # though an entry without a sample must not count as sample 0's or as one of its cluster
    places, positive = retrieved(looking_at(9, 2, 10, 11, 7, 3, 1), 0)
    assert places == [1, 3]  # 7 is of another cluster on both levels, 3 on level 2
    assert positive == [[0, 1, 1], [0, 0, 1]]
    # the nearest of level 3 is of the same cluster on level 2 too
    places, positive = retrieved(looking_at(8, 3), 0)
    assert places == [8, 8] and positive == [[0, 1, 1], [0, 1, 1]]
    # sample 5 is alone on level 2, its own entry (7) doesn't count
    places, positive = retrieved(looking_at(7, 0, 6), 5)
    assert places == [None, 6] and positive[1] == [0, 0, 1]
    # the nearest may be dissimilar
    places, _ = retrieved(-looking_at(3, 4), 3)
    assert places[0] == 3


def test_labels_are_those_of_today():
    """What was queued under other labels is compared by the present ones."""
    model, key = placed(), looking_at(3, 1)
    index = torch.tensor([0])
    _, before, _, _ = model._relative_keys(key, model.queue.keys[0], index)
    assert before[:, 0].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    # entry 3 is sample 4's, now in sample 0's cluster on level 2
    model.hierarchy.restart(torch.tensor([[0, 1, 1, 1, 0, 5, 5, 5], [0, 0, 0, 0, 0, 5, 5, 5]]))
    keys, after, _, _ = model._relative_keys(key, model.queue.keys[0], index)
    assert torch.equal(keys[0, 1:], torch.eye(12, 16)[[3, 3]])
    assert after[:, 0].tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 1]]


def test_shares_that_are_logged():
    model = placed(symmetric=False)
    k = torch.cat([looking_at(3, 1), looking_at(7, 0, 6)])
    p = unit(3, 2, 16)
    # as in test_relative_keys: 3 keys for sample 0, for sample 5 all but that of level 2
    _, shares = model.losses((p, p), (k, k), torch.tensor([0, 5]))
    values = {name: round(float(value), 6) for name, value in shares.items()}
    assert values == {
        "train_positive_level1": 2 / 5,
        "train_positive_level2": 3 / 5,
        "train_positive_level3": 5 / 5,
        "train_retrieved": 3 / 4,
    }


@pytest.mark.parametrize("symmetric", [True, False])
def test_without_hierarchy_it_is_nnclr(symmetric):
    """Against solo-learn's function, with a queue of the neighbours of the batch's keys."""
    model = rcl(hierarchy="none", queue_size=8, symmetric=symmetric)
    assert model.hierarchy is None and len(model.predictors) == 1
    p, k = views(1, n=8)
    neighbours = F.normalize(torch.stack(k) + 0.05 * unit(2, 8, 16), dim=-1)
    order = torch.randperm(8)
    # its own sample's entry may be the nearest one
    model.queue.enqueue(neighbours[:, order], order)
    expected = [
        nnclr_loss_func(p[query][0], neighbours[key], temperature=0.1)
        for query, key in ([(0, 1), (1, 0)] if symmetric else [(0, 1)])
    ]
    loss, shares = model.losses(p, k, torch.arange(8))
    torch.testing.assert_close(loss, torch.stack(expected).mean())
    assert {name: float(v) for name, v in shares.items()} == {
        "train_positive_level1": 1,
        "train_retrieved": 1,
    }


def test_without_hierarchy_the_own_key_stands_in_while_the_queue_is_empty():
    model = rcl(hierarchy="none", symmetric=False)
    p, k = views(1)
    loss, shares = model.losses(p, k, QUERIES)
    expected = info_nce(p[0][0], k[1], model.queue.keys[1], temperature=0.1)
    torch.testing.assert_close(loss, expected)
    assert float(shares["train_retrieved"]) == 0
    # one entry, far away, is preferred to the random ones, which stay in the denominator
    model.queue.enqueue(-k[1].mean(0).expand(2, 1, 16), torch.tensor([9]))
    model.queue.keys[1, 1] = k[1][0]
    queue = model.queue.keys[1]
    loss, shares = model.losses(p, k, QUERIES)
    torch.testing.assert_close(
        loss, F.cross_entropy(p[0][0] @ queue.T / 0.1, torch.zeros(4, dtype=torch.long))
    )
    assert float(shares["train_retrieved"]) == 1


def test_step_uses_the_state_of_its_start_then_updates_bank_hierarchy_and_queue():
    model = rcl()
    fit(model, max_epochs=1)
    assert model.clustered and model.hierarchy.labels[1].unique().numel() > 1
    other = rcl()
    other.load_state_dict(model.state_dict())
    other._runs = 1
    logged = {}
    model.log = lambda name, value, **_: logged.update({name: value})
    model.log_dict = lambda values, **_: logged.update(values)
    changed = False
    for step, (index, X, targets) in enumerate(views_loader(n=32), 1):
        with torch.no_grad():
            # batch statistics: the outputs don't depend on the running ones
            p = [other(x)["p"] for x in X]
            k = [other.momentum_forward(x)["z"] for x in X]
            class_loss = sum(F.cross_entropy(other(x)["logits"], targets) for x in X) / 2
            loss, shares = other.losses(p, k, index)
        torch.testing.assert_close(
            model.training_step([index, X, targets], step - 1), loss + class_loss
        )
        samples = other.hierarchy.remember(torch.stack(k), index)
        before = other.hierarchy.labels.clone()
        counts = other.hierarchy.refine(samples, seed=5 + step)
        changed |= not torch.equal(before, other.hierarchy.labels)
        other.queue.enqueue(torch.stack(k), index)
        model.enqueue_waiting()

        assert torch.equal(model.hierarchy.labels, other.hierarchy.labels)
        assert torch.equal(model.hierarchy.bank, other.hierarchy.bank)
        assert torch.equal(model.queue.index, other.queue.index)
        torch.testing.assert_close(model.queue.keys, other.queue.keys)
        for name, value in [*shares.items(), ("train_rcl_loss", loss)]:
            torch.testing.assert_close(logged[name], value)
        assert {n: int(logged[f"hierarchy_{n}"]) for n in counts} == {
            n: int(v) for n, v in counts.items()
        }
    assert changed
    assert torch.equal(model.targets, Views(32).labels)


def test_pull_and_push():
    """Queries against keys of the other view, and queries of one view among themselves."""
    q, k = unit(2, 5, 16), unit(2, 5, 16)
    logged = RCL.pull_and_push(q, k)
    distances = [(q[view, i] - k[1 - view, i]).pow(2).sum() for view in (0, 1) for i in range(5)]
    assert float(logged["train_alignment"]) == pytest.approx(float(sum(distances)) / 10, rel=1e-5)
    views = []
    for view in q:
        pairs = [(view[i] - view[j]).pow(2).sum() for i in range(5) for j in range(i)]
        views.append(torch.stack(pairs).mul(-2).exp().mean().log())
    assert float(logged["train_uniformity"]) == pytest.approx(float(sum(views)) / 2, rel=1e-4)
    assert "train_uniformity" not in RCL.pull_and_push(q[:, :1], k[:, :1])
    assert int(logged["train_nonfinite_keys"]) == 0
    k[0, 1, 3], k[1, 2:4] = torch.nan, torch.inf
    assert int(RCL.pull_and_push(q, k)["train_nonfinite_keys"]) == 3
