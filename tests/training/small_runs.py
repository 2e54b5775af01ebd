"""Small data and runs that tests train on, in this process and in others."""

import sys
from pathlib import Path

import torch

from implicit_bias.training import METHODS, ImageData, Images, build, train


def images(n=203, test=40, shape=(1, 6, 6), classes=3, seed=0, **keywords):
    """Images whose classes differ in the row that is bright; n is odd, so the last batch is smaller than others."""
    random = torch.Generator().manual_seed(seed)

    def part(count):
        labels = torch.arange(count) % classes
        pixels = torch.randint(0, 100, (count, *shape), generator=random, dtype=torch.uint8)
        pixels[torch.arange(count), :, labels] += 100
        return Images(pixels, labels)

    return ImageData("rows", part(n), part(test), classes, **keywords)


def run(data=None, model="lenet", method="pilot", strength=1e-4, seed=0, **settings):
    """Train for a moment; settings are passed on to train."""
    data = data or images()
    settings = {"epochs": 4, "batch_size": 32} | settings
    return train(build(model, data, seed), data, METHODS[method](strength), seed=seed, **settings)


def weights(result):
    """All weights of a result, as one dictionary of clones."""
    return {name: tensor.clone() for name, tensor in result.model.state_dict().items()}


def same(one, other):
    """Whether two results agree in every bit."""
    one, other = weights(one), weights(other)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


LONG = {"epochs": 60, "batch_size": 8, "learning_rate": 0.01}

if __name__ == "__main__":
    from safetensors.torch import save_file

    task, folder = sys.argv[1], Path(sys.argv[2])
    if task == "long":
        run(checkpoint=folder / "run.safetensors", **LONG)
    elif task == "devices":
        for model in ("lenet", "convnet"):
            result = run(model=model, devices=2, precision="64-true", checkpoint=folder / f"{model}.run")
            if result.is_main:
                save_file(weights(result), folder / f"{model}.safetensors")
