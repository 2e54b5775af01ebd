"""Runs that are killed, resumed, or shared by two processes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_runs import LONG, images, run, same, weights

import implicit_bias
from implicit_bias.files import UNFINISHED, FolderInUseError
from implicit_bias.training import checkpoint as checkpoints

SCRIPT = Path(__file__).with_name("small_runs.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(implicit_bias.__file__).parent.parent)}


@pytest.fixture(autouse=True)
def one_thread():
    """Compute with one thread, like the processes that are compared with this one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_killed_run_continues_bit_for_bit(tmp_path):
    path = tmp_path / "run.safetensors"
    process = subprocess.Popen([sys.executable, SCRIPT, "long", tmp_path], env=ENVIRONMENT)
    try:
        deadline = time.monotonic() + 300
        while not path.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(random.uniform(0.1, 0.6))  # noqa: S311, any moment will do
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL
    done = len(checkpoints.read(path).numbers["history"])
    assert done < LONG["epochs"]
    (tmp_path / f".{'0' * 16}{UNFINISHED}").write_bytes(b"half")  # a kill in the middle of writing leaves this
    resumed = run(checkpoint=path, resume=True, **LONG)
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []
    undisturbed = run(**LONG)
    assert same(resumed, undisturbed)
    assert [r.epoch for r in resumed.history] == list(range(1, LONG["epochs"] + 1))
    assert [r.test_loss for r in resumed.history] == [r.test_loss for r in undisturbed.history]
    assert [r.strength for r in resumed.history] == [r.strength for r in undisturbed.history]


@pytest.mark.parametrize("method", ["pilot", "dense", "continuous-sparsification", "ham"])
@pytest.mark.parametrize("optimizer", ["sgd", torch.optim.Adam, torch.optim.AdamW])
def test_an_interrupted_run_continues_bit_for_bit(tmp_path, method, optimizer):
    """The progress function interrupts it between two epochs; the images are augmented."""
    path, data = tmp_path / "run.safetensors", images(augment=True)

    def interrupt(progress):
        if progress.record is not None and progress.record.epoch == 2:
            raise KeyboardInterrupt

    settings = {"data": data, "method": method, "optimizer": optimizer, "learning_rate": 0.01}
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=path, progress=interrupt, **settings)
    assert len(checkpoints.read(path).numbers["history"]) == 2
    resumed = run(checkpoint=path, resume=True, **settings)
    assert same(resumed, run(**settings))
    assert same(resumed, run(checkpoint=path, resume=True, **settings))  # there is nothing left to do


def test_two_runs_that_meet_in_a_folder(tmp_path):
    """The second is told who uses the folder, whether it resumes or not, and the first does not notice."""
    path = tmp_path / "run.safetensors"

    def meet(progress):
        # On a slow machine progress is reported several times between two records.
        if progress.record is not None and progress.record.epoch == 2 and not (tmp_path / "other").exists():
            for resume in (False, True):
                with pytest.raises(FolderInUseError, match=f"is in use by process {os.getpid()} on .* since 20"):
                    run(checkpoint=path, resume=resume)
            assert run(checkpoint=tmp_path / "other", epochs=1).is_main  # another checkpoint is another run

    assert same(run(checkpoint=path, progress=meet), run())
    assert sorted(os.listdir(tmp_path)) == ["other", "run.safetensors"]


def test_two_processes_give_what_one_gives(tmp_path):
    """The last batch of 203 images by 32 has 11, which two processes share unequally."""
    command = [sys.executable, SCRIPT, "devices", tmp_path]
    subprocess.run(command, env=ENVIRONMENT, check=True, timeout=200, capture_output=True)
    for model in ("lenet", "convnet"):
        both, alone = load_file(tmp_path / f"{model}.safetensors"), weights(run(model=model, precision="64-true"))
        assert both.keys() == alone.keys()
        for name, tensor in alone.items():
            assert float((both[name] - tensor).abs().max()) < 1e-6
        history = checkpoints.read(tmp_path / f"{model}.run").numbers["history"]
        assert [r["epoch"] for r in history] == [1, 2, 3, 4]
