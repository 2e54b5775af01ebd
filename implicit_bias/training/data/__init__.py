"""Data sets of labelled images, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from implicit_bias.errors import InputError
from implicit_bias.training.data.cifar import cifar10, cifar100
from implicit_bias.training.data.digits import digits
from implicit_bias.training.data.images import ImageData, Images
from implicit_bias.training.data.mnist import mnist
from implicit_bias.training.data.stand_in import write_stand_in

SHIPPED: dict[str, Callable[[], ImageData]] = {"mnist": mnist, "digits": digits}
FROM_FILES: dict[str, Callable[[str | Path], ImageData]] = {"cifar10": cifar10, "cifar100": cifar100}
DATA = (*SHIPPED, *FROM_FILES)

__all__ = ["DATA", "ImageData", "Images", "cifar10", "cifar100", "digits", "load", "mnist", "write_stand_in"]


def load(name: str, folder: str | Path | None = None) -> ImageData:
    """The data set of a name.

    Args:
        name: One of :data:`DATA`.
        folder: The folder with its files, for CIFAR alone.

    Raises:
        InputError: If there is no such data set, its folder is missing, or a file is missing or damaged.
    """
    if name in SHIPPED:
        if folder is not None:
            raise InputError(f"data folder: {name} comes with a package and takes none; leave it out.")
        return SHIPPED[name]()
    if name not in FROM_FILES:
        raise InputError(f"data: no data set is called {name!r}; known: {', '.join(DATA)}.")
    if folder is None:
        raise InputError(f"data folder: {name} is read from files; name the folder that holds them.")
    return FROM_FILES[name](folder)
