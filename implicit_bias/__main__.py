"""``python -m implicit_bias``."""

from implicit_bias.cli import app

if __name__ == "__main__":
    app(prog_name="implicit-bias")
