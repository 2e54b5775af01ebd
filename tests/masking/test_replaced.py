"""Optimizers made at the wrong moment, and initializers applied too late."""

import copy

import pytest
import torch
from networks import EVERY, perceptron
from torch import nn

from implicit_bias import masking
from implicit_bias.errors import InputError

OPTIMIZERS = [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.AdamW]


def replace(model, how):
    """Replace parameters of the model in the way that is named, and return it."""
    if how == "unmask":
        masking.unmask(masking.mask(model))
    elif how == "prune, mask":
        masking.mask(masking.prune_(model, 0.5))
    elif how == "prune, unmask":
        masking.unmask(masking.prune_(model, 0.5))
    elif how == "mask a part":
        masking.mask(model[2])
    else:
        masking.reparameterize(model, lambda name: EVERY[how]())
    return model


HOW = [*EVERY, "unmask", "prune, mask", "prune, unmask", "mask a part"]


def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.ones(2, 5, dtype=torch.float64)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("make", OPTIMIZERS)
@pytest.mark.parametrize("how", HOW)
def test_an_optimizer_made_before_is_refused_at_its_first_step(how, make):
    model = perceptron()
    optimizer = make(model.parameters(), 0.1)
    step(model, optimizer)
    replace(model, how)
    before = [p.detach().clone() for p in model.parameters()]
    name = "weight" if how == "mask a part" else r"0\.weight"
    with pytest.raises(ValueError, match=rf"holds {name} as it was before .* make the optimizer afterwards"):
        step(model, optimizer)
    assert all(map(torch.equal, before, model.parameters()))
    optimizer = make(model.parameters(), 0.1)
    step(model, optimizer)
    assert not any(map(torch.equal, before, model.parameters()))


def test_factors_of_an_earlier_mask_are_refused_where_they_are_named():
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    masking.mask(masking.unmask(model))
    for use in (
        lambda: masking.PILoT(optimizer, 0.1, 1.1, 0.0, 5),
        lambda: masking.decay_strength(optimizer, 0.1),
        lambda: masking.masked_norm(optimizer),
    ):
        with pytest.raises(InputError, match=r"holds 0\.weight as it was before"):
            use()
    with pytest.raises(InputError, match=r"found 0; make the optimizer from the parameters after mask"):
        masking.MirrorRecord(model, optimizer)


def test_what_is_still_trained_elsewhere_is_no_mistake():
    """A parameter that a module outside of the masked one shares goes on getting gradients."""
    model, outside = perceptron(), nn.Linear(5, 7).double()
    outside.weight = model[0].weight
    masking.mask(model)
    optimizer = torch.optim.SGD([*model.parameters(), *outside.parameters()], 0.1)
    before = outside.weight.detach().clone()
    (model(torch.ones(1, 5).double()).sum() + outside(torch.ones(1, 5).double()).sum()).backward()
    optimizer.step()
    assert not torch.equal(outside.weight, before)
    # Pruning replaces no parameter, and copies and frozen parameters are fine as well.
    pruned = perceptron()
    optimizer = torch.optim.SGD(pruned.parameters(), 0.1)
    masking.prune_(pruned, 0.5)
    pruned[2].bias.requires_grad_(False)
    step(pruned, optimizer)
    copied = copy.deepcopy(pruned)
    step(copied, torch.optim.SGD(copied.parameters(), 0.1))


@pytest.mark.parametrize("how", EVERY)
def test_assignment_initializes_a_masked_layer(how):
    """The guide advises this, because an initializer that changes the product of the factors in place has no effect."""
    model = replace(perceptron(), how)
    torch.manual_seed(3)
    expected = nn.init.xavier_uniform_(torch.empty(7, 5, dtype=torch.float64))
    torch.manual_seed(3)
    model[0].weight = nn.init.xavier_uniform_(torch.empty_like(model[0].weight))
    torch.testing.assert_close(model[0].weight, expected)


@pytest.mark.parametrize("how", EVERY)
@pytest.mark.parametrize(
    "initialize",
    [nn.init.xavier_uniform_, nn.init.zeros_, nn.init.orthogonal_, nn.init.eye_, lambda weight: weight.data.fill_(3.0)],
)
def test_what_is_done_to_a_masked_weight_in_place_changes_nothing(how, initialize):
    """Torch computes the weight anew whenever it is read, so a change in place is lost, as ``mask`` says."""
    model = replace(perceptron(), how)
    before = [p.detach().clone() for p in model.parameters()]
    initialize(model[0].weight)
    model[2].reset_parameters()
    changed = [name for (name, p), old in zip(model.named_parameters(), before, strict=True) if not torch.equal(p, old)]
    assert changed == ["2.bias"]
