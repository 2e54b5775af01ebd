"""Small networks that hold every kind of weight, and every parametrization."""

import torch
from torch import nn

from implicit_bias import masking


class Sequence(nn.Module):
    """Embedding, attention, convolution, norm and an output tied to the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.convolution = nn.Conv1d(8, 8, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.output = nn.Linear(8, 11, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, tokens):
        h = self.embedding(tokens)
        h = h + self.attention(h, h, h, need_weights=False)[0]
        return self.output(self.norm(h + self.convolution(h.mT).mT)) / 8


EVERY = {
    "mask": lambda: masking.Product(1.0),
    "spred": lambda: masking.Product(0.0),
    "three factors": lambda: masking.Product(0.5, depth=3),
    "four factors, balanced": lambda: masking.Product(0.0, depth=4),
    "sigmoid": lambda: masking.SigmoidMask(0.3, 2.0),
    "power 2": lambda: masking.Powerpropagation(2.0),
    "power 2.5": lambda: masking.Powerpropagation(2.5),
    "threshold": lambda: masking.SoftThreshold(-5.0),
}
WEIGHTS = ["embedding.weight", "attention.in_proj_weight", "attention.out_proj.weight", "convolution.weight"]


def sequence(seed=0):
    torch.manual_seed(seed)
    return Sequence()


def tokens(seed=0):
    return torch.randint(11, (4, 6), generator=torch.Generator().manual_seed(seed))


def perceptron(seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(dtype)
