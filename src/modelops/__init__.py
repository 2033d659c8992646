"""The platform: gets models run and looked at."""

__version__ = "0.3.0"
