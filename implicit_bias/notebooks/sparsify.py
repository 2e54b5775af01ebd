"""Sparsify your own network with PILoT: a mask on any torch module, its schedule, pruning, and the theory inside."""

# pyright: reportUnusedExpression=false

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Sparsify your own network with PILoT")


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    # Sparsify your own network with PILoT

    A *mask* writes each weight of a network as a product, $x = m \odot w$, and trains both factors with weight decay.
    That has the implicit bias of an $L_1$ norm, stronger the more decay has been spent. PILoT (algorithm 1 of "Mask
    in the Mirror", ICLR 2025) chooses the strength from epoch to epoch. We do it to a small network on handwritten
    digits; your own network goes the same way.
    """)
    return


@app.cell
def _():
    import marimo as mo
    import matplotlib.pyplot as plt
    import numpy as np
    import torch
    from torch import nn

    from implicit_bias import masking, plotting, training

    torch.set_num_threads(1)  # a small network gains nothing from more
    return masking, mo, nn, np, plotting, plt, torch, training


@app.cell
def _(nn, torch, training):
    class Net(nn.Module):
        """Any module that turns images (n, channels, height, width) into logits (n, classes)."""

        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(64, 100)
            self.output = nn.Linear(100, 10)

        def forward(self, images):
            return self.output(torch.relu(self.hidden(images.flatten(1))))

    def fresh():
        torch.manual_seed(0)
        return Net()

    digits = training.load("digits")
    return digits, fresh


@app.cell(hide_code=True)
def _(digits, plotting, plt):
    with plotting.style():
        _figure, _all = plt.subplots(1, 10, figsize=(7.0, 0.9), layout="constrained", dpi=150)
        for _axes, _image, _label in zip(_all, digits.train.pixels, digits.train.labels, strict=False):
            _axes.imshow(_image[0].numpy(), cmap="gray_r")
            _axes.set_title(int(_label))
            _axes.axis("off")
    plotting.Picture(_figure, "Ten handwritten digits of 8 by 8 pixels, each with its label above it.")
    return


@app.cell
def _(digits, fresh, masking, mo, torch):
    _plain, _masked = fresh(), masking.mask(fresh(), beta=1.0)
    _images = digits.test.pixels.float() / 16
    with torch.no_grad():
        unchanged = float((_plain(_images) - _masked(_images)).abs().max())
    names = list(masking.factors(_masked))
    factors = sum(p.numel() for p in _masked.parameters()) - sum(p.numel() for p in _plain.parameters())
    mo.md(rf"""
    ## The mask changes nothing, at first

    `masking.mask(module)` starts with $m_0 \odot w_0 = x$ and $m_0^2 - w_0^2 = \beta$. The network computes what it
    did before: its {len(digits.test)} outputs on the test images moved by {unchanged:.0e} at most. What changed is
    what is trained: two factors instead of one number in each of the {factors:,} weights of
    {", ".join(f"`{name}`" for name in names)}. Biases stay as they are, and `masking.unmask` puts the product back
    and leaves a dense network.

    Now choose how strong the decay is in the beginning; what follows is trained anew.
    """)
    return


@app.cell
def _(mo):
    strength = mo.ui.slider(0.0, 0.008, step=0.001, value=0.005, show_value=True, label=r"first strength $\alpha$")
    strength
    return (strength,)


@app.cell
def _(digits, fresh, strength, training):
    epochs = 100
    methods = {
        "dense": training.METHODS["dense"](),
        "mask": training.METHODS["mask"](),
        "pilot": training.METHODS["pilot"](strength=strength.value),
    }
    results = {name: training.train(fresh(), digits, method, epochs=epochs) for name, method in methods.items()}
    return methods, results


@app.cell(hide_code=True)
def _(mo, results):
    mo.md(rf"""
    ## What the schedule does

    Without pruning, the dense network classifies {results["dense"].history[-1].test_accuracy:.1%} of the test images,
    the mask {results["mask"].history[-1].test_accuracy:.1%}, and PILoT
    {results["pilot"].history[-1].test_accuracy:.1%}. PILoT raises $\alpha$ by a factor $\delta$ while training
    accuracy rises and the weights are large, in the first half of the epochs; otherwise it lowers it. The $L_1$ norm
    of the weights ends at {results["pilot"].history[-1].l1_norm:.0f}, against
    {results["dense"].history[-1].l1_norm:.0f} for the dense network and {results["mask"].history[-1].l1_norm:.0f} for
    a mask without decay. The mask alone is not what makes a network sparse; decay is, through the mask.
    """)
    return


@app.cell(hide_code=True)
def _(methods, plotting, plt, results):
    with plotting.style():
        _figure, _all = plt.subplots(1, 3, figsize=(7.0, 2.3), layout="constrained", dpi=150)
        for _name, _result in results.items():
            _width = 3.0 if _name == "dense" else 1.4  # the mask without decay lies on it
            _look = plotting.METHOD_LOOKS[_name] | {"marker": "", "label": methods[_name].label, "lw": _width}
            _epoch = [record.epoch for record in _result.history]
            _all[0].plot(_epoch, [record.test_accuracy for record in _result.history], **_look)
            _all[1].plot(_epoch, [record.l1_norm for record in _result.history], **_look)
            _all[2].plot(_epoch, [record.strength for record in _result.history], **_look)
        for _axes, _title in zip(_all, ("test accuracy", r"$\|x\|_1$", r"strength $\alpha$"), strict=True):
            _axes.set(xlabel="epoch", title=_title)
        _all[0].legend()
    _last = {name: result.history[-1] for name, result in results.items()}
    plotting.Picture(
        _figure,
        "Test accuracy, L1 norm of the weights and strength against the epoch, for three methods. All end near "
        f"{_last['dense'].test_accuracy:.0%} accuracy. The L1 norm of PILoT falls to {_last['pilot'].l1_norm:.0f}, "
        f"while those of the dense net and the mask end at {_last['dense'].l1_norm:.0f} and {_last['mask'].l1_norm:.0f}"
        ". The strength of PILoT rises at first and falls later; the others have none.",
    )
    return


@app.cell(hide_code=True)
def _(accuracy, mo, quoted, sparsities):
    mo.md(rf"""
    ## Pruned in one shot

    Remove the smallest {sparsities[quoted]:.0%} of the weights, train no further, and look at the test images again:
    the dense network, trained without any penalty, keeps {accuracy["dense"]:.0%} of them right, PILoT
    {accuracy["pilot"]:.0%}. The right-hand picture says why: with decay most weights have moved far towards zero
    before anybody prunes, so that removing them changes little.

    This is one seed of a small network; `figures/figure2` of the repository compares ten methods on two networks
    with many seeds, and there PILoT is not always first.
    """)
    return


@app.cell
def _(digits, results, training):
    sparsities = [0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99]
    curves = {name: training.one_shot(result.model, digits, sparsities) for name, result in results.items()}
    quoted = sparsities.index(0.98)
    accuracy = {name: float(curve.accuracy[quoted]) for name, curve in curves.items()}
    return accuracy, curves, quoted, sparsities


@app.cell(hide_code=True)
def _(accuracy, curves, methods, np, plotting, plt, results, torch):
    with plotting.style():
        _figure, (_left, _right) = plt.subplots(1, 2, figsize=(7.0, 2.6), layout="constrained", dpi=150)
        for _name, _curve in curves.items():
            _width = 3.0 if _name == "dense" else 1.4
            _left.plot(
                1 - _curve.sparsity,
                _curve.accuracy,
                **plotting.METHOD_LOOKS[_name],
                ms=3,
                lw=_width,
                label=methods[_name].label,
            )
            _weights = np.abs(
                torch.cat([p.detach().flatten() for p in results[_name].model.parameters() if p.ndim > 1]).numpy()
            )
            _right.plot(
                np.linspace(1, 0, len(_weights)),
                np.sort(_weights),
                **plotting.METHOD_LOOKS[_name] | {"marker": "", "lw": _width},
            )
        _left.set(xscale="log", xlim=(1.1, 0.009), xlabel="fraction of weights kept", ylabel="test accuracy")
        _left.set_title("pruned once, not trained again")
        _left.legend()
        _right.set(yscale="log", ylim=(1e-6, 3), xlabel="fraction of weights that are larger", ylabel="$|x_i|$")
    plotting.Picture(
        _figure,
        "Left, test accuracy against the fraction of weights that are kept: with 2 % of them the dense net has "
        f"{accuracy['dense']:.0%}, the mask {accuracy['mask']:.0%} and PILoT {accuracy['pilot']:.0%}. Right, the sizes "
        "of the weights in order, on a logarithmic axis: most of PILoT's are far smaller than those of the other two.",
    )
    return


@app.cell(hide_code=True)
def _(halved, identity, mo, relative):
    mo.md(rf"""
    ## The theory inside your network

    Is a network, with its hidden layer and its cross-entropy, still covered? `masking.MirrorRecord` adds up the
    gradients $L$ with respect to the effective weights and the decay $A$ while an optimizer trains, and compares with
    the potential that `ib.derive` finds for $m \cdot w$. The identity $\nabla R_A(x) = -L$ holds in each of the
    {len(identity.x):,} weights of the hidden layer, to {relative["hidden.weight"]:.1e} of the largest $|L|$ (output
    layer: {relative["output.weight"]:.1e}). What is left is the step size: with half of it and twice as many steps
    {halved["hidden.weight"]:.1e} remain ({halved["output.weight"]:.1e}).
    """)
    return


@app.cell
def _(digits, fresh, masking, nn, torch):
    def recorded(steps, lr):
        """Train a masked network with constant decay, and keep account of the mirror identity."""
        model = masking.mask(fresh(), beta=1.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        masking.decay_strength(optimizer, alpha=0.01)  # weight_decay = 2α
        record = masking.MirrorRecord(model, optimizer)
        pixels, labels = digits.train.pixels.float() / 16, digits.train.labels
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(pixels), labels).backward()
            optimizer.step()
        return record

    record, finer = recorded(100, lr=0.1), recorded(200, lr=0.05)
    identity = record["hidden.weight"]
    relative = {name: record[name].flow_relative_residual for name in record}
    halved = {name: finer[name].flow_relative_residual for name in finer}
    return halved, identity, relative


@app.cell(hide_code=True)
def _(identity, np, plotting, plt):
    with plotting.style():
        _figure, _axes = plt.subplots(figsize=(3.4, 2.9), layout="constrained", dpi=150)
        _axes.plot(
            -identity.accumulated_gradient, identity.flow_mirror_point, ".", ms=1.5, color=plotting.COLOURS["flow"]
        )
        _ends = np.array([identity.flow_mirror_point.min(), identity.flow_mirror_point.max()])
        _axes.plot(_ends, _ends, lw=0.7, color=plotting.GREYS["note"])
        _axes.set(
            xlabel="$-L$, summed over 100 steps", ylabel=r"$\nabla R_A(x)$, derived", title="6,400 weights of a network"
        )
    plotting.Picture(
        _figure,
        "The slope of the derived potential at each of the 6,400 weights against minus its accumulated gradient: all "
        "points lie on the diagonal.",
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    ## Exercise

    How many of its weights can each network lose in one shot before it is more than a point less accurate?
    """)
    return


@app.cell(hide_code=True)
def _(curves, digits, methods, mo):
    spared = {
        name: max(
            float(sparsity)
            for sparsity, right in zip(curve.sparsity, curve.accuracy, strict=True)
            if right >= curve.accuracy[0] - 0.01
        )
        for name, curve in curves.items()
    }
    _found = ", ".join(f"{methods[name].label} {share:.0%}" for name, share in spared.items())
    mo.md(rf"""
    /// details | Answer

    Of the sparsities that were tried: {_found}. One seed and {len(digits.test)} test images tell no small
    difference apart: a point is four images.

    ///
    """)
    return (spared,)


@app.cell(hide_code=True)
def _(mo):
    mo.md(r"""
    For a module of your own: `model = masking.mask(model)`, an optimizer made after that, and
    `schedule = masking.PILoT(optimizer, alpha, delta, l1_threshold, epochs)` with `schedule.step(train_accuracy)`
    once an epoch.

    *The implicit_bias developers*
    """)
    return


if __name__ == "__main__":
    app.run()
