"""Training: photos and labels in, a weight file and its card out. Nothing that runs on a robot imports this."""

from importlib.util import find_spec

for _library in ("torch", "omegaconf", "lightning"):
    if find_spec(_library) is None:
        raise ModuleNotFoundError(
            f"training needs {_library}, which is not installed: pip install torch lightning omegaconf webdataset "
            "braceexpand tensorboard"
        )
