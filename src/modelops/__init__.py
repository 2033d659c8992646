"""The platform: gets models run and looked at."""

from modelops import _build

__all__ = ["__version__"]

__version__ = _build.VERSION
